//! What comes out of the zip is what `func start --script-root` wants: our own host runs it as it lies there.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use windlass::dev::host::{self, HostOptions, HttpMode, Voice};
use windlass::dev::queues::EmbeddedQueues;
use windlass::http::auth::DEV_BYPASS_TOKEN;
use windlass::storage::Operations;
use windlass::storage::embedded::Embedded;
use zip::ZipArchive;

use crate::programs::static_program;
use crate::repository::Repository;

/// The zip unpacked, with a handler in it that this machine can run. It has the mode that the zip gave to it.
fn unpacked(repository: &Repository) -> std::path::PathBuf {
    let dist = repository.path("unpacked");
    ZipArchive::new(Cursor::new(repository.zipped())).unwrap().extract(&dist).unwrap();
    std::fs::write(dist.join("windlass"), std::fs::read(env!("CARGO_BIN_EXE_windlass")).unwrap()).unwrap();
    dist
}

fn options(dist: &Path, data: &Path) -> HostOptions {
    let storage = data.join("storage");
    let environment = [
        ("AZURE_FUNCTIONS_ENVIRONMENT", "Development"),
        ("WINDLASS_AUTH", "dev_bypass"),
        ("WINDLASS_STORAGE", "embedded"),
        ("WINDLASS_DATA", storage.to_str().unwrap()),
        ("UPGRADE_WORKSPACE_DIR", data.join("workspaces").to_str().unwrap()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    HostOptions {
        script_root: dist.to_owned(),
        functions_dir: dist.to_owned(),
        handler: dist.join("windlass"),
        port: 0,
        environment: environment.to_vec(),
        http: HttpMode::Forwarding,
        queues: Arc::new(EmbeddedQueues(Embedded::open(&storage, Operations::default()).unwrap())),
        timers_dir: data.join("timers"),
        voice: Voice::standard(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_runs_what_comes_out_of_the_zip_from_http_to_the_last_queue() {
    let repository = Repository::with_handler(&static_program());
    let dist = unpacked(&repository);
    let host = host::start(options(&dist, &repository.path("data"))).await.unwrap();
    let client = reqwest::Client::builder().timeout(std::time::Duration::from_secs(60)).build().unwrap();
    let base = format!("http://{}", host.address());
    let start = client.post(format!("{base}/api/probe/start")).bearer_auth(DEV_BYPASS_TOKEN).json(&json!({}));
    let started: Value = start.send().await.unwrap().json().await.unwrap();
    let status = started["statusQueryGetUri"].as_str().unwrap_or_else(|| panic!("{started}"));
    let mut seen = started.clone();
    while seen["runtime_status"] != "Completed" {
        let asked = client.get(format!("{base}{status}?wait=25")).bearer_auth(DEV_BYPASS_TOKEN);
        seen = asked.send().await.unwrap().json().await.unwrap();
        assert_ne!(seen["runtime_status"], "Failed", "{seen}");
    }
    assert_eq!(seen["output"]["phases"], json!(["prepare", "build", "deploy", "verify"]));
    host.shutdown().await;
}
