//! The stub: what `func start` is to a staged folder, as far as our product goes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use windlass::app::orphan;
use windlass::dev::host::{self, HostOptions, HttpMode, Voice, local_settings};
use windlass::dev::queues::AccountQueues;
use windlass::storage::Operations;
use windlass::storage::azure::{AzureStorage, Connection};

use super::staged;

/// Where the script leaves the arguments that it was called with.
pub const ARGUMENTS: &str = "WINDLASS_STUB_ARGUMENTS";

/// The program that the script runs. Among the other tests it has nothing to do.
#[tokio::test(flavor = "multi_thread")]
async fn serves_what_it_finds_in_order() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    let ["start", "--script-root", dist, "--port", port] = arguments.split(' ').collect::<Vec<_>>()[..] else {
        panic!("not called as a host is: {arguments}");
    };
    // The command that started it may be killed without a word.
    orphan::watch();
    let faults = staged::faults(Path::new(dist));
    for fault in &faults {
        eprintln!("stub host: {fault}");
    }
    if !faults.is_empty() {
        std::process::exit(1);
    }
    let dist = PathBuf::from(dist);
    let values = local_settings(&dist.join("local.settings.json")).expect("settings");
    let value = |name: &str| values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let connection = Connection::parse(value("AzureWebJobsStorage").expect("a storage account")).expect("a connection");
    let account = AzureStorage::new(&connection, "unused", Operations::default()).expect("a storage account");
    let mut host = host::start(HostOptions {
        script_root: dist.clone(),
        functions_dir: dist.clone(),
        handler: dist.join(staged::program(&dist).expect("a program")),
        port: port.parse().expect("a port"),
        environment: values,
        http: HttpMode::Forwarding,
        queues: Arc::new(AccountQueues(account)),
        // A real host keeps them in its storage account.
        timers_dir: dist.with_file_name("timers"),
        voice: Voice::standard(),
    })
    .await
    .expect("the folder was looked at");
    host.stopped().await;
    host.shutdown().await;
}
