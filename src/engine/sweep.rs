//! The timer's round over all runs that have not ended. It only sends tickets and tidies the index; it never
//! advances a run, so it may die half way or run twice.

use std::time::Duration;

use futures::StreamExt;
use futures::stream;

use super::Engine;
use super::chain;
use super::observe::Observation;
use super::pipeline::PipelineSpec;
use super::ports::{StoreError, Stored, Write};
use super::rows;
use super::schema;
use crate::model::{Event, Run, RunId, Timestamp};

/// What a round found and did.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SweepReport {
    /// Runs looked at.
    pub seen: u64,
    /// Tickets sent again.
    pub resent: u64,
    /// Index entries of ended or never-begun runs that were removed.
    pub retired: u64,
    /// Runs that this version cannot read, or whose phase it does not know. They are left to one that does.
    pub unreadable: u64,
    /// Entries that could not be handled this time.
    pub failed: u64,
    /// Runs that have not ended, those of them whose ticket was overdue, and those long past their budget.
    pub live: u64,
    pub late: u64,
    pub stuck: u64,
    /// Runs that stay in a phase that nothing is delivered to.
    pub closed: u64,
    pub breaches: Vec<Breach>,
}

/// A promise that a row does not keep.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breach {
    pub run: RunId,
    pub what: &'static str,
}

enum Found {
    Moving,
    Resent,
    Closed,
    Retired,
    /// In a phase that this version does not know.
    Foreign,
}

/// What a look at a run shows, whatever becomes of the look.
#[derive(Default)]
struct Look {
    live: bool,
    late: bool,
    stuck: bool,
    breaches: Vec<Breach>,
}

impl Engine {
    /// An index entry without a run this old belongs to a start that died before its transaction.
    const NEVER_BEGUN: Duration = Duration::from_secs(600);
    /// Past its budget, a run ends with its next delivery. So long after it there is nobody who delivers.
    const ESCALATE: Duration = Duration::from_secs(900);
    const PAGE: usize = 200;
    const AT_ONCE: usize = 16;

    pub async fn sweep(&self) -> Result<SweepReport, StoreError> {
        let mut report = SweepReport::default();
        for pipeline in self.registry.iter() {
            let partition = rows::index_partition(pipeline.spec.name);
            let mut after = rows::ACTIVE_FROM.to_owned();
            loop {
                let page = self.store.range(&partition, &after, rows::ACTIVE_TO, Self::PAGE).await?;
                let more = page.len() == Self::PAGE;
                if let Some((key, _)) = page.last() {
                    after.clone_from(key);
                }
                let handled = stream::iter(page)
                    .map(|(key, entry)| self.look_after(pipeline.spec, &partition, key, entry))
                    .buffered(Self::AT_ONCE)
                    .collect::<Vec<_>>()
                    .await;
                for (found, look) in handled {
                    report.seen += 1;
                    report.live += u64::from(look.live);
                    report.late += u64::from(look.late);
                    report.stuck += u64::from(look.stuck);
                    report.breaches.extend(look.breaches);
                    match found {
                        Ok(Found::Moving) => {}
                        Ok(Found::Resent) => report.resent += 1,
                        Ok(Found::Closed) => report.closed += 1,
                        Ok(Found::Retired) => report.retired += 1,
                        Ok(Found::Foreign) => report.unreadable += 1,
                        Err(StoreError::Unreadable(row)) => {
                            tracing::error!(key = row.key, code = "run_unreadable", "{row}");
                            report.unreadable += 1;
                        }
                        Err(error) => {
                            tracing::warn!(%error, "the sweep could not look after a run");
                            report.failed += 1;
                        }
                    }
                }
                if !more {
                    break;
                }
            }
        }
        let SweepReport { live, late, stuck, unreadable, .. } = report;
        self.observer.observe(&Observation::Swept { live, late, stuck, unreadable });
        Ok(report)
    }

    async fn look_after(
        &self,
        spec: &PipelineSpec,
        partition: &str,
        key: String,
        entry: Stored,
    ) -> (Result<Found, StoreError>, Look) {
        let mut look = Look::default();
        let found = self.look_after_entry(spec, partition, key, entry, &mut look).await;
        (found, look)
    }

