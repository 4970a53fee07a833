//! An image's manifest. Some images are OCI indexes, some are docker's own; the content decides which.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(super) const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::dev::azure) struct Manifest {
    pub(super) media_type: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) image_size: u64,
}

impl Manifest {
    /// The same for the same content.
    pub(in crate::dev::azure) fn of(content: &str) -> Self {
        let id = sha256(content.as_bytes());
        let layers: Vec<(u64, String)> = (0..3).map(|n| layer(&id, n)).collect();
        let image_size = layers.iter().map(|(size, _)| size).sum();
        let index = id.as_bytes().get("sha256:".len()).is_some_and(|digit| digit % 2 == 1);
        let (media_type, body) = if index { (OCI_INDEX, oci_index(&id)) } else { (DOCKER, docker(&id, &layers)) };
        Self { media_type, bytes: body.to_string().into_bytes(), image_size }
    }

    pub(in crate::dev::azure) fn digest(&self) -> String {
        sha256(&self.bytes)
    }
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn layer(id: &str, n: u64) -> (u64, String) {
    let digest = sha256(format!("{id} layer {n}").as_bytes());
    let size = 1_000_000 * (n + 1) + u64::from(digest.as_bytes()[8]) * 1000;
    (size, digest)
}

fn docker(id: &str, layers: &[(u64, String)]) -> Value {
    let layers = layers.iter().map(|(size, digest)| {
        json!({"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": size, "digest": digest})
    });
    json!({
        "schemaVersion": 2,
        "mediaType": DOCKER,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 5824, "digest": id},
        "layers": layers.collect::<Vec<_>>(),
    })
}

fn oci_index(id: &str) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [{
            "mediaType": OCI_MANIFEST, "size": 1051, "digest": id, "platform": {"architecture": "amd64", "os": "linux"},
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_that_of_the_manifests_bytes_and_both_kinds_occur() {
        let all: Vec<Manifest> = (0..20).map(|n| Manifest::of(&format!("content {n}"))).collect();
        assert!(all.iter().all(|manifest| manifest.digest() == sha256(&manifest.bytes)));
        assert!(all.iter().any(|manifest| manifest.media_type == DOCKER));
        assert!(all.iter().any(|manifest| manifest.media_type == OCI_INDEX));
        assert_eq!(Manifest::of("a"), Manifest::of("a"));
    }
}
