//! S2.13, S2.32: no credential is to be found anywhere.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use windlass::git::Remote;

use crate::gate::{Gate, GatedSource, files_below};
use crate::git_server::Manner;
use crate::platform::{DEVELOPMENT, Plan, Platform, files_with};
use crate::upgrade::Ended;

const PLANTED: &str = "pl4nted-s3cret";

/// Everything that any test of this process traces, down to the last byte.
#[derive(Clone, Default)]
struct Traces(Arc<Mutex<Vec<u8>>>);

impl Write for Traces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("never poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Traces {
    fn begin() -> &'static Self {
        static TRACES: OnceLock<Traces> = OnceLock::new();
        TRACES.get_or_init(|| {
            let traces = Traces::default();
            let writer = traces.clone();
            let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
            subscriber.with_writer(move || writer.clone()).try_init().expect("nobody else traces");
            traces
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("never poisoned")).into_owned()
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Looks for it wherever the upgrade has written anything.
fn expect_nowhere(platform: &Platform, upgrade: &Ended, secret: &str) {
    let shown = format!("{upgrade:?}");
    assert!(!shown.contains(secret), "{shown}");
    let files = files_below(platform.data.path());
    assert!(!files.is_empty());
    for file in files {
        assert!(!holds(&std::fs::read(&file).expect("a file"), secret), "{secret} is in {}", file.display());
    }
}

async fn upgraded_with(remote: fn(&crate::git_server::GitServer) -> Option<Remote>, user: &str) {
    let traces = Traces::begin();
    let gate = Gate::new();
    let held = gate.clone();
    let plan = Plan {
        manner: Manner::RequireBasic { user: user.into(), password: PLANTED.into() },
        remote,
        source: Box::new(move |inner| Arc::new(GatedSource { inner, gate: held })),
        ..Plan::default()
    };
    let platform = Platform::of(plan).await;
    let mut upgrade = platform.start("1.2.3").await;
    let meanwhile = async {
        gate.arrivals(1).await;
        let files = files_below(&platform.workspaces());
        assert!(!files.is_empty());
        for file in files {
            let content = std::fs::read(&file).expect("a file");
            assert!(!holds(&content, PLANTED) && !holds(&content, "Basic "), "{}", file.display());
        }
        gate.open();
    };
    tokio::join!(upgrade.deliver(), meanwhile);
    let upgrade = upgrade.drain().await;
    upgrade.expect_succeeded();
    expect_nowhere(&platform, &upgrade, PLANTED);
    let traced = traces.text();
    assert!(traced.contains("calling the Resource Manager"), "the traces are those of this upgrade");
    assert!(!traced.contains(PLANTED));
}

#[tokio::test]
async fn a_credential_in_the_remotes_address_leaves_no_trace() {
    let remote = |server: &crate::git_server::GitServer| {
        let url = server.url("app").replace("http://", &format!("http://robot:{PLANTED}@"));
        Remote::parse(&url, &DEVELOPMENT).ok()
    };
    upgraded_with(remote, "robot").await;
}

#[tokio::test]
async fn a_token_for_the_remote_leaves_no_trace() {
    let remote = |server: &crate::git_server::GitServer| {
        Remote::parse(&server.url("app"), &DEVELOPMENT).ok().map(|remote| remote.with_token(PLANTED))
    };
    upgraded_with(remote, "x-access-token").await;
}

#[tokio::test]
async fn a_credential_that_is_refused_leaves_no_trace() {
    let plan = Plan {
        manner: Manner::RequireBasic { user: "robot".into(), password: "another".into() },
        remote: |server| Remote::parse(&server.url("app"), &DEVELOPMENT).ok().map(|remote| remote.with_token(PLANTED)),
        ..Plan::default()
    };
    let platform = Platform::of(plan).await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_failed("git_authentication_required");
    expect_nowhere(&platform, &upgrade, PLANTED);
}

#[tokio::test]
async fn the_addresses_and_tokens_that_azure_gives_are_kept_nowhere() {
    let traces = Traces::begin();
    let platform = Platform::open().await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_succeeded();
    expect_nowhere(&platform, &upgrade, "sig=");
    expect_nowhere(&platform, &upgrade, "eyJ");
    let header = platform.azure.settings().into_iter().find(|(name, _)| name == "IDENTITY_HEADER").expect("it").1;
    expect_nowhere(&platform, &upgrade, &header);
    let traced = traces.text();
    assert!(!traced.contains("Bearer eyJ") && !traced.contains(&header));
}

#[tokio::test]
async fn what_a_build_prints_of_a_secret_is_masked_in_log_and_failure() {
    let dockerfile = format!(
        "FROM alpine:3.20\nRUN echo NPM_TOKEN={PLANTED}\nRUN echo https://robot:{PLANTED}@git.example/repo.git\n\
         COPY missing-password={PLANTED} /\n"
    );
    let platform = Platform::of(Plan { files: files_with("api/Dockerfile", dockerfile), ..Plan::default() }).await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_failed("build_failed");
    let log = upgrade.log("build-api");
    assert!(log.contains("NPM_TOKEN=***\n") && log.contains("https://***@git.example/repo.git\n"), "{log}");
    assert!(log.contains("Step 4/4"), "the line is there, its secret is not: {log}");
    expect_nowhere(&platform, &upgrade, PLANTED);
}
