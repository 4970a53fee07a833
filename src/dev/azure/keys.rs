//! RSA signing keys: one is published, older ones are still known.

use std::io;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(super) struct Key {
    pub(super) kid: String,
    pair: KeyPair,
}

/// Signs like Entra, but nobody publishes it.
pub(super) static STRANGER: LazyLock<Option<Key>> = LazyLock::new(|| Key::generate().ok());

impl Key {
    pub(super) fn generate() -> io::Result<Self> {
        let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| io::Error::other("no RSA key could be made"))?;
        let thumb = Sha256::digest(pair.public_key().modulus().big_endian_without_leading_zero());
        Ok(Self { kid: URL_SAFE_NO_PAD.encode(&thumb[..20]), pair })
    }

    /// An RS256 signature.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        match self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature) {
            Ok(()) => signature,
            Err(_) => Vec::new(),
        }
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let public = self.pair.public_key();
        let parts = PublicKeyComponents {
            n: public.modulus().big_endian_without_leading_zero(),
            e: public.exponent().big_endian_without_leading_zero(),
        };
        parts.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
    }

    /// The public half as PEM: what a validator that lets the token choose HS256 would take for the secret.
    pub(super) fn public_pem(&self) -> String {
        let der: Option<PublicKeyX509Der<'_>> = self.pair.public_key().as_der().ok();
        let body = der.map(|der| STANDARD.encode(der.as_ref())).unwrap_or_default();
        let lines: Vec<_> = body.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// As in Entra's key set: no `alg`, and the thumbprint repeated as `x5t`. Entra's `x5c` is left out.
    fn published(&self, issuer: &str) -> Value {
        let public = self.pair.public_key();
        json!({
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero()),
            "cloud_instance_name": "microsoftonline.com",
            "issuer": issuer,
        })
    }
}

pub(super) struct Keys {
    /// The last one signs and is published.
    known: RwLock<Vec<Arc<Key>>>,
}

impl Keys {
    pub(super) fn new(first: Key) -> Self {
        Self { known: RwLock::new(vec![Arc::new(first)]) }
    }

    pub(super) fn rotate(&self, next: Key) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(next));
    }

    pub(super) fn current(&self) -> Option<Arc<Key>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).last().cloned()
    }

    /// Any key that ever signed here, so that a rotation does not invalidate what the identity endpoint gave out.
    pub(super) fn known(&self, kid: &str) -> Option<Arc<Key>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).iter().find(|key| key.kid == kid).cloned()
    }

    pub(super) fn published(&self, issuer: &str) -> Value {
        json!({ "keys": self.current().iter().map(|key| key.published(issuer)).collect::<Vec<_>>() })
    }
}
