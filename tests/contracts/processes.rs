//! Several processes on one embedded store, and one that is killed.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use windlass::engine::ports::{Appended, LogStore, RunStore, TransactError, Write};
use windlass::storage::Operations;
use windlass::storage::embedded::Embedded;

use super::subject::record;

const LONG: Duration = Duration::from_secs(60);

fn open(directory: &Path) -> Embedded {
    Embedded::open(directory, Operations::default()).unwrap()
}

fn insert(key: String, n: u64) -> Write {
    Write::Insert { key, record: record(json!({ "n": n })) }
}

async fn put(store: &Embedded, queue: &str) {
    store.put_message(queue, "x", Duration::ZERO).await.unwrap();
}

const RAISES: u64 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_share_the_store_lose_nothing_to_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.transact("p", vec![insert("counter".into(), 0)]).await.unwrap();
    for number in 0..300 {
        store.put_message("work", &number.to_string(), Duration::ZERO).await.unwrap();
    }
    let mut children = [Process::start("share", directory.path()), Process::start("share", directory.path())];
    let mut taken = share(&store).await;
    for child in &mut children {
        taken.extend(child.lines().filter_map(|line| line.strip_prefix("took ")?.parse::<u64>().ok()));
        child.finish();
    }
    let counter = store.get("p", "counter").await.unwrap().unwrap();
    assert_eq!(counter.record["n"], json!(3 * RAISES));
    taken.sort_unstable();
    assert_eq!(taken, (0..300).collect::<Vec<u64>>());
}

/// Raises the counter and takes work, against others who do the same.
async fn share(store: &Embedded) -> Vec<u64> {
    let mut raised = 0;
    while raised < RAISES {
        let stored = store.get("p", "counter").await.unwrap().unwrap();
        let n = stored.record["n"].as_u64().unwrap() + 1;
        let record = record(json!({ "n": n }));
        match store.transact("p", vec![Write::Replace { key: "counter".into(), version: stored.version, record }]).await
        {
            Ok(_) => raised += 1,
            Err(TransactError::Conflict(0)) => (),
            Err(error) => panic!("{error}"),
        }
    }
    let mut taken = Vec::new();
    loop {
        let messages = store.receive_messages("work", 3, LONG).await.unwrap();
        if messages.is_empty() {
            return taken;
        }
        for message in messages {
            taken.push(message.text.parse().unwrap());
            assert!(store.delete_message("work", &message.id, &message.pop_receipt).await.unwrap());
        }
    }
}

const WRITERS: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_no_write_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for _ in 0..3 {
        let mut child = Process::start("write", directory.path());
        let acknowledged = |line: String| -> Option<(u64, u64)> {
            let (writer, number) = line.strip_prefix("wrote ")?.split_once(' ')?;
            Some((writer.parse().ok()?, number.parse().ok()?))
        };
        let mut written: Vec<_> = child.lines().filter_map(acknowledged).take(300).collect();
        assert_eq!(written.len(), 300);
        child.kill();
        // What it said before it died and nobody had read yet. The last line may be cut short.
        written.extend(child.lines().filter_map(acknowledged));
        let id = child.id();
        for (writer, number) in &written {
            let row = store.get("p", &format!("run:{id}:{writer}:{number}")).await.unwrap();
            assert!(row.is_some(), "{writer} {number}");
        }
        for writer in 0..WRITERS {
            let most = written.iter().filter(|(by, _)| *by == writer).map(|(_, number)| number + 1).max().unwrap_or(0);
            let log = store.read(&format!("logs/{id}/{writer}"), 0, u64::MAX).await.unwrap();
            assert!(log.len() as u64 / 4 >= most && log.chunks(4).all(|block| block == b"abc\n"));
        }
        let rows = store.range("p", &format!("run:{id}:"), &format!("run:{id};"), 100_000).await.unwrap();
        let events = store.range("p", &format!("event:{id}:"), &format!("event:{id};"), 100_000).await.unwrap();
        assert_eq!(rows.len(), events.len());
        let mut messages = 0;
        while let received @ 1.. = store.receive_messages(&format!("queue-{id}"), 1_000, LONG).await.unwrap().len() {
            messages += received;
        }
        assert!(messages >= written.len());
    }
}

/// Writes until it is killed, and says what was acknowledged.
async fn write_for_ever(store: &Embedded) {
    let id = std::process::id();
    let queue = format!("queue-{id}");
    let write = async |writer: u64| {
        for number in 0_u64.. {
            let key = format!("{id}:{writer}:{number}");
            let rows = vec![insert(format!("run:{key}"), number), insert(format!("event:{key}"), number)];
            store.transact("p", rows).await.unwrap();
            let segment = format!("logs/{id}/{writer}");
            assert_eq!(store.append(&segment, number * 4, Bytes::from_static(b"abc\n")).await, Ok(Appended::Written));
            put(store, &queue).await;
            say(&format!("wrote {writer} {number}"));
        }
    };
    futures::future::join_all((0..WRITERS).map(write)).await;
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush()).unwrap();
}

const ROLE: &str = "WINDLASS_CONTRACTS_ROLE";
const DIRECTORY: &str = "WINDLASS_CONTRACTS_DIRECTORY";

/// This test binary in another process, as one of the roles below.
pub struct Process {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Process {
    pub fn start(role: &str, directory: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "contracts::processes::a_role_in_another_test", "--nocapture"])
            .env(ROLE, role)
            .env(DIRECTORY, directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Self { child, said }
    }

    fn id(&self) -> u32 {
        self.child.id()
    }

    fn lines(&mut self) -> impl Iterator<Item = String> {
        self.said.by_ref().lines().map_while(Result::ok)
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn finish(&mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A test that failed leaves nobody behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Does nothing unless another test started this process for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_in_another_test() {
    let (Ok(role), Some(directory)) = (std::env::var(ROLE), std::env::var_os(DIRECTORY)) else { return };
    let store = open(Path::new(&directory));
    match role.as_str() {
        "put" => put(&store, "from-a-child").await,
        "share" => share(&store).await.into_iter().for_each(|number| say(&format!("took {number}"))),
        "write" => write_for_ever(&store).await,
        other => panic!("no such role: {other}"),
    }
}
