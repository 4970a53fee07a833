//! A registry's tokens: Entra's token is exchanged for the registry's own, and that for one of each scope.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use serde_json::Value;
use tokio::sync::OnceCell;
use url::{Url, form_urlencoded};

use super::challenge;
use super::claims::Claims;
use super::right::Right;
use super::server::{LoginServer, Reply, send};
use crate::azure::arm::{ArmClient, bearer};
use crate::azure::error::{AzureError, ErrorKind};

/// No scope is called so: where the token is remembered that the others are made from.
const REFRESH: &str = "";

const TRADE: &str = "getting a token of the registry";

pub(super) struct Tokens {
    realm: OnceCell<Realm>,
    remembered: Mutex<HashMap<String, Remembered>>,
}

/// Where tokens come from.
struct Realm {
    exchange: Url,
    token: Url,
    service: String,
}

struct Remembered {
    token: String,
    until: SystemTime,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self { realm: OnceCell::new(), remembered: Mutex::default() }
    }

    /// The header that allows `right` in the repository. A right that is missing is found here, before it is used.
    pub(super) async fn token(
        &self,
        arm: &ArmClient,
        server: &LoginServer,
        operation: &'static str,
        repository: &str,
        right: Right,
    ) -> Result<HeaderValue, AzureError> {
        let scope = right.scope(repository);
        if let Some(token) = self.recall(&scope) {
            return bearer(&token);
        }
        let realm = self.realm.get_or_try_init(|| realm(arm, server)).await?;
        let refresh = self.refresh(arm, realm).await?;
        let token = access(arm, realm, &scope, &refresh).await?;
        let claims = Claims::of(&token).ok_or_else(|| nothing("the registry's token says nothing of its rights"))?;
        if !claims.allow(repository, right) {
            return Err(right.missing(operation, repository));
        }
        self.remember(&scope, &token, claims.good_until());
        bearer(&token)
    }

    pub(super) fn are_remembered(&self) -> bool {
        !self.lock().is_empty()
    }

    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    async fn refresh(&self, arm: &ArmClient, realm: &Realm) -> Result<String, AzureError> {
        if let Some(token) = self.recall(REFRESH) {
            return Ok(token);
        }
        let entra = arm.registry_token().await?;
        // The exchange wants to be told the tenant, which Entra's token tells.
        let tenant = Claims::of(entra.secret()).and_then(|claims| claims.tenant);
        let mut form = vec![("grant_type", "access_token"), ("service", &realm.service)];
        form.extend(tenant.as_deref().map(|tenant| ("tenant", tenant)));
        let token = trade(arm, &realm.exchange, form, ("access_token", entra.secret()), "refresh_token").await?;
        self.remember(REFRESH, &token, Claims::of(&token).and_then(|claims| claims.good_until()));
        Ok(token)
    }

    fn recall(&self, scope: &str) -> Option<String> {
        let mut remembered = self.lock();
        remembered.retain(|_, found| found.until > SystemTime::now());
        remembered.get(scope).map(|found| found.token.clone())
    }

    fn remember(&self, scope: &str, token: &str, until: Option<SystemTime>) {
        if let Some(until) = until {
            self.lock().insert(scope.to_owned(), Remembered { token: token.to_owned(), until });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Remembered>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the registry where its tokens come from. That must be the registry itself: Entra's token goes there.
async fn realm(arm: &ArmClient, server: &LoginServer) -> Result<Realm, AzureError> {
    const OPERATION: &str = "asking the registry where its tokens come from";
    let reply = send(arm, OPERATION, arm.http().get(server.url(OPERATION, "/v2/")?)).await?;
    let challenge = challenge::bearer(&reply.headers).filter(|_| reply.status == 401);
    let Some((realm, challenge)) = challenge.as_ref().and_then(|found| Some((found.realm()?, found))) else {
        return Err(reply.refused(OPERATION, "the login server does not answer as a registry does"));
    };
    Ok(Realm {
        exchange: server.url(OPERATION, "/oauth2/exchange")?,
        token: server.follow(OPERATION, realm)?,
        service: challenge.service().unwrap_or(server.name()).to_owned(),
    })
}

async fn access(arm: &ArmClient, realm: &Realm, scope: &str, refresh: &str) -> Result<String, AzureError> {
    let form = vec![("grant_type", "refresh_token"), ("service", realm.service.as_str()), ("scope", scope)];
    trade(arm, &realm.token, form, ("refresh_token", refresh), "access_token").await
}

/// Gives one token for another.
async fn trade(
    arm: &ArmClient,
    at: &Url,
    form: Vec<(&str, &str)>,
    given: (&str, &str),
    wanted: &str,
) -> Result<String, AzureError> {
    let form =
        form_urlencoded::Serializer::new(String::new()).extend_pairs(form).append_pair(given.0, given.1).finish();
    let request = arm.http().post(at.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
    let reply = send(arm, TRADE, request).await?;
    if !(200..=299).contains(&reply.status) {
        // A careless service repeats what it was given.
        let body = String::from_utf8_lossy(&reply.body).replace(given.1, "***").into_bytes();
        return Err(Reply { body, ..reply }.refused(TRADE, ""));
    }
    let body: Value = reply.json(TRADE)?;
    let token = body.get(wanted).and_then(Value::as_str).filter(|token| !token.is_empty());
    token.map(str::to_owned).ok_or_else(|| nothing("the registry gave no token"))
}

fn nothing(message: &str) -> AzureError {
    AzureError::new(ErrorKind::Unreadable, TRADE, message)
}
