//! The invariants, watched at every transaction and again at the end of a world.

use serde::de::DeserializeOwned;
use serde_json::Value;
use windlass::engine::ports::{Record, Write};
use windlass::model::{Event, GENESIS, Progress, Receipt, Run, RunId, Timestamp};

use super::World;
use super::storage::Tables;

fn read<T: DeserializeOwned>(record: &Record) -> T {
    T::deserialize(record).expect("a row can be read back")
}

/// Looks at a transaction that is about to take effect.
pub fn transaction(tables: &mut Tables, partition: &str, writes: &[Write], now: Timestamp) {
    let mut breaches = Vec::new();
    for write in writes {
        if !write.key().starts_with("run:") {
            continue;
        }
        let (Write::Insert { record, .. } | Write::Replace { record, .. }) = write else {
            breaches.push(format!("{} was deleted", write.key()));
            continue;
        };
        let after: Run = read(record);
        let before: Option<Run> =
            tables.rows.get(&(partition.to_owned(), write.key().to_owned())).map(|row| read(&row.record));
        run_step(before.as_ref(), &after, writes, now, &mut breaches);
        let link = tables.rows.get(&(partition.to_owned(), "chain".to_owned())).map(|row| &row.record);
        chain_step(before.as_ref(), &after, link, writes, &mut breaches);
        if writes.iter().any(|write| write.key().starts_with("doc:")) {
            let lock = tables.rows.get(&(partition.to_owned(), "lock".to_owned()));
            if lock.and_then(|lock| lock.record["owner"].as_str()) != Some(after.id.to_string().as_str()) {
                breaches.push(format!("I4: {} wrote a document without the lock", after.id));
            }
        }
        tables.live += usize::from(before.is_none());
        tables.live -= usize::from(after.is_ended() && before.is_some_and(|before| !before.is_ended()));
    }
    tables.breaches.extend(breaches);
}

fn run_step(before: Option<&Run>, after: &Run, writes: &[Write], now: Timestamp, breaches: &mut Vec<String>) {
    let id = &after.id;
    if let Some(before) = before {
        if before.is_ended() {
            breaches.push(format!("I1: {id} left its end"));
        }
        if after.receipt - before.receipt == Receipt::default() || before.receipt - after.receipt != Receipt::default()
        {
            breaches.push(format!("a write of {id} is not on its receipt"));
        }
        if after.seq < before.seq {
            breaches.push(format!("I1: seq of {id} shrank"));
        }
        if let (Progress::Leased { lease: old }, Progress::Leased { lease: new }) = (&before.progress, &after.progress)
            && old.owner != new.owner
            && old.expires_at > now
        {
            breaches.push(format!("I2: {id} changed hands under a live lease"));
        }
    }
    let decided = before.is_none_or(|before| before.seq != after.seq || before.is_ended() != after.is_ended());
    let events: Vec<Event> = writes
        .iter()
        .filter_map(|write| match write {
            Write::Insert { key, record } if key.starts_with("event:") => Some(read(record)),
            _ => None,
        })
        .collect();
    let counted = after.events - before.map_or(0, |before| before.events);
    if counted != events.len() as u64 || counted > 1 || (decided && counted != 1) {
        breaches.push(format!("I5: a transition of {id} has {} events and counts {counted}", events.len()));
    }
    let previous = before.map_or(&after.first_previous, |before| &before.last_hash);
    if events.iter().any(|event| !event.follows(previous)) {
        breaches.push(format!("I5: the chain of {id} is broken"));
    }
    let touches = |kind: fn(&Write) -> bool| writes.iter().any(|write| write.key() == "lock" && kind(write));
    if before.is_none() != touches(|write| matches!(write, Write::Insert { .. })) {
        breaches.push(format!("I4: {id} began without taking the lock, or took it later"));
    }
    if after.is_ended() != touches(|write| matches!(write, Write::Delete { .. })) {
        breaches.push(format!("I4: {id} ended without releasing the lock, or released it earlier"));
    }
}

