//! What a store held at one moment, as a text that people can read: taken out of an embedded store, and put into any.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use windlass::engine::ports::{LogStore, Record, RunStore, Write};
use windlass::model::{Run, Timestamp};
use windlass::storage::embedded::Embedded;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Shelf {
    /// By partition and key.
    pub rows: BTreeMap<String, BTreeMap<String, Record>>,
    /// By queue, the oldest first, whether they were visible or not.
    pub messages: BTreeMap<String, Vec<String>>,
    /// Whole, with what nobody has committed.
    pub segments: BTreeMap<String, String>,
}

impl Shelf {
    /// Everything in the embedded storage of this directory.
    pub fn of(directory: &Path) -> Self {
        let connection = Connection::open(directory.join("windlass.db")).expect("a database");
        let three = |sql: &str| -> Vec<(String, String, Vec<u8>)> {
            let mut query = connection.prepare(sql).expect("a table");
            let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get_ref(2)?.as_bytes()?.to_vec())));
            rows.expect("rows").collect::<Result<_, _>>().expect("rows")
        };
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("a text");
        let mut shelf = Self::default();
        for (partition, key, record) in three("SELECT partition, key, record FROM rows ORDER BY partition, key") {
            let record = serde_json::from_slice(&record).expect("a record");
            shelf.rows.entry(partition).or_default().insert(key, record);
        }
        for (queue, _, message) in three("SELECT queue, '', text FROM messages ORDER BY queue, id") {
            shelf.messages.entry(queue).or_default().push(text(message));
        }
        let blocks = "SELECT name, '', bytes FROM blocks JOIN segments ON segments.id = segment ORDER BY name, start";
        for (name, _, bytes) in three(blocks) {
            shelf.segments.entry(name).or_default().push_str(&text(bytes));
        }
        shelf
    }

    pub fn read(file: &Path) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    pub fn write(&self, file: &Path) {
        let text = serde_json::to_string_pretty(self).expect("JSON");
        std::fs::write(file, text + "\n").expect("a file");
    }

    /// Every row with its place.
    pub fn each(&self) -> impl Iterator<Item = (&str, &str, &Record)> {
        self.rows.iter().flat_map(|(partition, rows)| {
            rows.iter().map(move |(key, record)| (partition.as_str(), key.as_str(), record))
        })
    }

    /// As this version reads them, the newest of each scope first.
    pub fn runs(&self) -> Vec<Run> {
        let runs = self.each().filter(|(_, key, _)| key.starts_with("run:"));
        runs.map(|(_, _, record)| serde_json::from_value(Value::Object(record.clone())).expect("a run")).collect()
    }

    /// When the last of its runs was written.
    pub fn taken_at(&self) -> Timestamp {
        self.runs().iter().map(|run| run.updated_at).max().expect("a run")
    }

    /// The runs as if they had been begun so much later. What is sealed in events stays: nobody compares the two.
    pub fn put_forward(mut self, by: Duration) -> Self {
        let runs = self.rows.values_mut().flatten().filter(|(key, _)| key.starts_with("run:"));
        for (_, record) in runs {
            for pointer in ["created_at", "updated_at", "phase_entered_at", "deadline_at", "next_wake_at"] {
                later(record.get_mut(pointer), by);
            }
            let progress = record.get_mut("progress").expect("a progress");
            later(progress.get_mut("wake_at"), by);
            later(progress.pointer_mut("/lease/expires_at"), by);
        }
        self
    }

    pub async fn put_into(&self, store: &Embedded) {
        for (partition, rows) in &self.rows {
            let rows: Vec<_> = rows.iter().map(|(key, record)| (key.clone(), record.clone())).collect();
            for some in rows.chunks(100) {
                let insert =
                    |(key, record): &(String, Record)| Write::Insert { key: key.clone(), record: record.clone() };
                store.transact(partition, some.iter().map(insert).collect()).await.expect("rows are written");
            }
        }
        for (queue, message) in self.messages.iter().flat_map(|(queue, all)| all.iter().map(move |text| (queue, text)))
        {
            store.put_message(queue, message, Duration::ZERO).await.expect("a message is sent");
        }
        for (name, text) in &self.segments {
            store.append(name, 0, text.clone().into()).await.expect("a segment is written");
        }
    }
}

fn later(time: Option<&mut Value>, by: Duration) {
    let Some(time) = time.filter(|time| time.is_string()) else { return };
    let then = time.as_str().and_then(Timestamp::parse).expect("a time");
    *time = json!(then + by);
}
