//! The row `chain`: where the chain of events over all runs of a scope ends.
//!
//! A run's first event follows the last one of the scope's run before it. Runs of one scope never overlap, so the row
//! changes twice for each of them: in the transaction that starts it and in the one that ends it. Scopes with one tag
//! share the chain as they share the lock.

use serde::{Deserialize, Serialize};

use super::ports::{Record, RunStore, StoreError, Version, Write};
use super::rows;
use super::schema::{self, Row};
use crate::model::{GENESIS, Run, RunId, ScopeTag};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Chain {
    /// Of the newest run: the hash of its last event once it has ended, until then that of its first.
    pub last_hash: String,
    pub last_run: RunId,
    /// How many runs the chain joins.
    pub runs: u64,
}

/// The chain as it is stored.
#[derive(Clone, PartialEq, Debug)]
pub struct Link {
    pub version: Version,
    pub chain: Chain,
    /// What else the row holds.
    pub beside: Record,
}

/// `None` if no run of the scope has been chained yet.
pub async fn read(store: &dyn RunStore, tag: &ScopeTag) -> Result<Option<Link>, StoreError> {
    let Some(stored) = store.get(tag.as_str(), rows::CHAIN).await? else { return Ok(None) };
    let Row { value, version, beside } = schema::read_row(tag.as_str(), rows::CHAIN, stored)?;
    Ok(Some(Link { version, chain: value, beside }))
}

/// Chains on a run that begins. A scope whose rows are older than its chain begins it with this run.
pub fn begun(link: Option<&Link>, run: &Run) -> Result<Write, StoreError> {
    let runs = link.map_or(0, |link| link.chain.runs) + 1;
    write(link, Chain { last_hash: run.last_hash.clone(), last_run: run.id.clone(), runs })
}

/// Says what the run has ended with. A run that began before its scope had a chain begins it now; a chain that ends
/// with another run was tampered with and is left for [`super::Engine::chronicle`] to find.
pub fn ended(link: Option<&Link>, run: &Run) -> Result<Option<Write>, StoreError> {
    let runs = match link {
        Some(link) if link.chain.last_run == run.id => link.chain.runs,
        None if run.first_previous == GENESIS => 1,
        Some(_) | None => return Ok(None),
    };
    write(link, Chain { last_hash: run.last_hash.clone(), last_run: run.id.clone(), runs }).map(Some)
}

fn write(link: Option<&Link>, chain: Chain) -> Result<Write, StoreError> {
    let key = rows::CHAIN.to_owned();
    Ok(match link {
        Some(Link { version, beside, .. }) => {
            Write::Replace { key, version: version.clone(), record: rows::to_record_beside(&chain, beside)? }
        }
        None => Write::Insert { key, record: rows::to_record(&chain)? },
    })
}
