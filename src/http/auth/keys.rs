//! A tenant's signing keys, remembered.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::DecodingKey;
use tokio::sync::{Mutex, MutexGuard};

use super::discovery::{Discovered, Discovery};
use crate::engine::ports::Clock;
use crate::model::{Timestamp, redact};

/// Keys older than this are not trusted any more: a withdrawn key lives on no longer.
const KEEP: Duration = Duration::from_hours(24);
/// From this age on they are asked for again, so that an outage of the authority shorter than the rest goes unnoticed.
const RENEW_AFTER: Duration = Duration::from_hours(12);
/// Anybody can send a token with an unknown key id: such a token makes us ask again no more often than this.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_mins(5);
/// After a failure, the next try waits this long.
const FAILURE_PAUSE: Duration = Duration::from_secs(10);

/// A signing key together with what was published beside it.
pub(super) struct Found {
    pub key: DecodingKey,
    pub published: Arc<Published>,
}

pub(super) struct Published {
    discovered: Discovered,
    at: Timestamp,
}

impl Published {
    pub fn issuers(&self) -> &[String] {
        &self.discovered.issuers
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum KeyError {
    /// The tenant has no such key.
    Unknown,
    /// Nobody can tell at the moment.
    Unavailable { retry_after: Duration },
}

/// When it was asked for keys; whoever asks holds the lock, so that there is one request at a time.
#[derive(Default)]
struct Asked {
    /// Since the last success.
    failed_at: Option<Timestamp>,
    for_unknown_at: Option<Timestamp>,
}

pub(super) struct KeyRing {
    discovery: Discovery,
    clock: Arc<dyn Clock>,
    published: RwLock<Option<Arc<Published>>>,
    asked: Mutex<Asked>,
}

impl KeyRing {
    pub fn new(discovery: Discovery, clock: Arc<dyn Clock>) -> Self {
        Self { discovery, clock, published: RwLock::default(), asked: Mutex::default() }
    }

    /// The key with this id, from memory if possible.
    pub async fn find(&self, kid: &str) -> Result<Found, KeyError> {
        let mut asked = match self.recall(kid) {
            Some((found, age)) if age < RENEW_AFTER => return Ok(found),
            // Still good: it is renewed by one request while the others go on with it.
            Some((found, _)) => match self.asked.try_lock() {
                Ok(asked) => asked,
                Err(_) => return Ok(found),
            },
            None => self.asked.lock().await,
        };
        // Whoever held the lock before may have brought the key.
        match self.recall(kid) {
            Some((found, age)) if age < RENEW_AFTER => return Ok(found),
            _ => self.renew_if_due(&mut asked).await,
        }
        match self.recall(kid) {
            Some((found, _)) => Ok(found),
            None if self.held().is_none() || asked.failed_at.is_some() => {
                Err(KeyError::Unavailable { retry_after: FAILURE_PAUSE })
            }
            None => Err(KeyError::Unknown),
        }
    }

    async fn renew_if_due(&self, asked: &mut MutexGuard<'_, Asked>) {
        let now = self.clock.now();
        let has_passed = |pause: Duration, at: Option<Timestamp>| at.is_none_or(|at| now.since(at) >= pause);
        let for_unknown = self.held().is_some_and(|(_, age)| age < RENEW_AFTER);
        let due = match for_unknown {
            true => has_passed(UNKNOWN_KEY_PAUSE, asked.for_unknown_at),
            false => has_passed(FAILURE_PAUSE, asked.failed_at),
        };
        if !due {
            return;
        }
        // Noted before the wait, which ends in the middle when the caller hangs up.
        if for_unknown {
            asked.for_unknown_at = Some(now);
        }
        match self.discovery.fetch().await {
            Ok(discovered) => {
                asked.failed_at = None;
                let published = Arc::new(Published { discovered, at: now });
                *self.published.write().unwrap_or_else(PoisonError::into_inner) = Some(published);
            }
            Err(error) => {
                // Counted from the end of the wait, so that those who queued behind it do not wait in turn.
                asked.failed_at = Some(self.clock.now());
                tracing::warn!(error = redact(&error.to_string()), "the signing keys of callers could not be fetched");
            }
        }
    }

    /// What is remembered and still trusted, with its age.
    fn held(&self) -> Option<(Arc<Published>, Duration)> {
        let published = self.published.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let age = self.clock.now().since(published.at);
        (age < KEEP).then_some((published, age))
    }

    fn recall(&self, kid: &str) -> Option<(Found, Duration)> {
        let (published, age) = self.held()?;
        let key = published.discovered.keys.get(kid)?.clone();
        Some((Found { key, published }, age))
    }
}
