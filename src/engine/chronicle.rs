//! The runs of a scope with their events, checked as the one chain that they are.
//!
//! The walk begins at the row `chain` and goes from each run to the one before. It finds a newest run that was removed, a
//! run that was exchanged or is missing in between, and an event that was removed, changed or added.
//!
//! It cannot find what was never chained or was written anew as a whole. The hashes have no key: whoever may write the
//! table and writes every event from some point on again, and the row `chain` with them, leaves a chain that holds.
//! An event seals what it tells; a run's input, state, output and logs are not in it. Runs that are older than the
//! scope's chain vouch for themselves alone. And the oldest runs may be removed, as retention does: that is no breach,
//! but the chronicle says at which run it begins.

use futures::{StreamExt, stream};

use super::chain::{self, Chain};
use super::ports::{StoreError, Stored};
use super::{Engine, rows, schema};
use crate::model::{Event, GENESIS, Run, RunId, Scope};

#[derive(Debug)]
pub struct Chronicle {
    /// The newest first.
    pub entries: Vec<ChronicleEntry>,
    /// Whether everything that was looked at holds, including runs that are not listed.
    pub intact: bool,
    /// The newest of what is wrong.
    pub broken: Option<String>,
    /// The oldest run, if it was reached and follows on runs that are not there any more.
    pub begins_at: Option<RunId>,
    /// The newest run that was not listed any more, if too many had been looked at before as many as wanted were found.
    pub stopped_at: Option<RunId>,
}

#[derive(Debug)]
pub struct ChronicleEntry {
    pub run: Run,
    /// Up to the state in which the run was read.
    pub events: Vec<Event>,
    /// Whether its own events hold, and join those of the run before and of the run after.
    pub intact: bool,
}

impl Engine {
    /// At most `limit` runs of the scope, of these pipelines or of all. Runs of other pipelines in between are checked
    /// too, and as there may be any number of them the walk has an end of its own.
    pub async fn chronicle(
        &self,
        scope: &Scope,
        limit: usize,
        pipelines: Option<&[&str]>,
    ) -> Result<Chronicle, StoreError> {
        let tag = scope.tag();
        for _ in 0..Self::TRIES {
            let before = chain::read(self.store.as_ref(), &tag).await?;
            let walk = Walk::new(scope, before.as_ref().map(|link| link.chain.clone()), limit, pipelines);
            let chronicle = self.walk(walk).await?;
            // A run that began or ended meanwhile was seen by halves.
            if chain::read(self.store.as_ref(), &tag).await? == before {
                return Ok(chronicle);
            }
        }
        Err(StoreError::Unavailable(format!("runs of {scope} begin and end faster than they can be read")))
    }

    async fn walk(&self, mut walk: Walk<'_>) -> Result<Chronicle, StoreError> {
        const MOST: usize = 50;
        const AT_ONCE: usize = 8;
        let scope = walk.scope;
        let page = walk.limit.saturating_add(1).min(MOST);
        let mut after = rows::RUN_FROM.to_owned();
        loop {
            let found = self.store.range(scope.tag().as_str(), &after, rows::RUN_TO, page).await?;
            let more = found.len() == page;
            if let Some((key, _)) = found.last() {
                after.clone_from(key);
            }
            let mut read = stream::iter(found).map(|(key, row)| self.read_link(scope, key, row)).buffered(AT_ONCE);
            while let Some(found) = read.next().await {
                if walk.take(found?) == Goes::NoFurther {
                    return Ok(walk.chronicle);
                }
            }
            if !more {
                return Ok(walk.end());
            }
        }
    }

    async fn read_link(&self, scope: &Scope, key: String, row: Stored) -> Result<Found, StoreError> {
        let run: Run = match schema::read(scope.tag().as_str(), &key, row) {
            Ok(run) => run,
            Err(row) => return Ok(Found::Unreadable(row.to_string())),
        };
        if run.id.tag() != &scope.tag() || rows::run_key(&run.id) != key {
            return Ok(Found::Unreadable(format!("the row {key} does not hold the run that it names")));
        }
        let mut events = match self.history(&run.id).await {
            Ok(events) => events,
            Err(error @ (StoreError::Refused(_) | StoreError::Unreadable(_))) => {
                let wrong = format!("the events of run {} cannot be read: {error}", run.id);
                return Ok(Found::Run(Box::new(Read { run, events: Vec::new(), wrong: Some(wrong) })));
            }
            Err(error) => return Err(error),
        };
        if !run.is_ended() {
            events.retain(|event| event.number <= run.events);
        }
        let wrong = run.breach(&events);
        Ok(Found::Run(Box::new(Read { run, events, wrong })))
    }
}

struct Read {
    run: Run,
    events: Vec<Event>,
    /// With its own events.
    wrong: Option<String>,
}

enum Found {
    Run(Box<Read>),
    /// A row that holds no run, another one, or one of a later version, in words.
    Unreadable(String),
}

#[derive(PartialEq)]
enum Goes {
    On,
    NoFurther,
}