/// The row of the chain changes with a run's begin and with its end, and with nothing else.
fn chain_step(before: Option<&Run>, after: &Run, link: Option<&Record>, writes: &[Write], breaches: &mut Vec<String>) {
    let id = &after.id;
    let written = writes.iter().find_map(|write| match write {
        Write::Insert { key, record } | Write::Replace { key, record, .. } if key == "chain" => Some(record),
        _ => None,
    });
    if before.is_some_and(|_| !after.is_ended()) {
        if written.is_some() {
            breaches.push(format!("I5: the chain was written in the middle of {id}"));
        }
        return;
    }
    let Some(written) = written else {
        breaches.push(format!("I5: {id} began or ended and the chain was not told"));
        return;
    };
    let counted = link.and_then(|link| link["runs"].as_u64()).unwrap_or(0) + u64::from(before.is_none());
    // A run that is older than its scope's chain begins it with its end.
    let counted = counted.max(1);
    let expected = (after.id.to_string(), after.last_hash.clone(), counted);
    let text = |field: &str| written[field].as_str().unwrap_or_default().to_owned();
    if (text("last_run"), text("last_hash"), written["runs"].as_u64().unwrap_or(0)) != expected {
        breaches.push(format!("I5: the chain ends with {written:?} where it should with {expected:?}"));
    }
    let last = link.map_or(GENESIS, |link| link["last_hash"].as_str().unwrap_or_default());
    if before.is_none() && after.first_previous != last {
        breaches.push(format!("I5: {id} does not follow what the chain ends with"));
    }
}

impl World {
    /// Everything that must hold once nothing moves any more.
    pub fn verify(&self) -> Vec<String> {
        let tables = self.tables.lock().expect("never poisoned");
        let mut breaches = tables.breaches.clone();
        for ((partition, key), row) in &tables.rows {
            if key == "lock" {
                let owner = row.record.get("owner").and_then(Value::as_str).unwrap_or_default();
                breaches.push(format!("I4: the lock of {partition} is left to {owner}"));
            }
            if !key.starts_with("run:") {
                continue;
            }
            let run: Run = read(&row.record);
            if !run.is_ended() {
                breaches.push(format!("I3: {} is left in {:?}", run.id, run.progress));
            }
            let older = tables.rows.range((partition.clone(), format!("{key};"))..).next();
            let older = older.filter(|((part, key), _)| part == partition && key.starts_with("run:"));
            let last = older.map_or(GENESIS.to_owned(), |(_, row)| read::<Run>(&row.record).last_hash);
            if run.first_previous != last {
                breaches.push(format!("I5: {} does not follow the run before it", run.id));
            }
            let mut previous = run.first_previous.clone();
            for number in 1..=run.events {
                let key = format!("event:{}:{number:08}", run.id.name());
                match tables.rows.get(&(partition.clone(), key)).map(|row| read::<Event>(&row.record)) {
                    Some(event) if event.follows(&previous) => previous = event.hash,
                    _ => breaches.push(format!("I5: event {number} of {} is missing or wrong", run.id)),
                }
            }
            if previous != run.last_hash {
                breaches.push(format!("I5: {} does not end its chain", run.id));
            }
        }
        breaches
    }

    pub fn runs(&self) -> Vec<Run> {
        let tables = self.tables.lock().expect("never poisoned");
        let rows = tables.rows.iter().filter(|((_, key), _)| key.starts_with("run:"));
        rows.map(|(_, row)| read(&row.record)).collect()
    }

    pub fn stored(&self, id: &RunId) -> Run {
        let tables = self.tables.lock().expect("never poisoned");
        let row = tables.rows.get(&(id.tag().to_string(), format!("run:{}", id.name())));
        read(&row.expect("the run is stored").record)
    }

    /// A committed log, put together from its segments by hand rather than by the engine's own reader.
    pub fn log(&self, run: &Run, container: &str, name: &str) -> String {
        let tables = self.tables.lock().expect("never poisoned");
        let mut text = Vec::new();
        for (index, length) in run.logs.get(name).map(|log| log.segments.clone()).unwrap_or_default().iter().enumerate()
        {
            let suffix = if index == 0 { String::new() } else { format!(".{index}") };
            let held = tables.segments.get(&format!("{container}/{}/{name}{suffix}.log", run.id));
            let held = held.map(Vec::as_slice).unwrap_or_default();
            text.extend_from_slice(&held[..usize::try_from(*length).expect("a length fits")]);
        }
        String::from_utf8(text).expect("a log is text")
    }
}