    async fn look_after_entry(
        &self,
        spec: &PipelineSpec,
        partition: &str,
        key: String,
        entry: Stored,
        look: &mut Look,
    ) -> Result<Found, StoreError> {
        let version = entry.version.clone();
        let rows::Entry { run: id, created_at: announced } = schema::read(partition, &key, entry)?;
        let now = self.clock.now();
        match self.run(&id).await? {
            None if announced + Self::NEVER_BEGUN > now => Ok(Found::Moving),
            Some(run) if !run.is_ended() => {
                let due = run.next_wake_at().is_none_or(|at| at + self.settings.grace <= now);
                let overdue = run.deadline_at + self.settings.grace <= now && run.next_wake_at() > Some(now);
                look.live = true;
                look.late = due || overdue;
                look.stuck = run.deadline_at + Self::ESCALATE <= now;
                // What cannot be checked is told, and moves on all the same: a delivery needs none of it.
                let checked = self.check(&run, &mut look.breaches).await;
                if look.stuck {
                    let (queue, late) = (spec.queue(&run.phase), now.since(run.deadline_at).as_secs());
                    tracing::error!(run = %id, queue, late, code = "run_stuck", "a run is long past its budget: does its function run?");
                }
                let found = self.move_on(spec, &run, look.late, now).await?;
                checked.map(|()| found)
            }
            _ => {
                let retire = vec![Write::Delete { key, version }];
                match self.store.transact(partition, retire).await {
                    // Another sweep was quicker.
                    Ok(_) | Err(super::ports::TransactError::Conflict(_)) => Ok(Found::Retired),
                    Err(super::ports::TransactError::Store(error)) => Err(error),
                }
            }
        }
    }

    /// Sends a late run's ticket, unless nobody here can or shall work on it.
    async fn move_on(&self, spec: &PipelineSpec, run: &Run, late: bool, now: Timestamp) -> Result<Found, StoreError> {
        if let Some(why) = self.closed(spec.name, &run.phase) {
            // It has its ticket in the queue already, or gets one when somebody listens there again.
            tracing::info!(run = %run.id, phase = run.phase, why, code = "phase_closed", "a run stays where it is");
            return Ok(Found::Closed);
        }
        if self.known(run).is_none() {
            let (phase, code) = (run.phase.as_str(), "phase_unknown");
            tracing::warn!(run = %run.id, phase, code, "a run waits for a version that knows its phase");
            return Ok(Found::Foreign);
        }
        if !late {
            return Ok(Found::Moving);
        }
        self.send(spec, &run.ticket(), now).await?;
        Ok(Found::Resent)
    }

    /// Checks the invariants that the rows of a live run can show. A run that moved meanwhile proves nothing.
    async fn check(&self, run: &Run, breaches: &mut Vec<Breach>) -> Result<(), StoreError> {
        let partition = run.id.tag().as_str();
        let mut found = Vec::new();
        let lock = self.store.get(partition, rows::LOCK).await?;
        let lock: Option<rows::Lock> = lock.map(|row| schema::read(partition, rows::LOCK, row)).transpose()?;
        if lock.is_none_or(|lock| lock.owner != run.id) {
            found.push("I4: the scope's lock is not held by its run");
        }
        let link = chain::read(self.store.as_ref(), run.id.tag()).await?;
        if link.is_some_and(|link| link.chain.last_run != run.id) {
            found.push("I5: the scope's chain does not end with its run");
        }
        let last = rows::event_key(&run.id, run.events);
        let event = self.store.get(partition, &last).await?;
        let event: Option<Event> = event.map(|row| schema::read(partition, &last, row)).transpose()?;
        if event.is_none_or(|event| event.hash != run.last_hash) {
            found.push("I5: the run's last event is missing or is another one");
        }
        let beyond = self.store.get(partition, &rows::event_key(&run.id, run.events + 1)).await?;
        if beyond.is_some() {
            found.push("I5: there is an event that the run does not know");
        }
        if found.is_empty() {
            return Ok(());
        }
        // One operation may be written twice, around somebody else's write, so it takes the count of events to tell.
        let unmoved = |again: Run| again.operation == run.operation && again.events == run.events;
        if self.run(&run.id).await?.is_some_and(unmoved) {
            breaches.extend(found.into_iter().map(|what| Breach { run: run.id.clone(), what }));
        }
        Ok(())
    }
}