/// From the newest run to the older ones.
struct Walk<'a> {
    scope: &'a Scope,
    limit: usize,
    /// Runs that are looked at for it.
    most: u64,
    pipelines: Option<&'a [&'a str]>,
    chain: Option<Chain>,
    chronicle: Chronicle,
    /// The run before this one in the walk; it is listed once its other side has been looked at.
    newer: Option<ChronicleEntry>,
    /// Runs that were met; as long as the chain has not begun, they are its links.
    met: u64,
    begun: bool,
}

impl<'a> Walk<'a> {
    fn new(scope: &'a Scope, chain: Option<Chain>, limit: usize, pipelines: Option<&'a [&'a str]>) -> Self {
        let chronicle =
            Chronicle { entries: Vec::new(), intact: true, broken: None, begins_at: None, stopped_at: None };
        let most = (limit as u64).saturating_mul(4).saturating_add(50);
        Self { scope, limit, most, pipelines, chain, chronicle, newer: None, met: 0, begun: false }
    }

    fn take(&mut self, found: Found) -> Goes {
        let Read { run, events, wrong } = match found {
            Found::Run(read) => *read,
            Found::Unreadable(wrong) => {
                self.broke(wrong);
                self.list_newer(false);
                self.met += 1;
                return self.goes_on();
            }
        };
        let joint = self.joint(&run, &events);
        let joined = joint.is_none();
        joint.into_iter().for_each(|wrong| self.broke(wrong));
        self.list_newer(joined);
        if self.goes_on() == Goes::NoFurther {
            return Goes::NoFurther;
        }
        if self.met >= self.most {
            self.chronicle.stopped_at = Some(run.id);
            return Goes::NoFurther;
        }
        let intact = joined && wrong.is_none();
        wrong.into_iter().for_each(|wrong| self.broke(wrong));
        self.met += 1;
        self.count(&run).into_iter().for_each(|wrong| self.broke(wrong));
        self.newer = Some(ChronicleEntry { run, events, intact });
        Goes::On
    }

    /// What is wrong between this run and the one that came after it, or the end of the chain.
    fn joint(&self, run: &Run, events: &[Event]) -> Option<String> {
        let id = &run.id;
        if let Some(ChronicleEntry { run: newer, .. }) = &self.newer {
            let follows = match newer.first_previous.as_str() {
                GENESIS => run.first_previous == GENESIS,
                previous => previous == run.last_hash,
            };
            return (!follows).then(|| {
                format!(
                    "the first event of run {} does not follow the last event of run {id}, the one before it",
                    newer.id
                )
            });
        }
        if self.met > 0 {
            // The row in between could not be read, which was told.
            return None;
        }
        let Some(chain) = &self.chain else {
            let chained = run.first_previous != GENESIS;
            return chained.then(|| format!("run {id} follows another, but the row `chain` is missing"));
        };
        if chain.last_run < *id {
            return Some(format!("run {}, with which the chain ends, is missing", chain.last_run));
        }
        if chain.last_run > *id {
            return Some(format!("run {id} is newer than run {}, with which the chain ends", chain.last_run));
        }
        let last = if run.is_ended() { Some(&run.last_hash) } else { events.first().map(|event| &event.hash) };
        let number = if run.is_ended() { run.events } else { 1 };
        (last != Some(&chain.last_hash))
            .then(|| format!("the chain ends with another event than event {number} of run {id}"))
    }

    /// What is wrong with the number of links.
    fn count(&mut self, run: &Run) -> Option<String> {
        let chain = self.chain.as_ref().filter(|_| !self.begun)?;
        let begins = run.first_previous == GENESIS;
        self.begun = begins || self.met >= chain.runs;
        let (met, runs) = (self.met, chain.runs);
        (begins != (met == runs)).then(|| {
            format!(
                "the chain counts {runs} runs, which does not fit run {}, the one numbered {met} from its end",
                run.id
            )
        })
    }

    fn broke(&mut self, wrong: String) {
        self.chronicle.intact = false;
        self.chronicle.broken.get_or_insert(wrong);
    }

    fn list_newer(&mut self, joined: bool) {
        let Some(mut entry) = self.newer.take() else { return };
        entry.intact &= joined;
        let of_scope = entry.run.scope == *self.scope;
        let wanted =
            of_scope && self.pipelines.is_none_or(|pipelines| pipelines.contains(&entry.run.pipeline.as_str()));
        if wanted && self.chronicle.entries.len() < self.limit {
            self.chronicle.entries.push(entry);
        }
    }

    fn goes_on(&self) -> Goes {
        if self.met > 0 && self.chronicle.entries.len() >= self.limit { Goes::NoFurther } else { Goes::On }
    }

    /// There are no older runs.
    fn end(mut self) -> Chronicle {
        if let Some(chain) = self.chain.as_ref().filter(|_| self.met == 0) {
            let wrong = format!("run {}, with which the chain ends, is missing", chain.last_run);
            self.broke(wrong);
        }
        let oldest = self.newer.as_ref().map(|oldest| &oldest.run).filter(|run| run.first_previous != GENESIS);
        self.chronicle.begins_at = oldest.map(|run| run.id.clone());
        self.list_newer(true);
        self.chronicle
    }
}
