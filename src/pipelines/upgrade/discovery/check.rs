//! One check: the repository is asked, and what it says is remembered.

use std::time::Duration;

use super::documents::{CheckFailure, DISCOVERY, Discovered, Tip, releases};
use crate::engine::ports::StoreError;
use crate::engine::{Engine, PhaseError, Updated};
use crate::git::Discovery;
use crate::model::{Failure, Timestamp};
use crate::pipelines::upgrade::{Upgrade, scope};

/// What came of a check.
#[derive(Clone, PartialEq, Debug)]
pub enum Checked {
    /// Nobody has said which repository.
    Unset,
    /// The repository was asked a moment ago, by this process or by another.
    Throttled { retry_after: Duration },
    /// It was read. Has the releases that the list before did not have, if there was one.
    Read { fresh: Vec<String> },
    /// It could not be read; the list before it stays.
    Failed(Failure),
}

/// Asks the repository, unless it was asked less than `min_age` ago. Of callers that race, one asks.
pub async fn check(engine: &Engine, upgrade: &Upgrade, min_age: Duration) -> Result<Checked, StoreError> {
    if upgrade.source.address().is_none() {
        return Ok(Checked::Unset);
    }
    let at = match claim(engine, min_age).await? {
        Ok(at) => at,
        Err(retry_after) => return Ok(Checked::Throttled { retry_after }),
    };
    match upgrade.source.discover().await {
        Ok(found) => remember(engine, at, &found).await,
        Err(error) => note(engine, at, cause(error)).await,
    }
}

/// The time of this check, or how long it has to wait.
async fn claim(engine: &Engine, min_age: Duration) -> Result<Result<Timestamp, Duration>, StoreError> {
    let mut now = engine.now();
    let platform = scope();
    let updated = engine.update_document(&platform, DISCOVERY, |known: Option<&Discovered>| {
        now = engine.now();
        let last = known.and_then(|known| known.attempted_at);
        // A time far ahead is that of a clock which went wrong.
        let recent = last.is_some_and(|last| now < last + min_age && last < now + min_age);
        (!recent).then(|| Discovered { attempted_at: Some(now), ..known.cloned().unwrap_or_default() })
    });
    Ok(match updated.await? {
        Updated::Written(claimed) => Ok(claimed.attempted_at.unwrap_or_default()),
        Updated::Left(known) => {
            let last = known.and_then(|known| known.attempted_at).unwrap_or_default();
            Err((last + min_age).since(now))
        }
    })
}

/// A check that began later may have ended earlier: it knows better.
async fn remember(engine: &Engine, at: Timestamp, found: &Discovery) -> Result<Checked, StoreError> {
    let releases = releases(found);
    let head = found.head.as_ref().map(|head| Tip { branch: head.branch.clone(), commit: head.commit.clone() });
    let mut fresh = Vec::new();
    let platform = scope();
    let updated = engine.update_document(&platform, DISCOVERY, |known: Option<&Discovered>| {
        let known = known.cloned().unwrap_or_default();
        if known.checked_at > Some(at) {
            return None;
        }
        let is_new = |version: &&String| !known.releases.iter().any(|release| release.version == **version);
        fresh = match known.checked_at {
            Some(_) => releases.iter().map(|release| &release.version).filter(is_new).cloned().collect(),
            None => Vec::new(),
        };
        let error = known.error.filter(|error| error.at > at);
        Some(Discovered {
            checked_at: Some(at),
            attempted_at: known.attempted_at,
            releases: releases.clone(),
            head: head.clone(),
            error,
        })
    });
    updated.await?;
    Ok(Checked::Read { fresh })
}

async fn note(engine: &Engine, at: Timestamp, failure: Failure) -> Result<Checked, StoreError> {
    let platform = scope();
    let updated = engine.update_document(&platform, DISCOVERY, |known: Option<&Discovered>| {
        let known = known.cloned().unwrap_or_default();
        let outdated = known.checked_at > Some(at);
        let error = Some(CheckFailure { failure: failure.clone(), at });
        (!outdated).then_some(Discovered { error, ..known })
    });
    updated.await?;
    Ok(Checked::Failed(failure))
}

fn cause(error: PhaseError) -> Failure {
    match error {
        PhaseError::Retryable { failure, .. } | PhaseError::Fatal(failure) => failure,
        PhaseError::LeaseLost => Failure::new("check_given_up", "the check was given up; check again"),
    }
}
