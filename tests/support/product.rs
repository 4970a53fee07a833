//! One running product for all tests of a binary, everything that it says, and what is in its storage.
//!
//! It is a static of the test binary, which nobody drops: it is on a leash that ends it when the test process is gone.
#![allow(dead_code)]

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use windlass::app::queues;
use windlass::engine::ports::{LogStore, RunStore, Stored, TicketQueue};
use windlass::model::Scope;
use windlass::pipelines::SPECS;
use windlass::storage::Operations;
use windlass::storage::azure::{AzureStorage, Connection};
use windlass::storage::embedded::Embedded;

use crate::local::{PATIENCE, Start, children_of};

/// Ends the product when its own input ends.
const LEASH: &str = "\"$@\" & child=$!; echo \"leashed $child\"; cat >/dev/null; kill -TERM $child; wait $child";

/// Stands before every line that came on stderr.
pub const STDERR: &str = "stderr: ";

pub struct Product {
    pub base: String,
    start: Start,
    host: u32,
    lines: Arc<Mutex<Vec<String>>>,
    /// Holds the leash, which is its input.
    _leash: Child,
}

impl Product {
    /// Starts it and waits until it is ready.
    pub fn start(start: Start) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", LEASH, "sh", env!("CARGO_BIN_EXE_windlass-dev")])
            .args(start.line())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_remove("PLATFORM_SUBSCRIPTION_ID")
            .envs(start.environment.clone())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a shell runs");
        let lines = Arc::<Mutex<Vec<String>>>::default();
        collect("", child.stdout.take().expect("piped"), Arc::clone(&lines));
        collect(STDERR, child.stderr.take().expect("piped"), Arc::clone(&lines));
        let find = |mark: &str| {
            let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.iter().find_map(|line| line.split_once(mark).map(|(_, rest)| rest.to_owned()))
        };
        let begun = Instant::now();
        while find("ready").is_none() {
            assert!(begun.elapsed() < PATIENCE, "the product never became ready: {:#?}", lines.lock());
            std::thread::sleep(Duration::from_millis(20));
        }
        let base = find("Windlass is at ").expect("it tells its address");
        let host = find("leashed ").and_then(|id| id.parse().ok()).expect("a process");
        Self { base, start, host, lines, _leash: child }
    }

    /// An empty folder for the product of this test binary, the same in every run.
    pub fn folder(name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// Everything that host and handler have said so far.
    pub fn said(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// How many lines hold all of these words.
    pub fn count(&self, words: &[&str]) -> usize {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }

    /// Waits for a line that holds all of these words.
    pub async fn says(&self, words: &[&str]) {
        self.says_once_more(words, 0).await;
    }

    /// As [`Product::says`], for a line beside those of them that there were.
    pub async fn says_once_more(&self, words: &[&str], before: usize) {
        let begun = Instant::now();
        while self.count(words) <= before {
            assert!(begun.elapsed() < PATIENCE, "nobody said {words:?}: {}", self.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The handler's process.
    pub fn handler(&self) -> u32 {
        children_of(self.host).first().copied().expect("a handler")
    }

    pub fn data(&self) -> &Path {
        &self.start.data
    }

    pub fn storage(&self) -> Storage {
        let operations = Operations::default();
        if self.start.storage == "embedded" {
            return Storage::Embedded(Embedded::open(&self.data().join("storage"), operations).expect("storage"));
        }
        let connection = Connection::parse(&self.start.storage).expect("a connection string");
        Storage::Account(AzureStorage::new(&connection, "windlass", operations).expect("storage"))
    }
}

fn collect(mark: &'static str, stream: impl Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{mark}{line}"));
        }
    });
}

/// The product's storage, past the product.
pub enum Storage {
    Embedded(Embedded),
    Account(AzureStorage),
}

impl Storage {
    pub fn store(&self) -> Arc<dyn RunStore> {
        match self {
            Self::Embedded(store) => Arc::new(store.clone()),
            Self::Account(store) => Arc::new(store.clone()),
        }
    }

    pub fn logs(&self) -> Arc<dyn LogStore> {
        match self {
            Self::Embedded(store) => Arc::new(store.clone()),
            Self::Account(store) => Arc::new(store.clone()),
        }
    }

    pub fn tickets(&self) -> Arc<dyn TicketQueue> {
        match self {
            Self::Embedded(store) => Arc::new(store.clone()),
            Self::Account(store) => Arc::new(store.clone()),
        }
    }

    /// Puts a message as anybody with the account's key may.
    pub async fn put(&self, queue: &str, text: &str) {
        let put = match self {
            Self::Embedded(store) => store.put_message(queue, text, Duration::ZERO).await,
            Self::Account(store) => store.put_message(queue, text, Duration::ZERO).await,
        };
        put.expect("the queue takes it");
    }

    /// Messages that wait to be received.
    pub async fn waiting(&self, queue: &str) -> Vec<String> {
        let peeked = match self {
            Self::Embedded(store) => store.peek_messages(queue, 32).await,
            Self::Account(store) => store.peek_messages(queue, 32).await,
        };
        peeked.expect("storage answers").into_iter().map(|message| message.text).collect()
    }

    pub async fn rows(&self, partition: &str) -> Vec<(String, Stored)> {
        self.store().range(partition, " ", "~", 1_000).await.expect("storage answers")
    }

    /// Runs of all pipelines, rows of upgrades and messages of all queues: what a request may leave behind.
    pub async fn contents(&self) -> Vec<String> {
        let mut found = Vec::new();
        let indexes = SPECS.iter().map(|spec| format!("index:{}", spec.name));
        for partition in indexes.chain([Scope::new("platform").tag().to_string()]) {
            found.extend(self.rows(&partition).await.into_iter().map(|(key, _)| format!("{partition} {key}")));
        }
        for queue in queues(SPECS) {
            found.extend(self.waiting(&queue).await.into_iter().map(|text| format!("{queue}: {text}")));
        }
        found
    }
}
