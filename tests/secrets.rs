//! Nothing that host and handler say, however much they are told to say, holds a secret: neither those of callers nor
//! those of the product itself.

#[path = "support/azurite.rs"]
mod azurite;
#[path = "support/git_server.rs"]
mod git_server;
#[path = "support/local.rs"]
mod local;
#[path = "support/product.rs"]
mod product;

use azurite::Azurite;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use git_server::{GitServer, Manner, make_repository};
use local::{Caller, Start};
use product::Product;
use regex::Regex;
use reqwest::Method;
use serde_json::{Value, json};

/// Part of every secret that is planted here.
const PLANTED: &str = "pl4nted";
const GIT_TOKEN: &str = "pl4nted-git-token";
/// A build that tells its secret. What a build says is for its log alone.
const DOCKERFILE: &str = "FROM alpine:3.20\nARG APP_VERSION\nRUN echo password=pl4nted-in-a-build $APP_VERSION\n";

async fn started() -> (tempfile::TempDir, GitServer, Product) {
    let repositories = tempfile::tempdir().expect("a folder");
    let files = ["api/Dockerfile", "frontend/Dockerfile", "terminal/Dockerfile"].map(|path| (path, DOCKERFILE));
    make_repository(&repositories.path().join("platform"), &files, &["v1.2.3"]);
    let manner = Manner::RequireBasic { user: "x-access-token".into(), password: GIT_TOKEN.into() };
    let git = GitServer::start(repositories.path(), manner).await;
    let data = Product::folder("secrets");
    let start = Start { storage: Azurite::shared().account_of(&data), ..Start::embedded(&data) };
    let start = start
        .setting("UPGRADE_GIT_REMOTE", &git.url("platform"))
        .setting("UPGRADE_GIT_TOKEN", GIT_TOKEN)
        .setting("WINDLASS_LOG", "trace")
        .setting("AzureFunctionsJobHost__extensions__queues__maxPollingInterval", "00:00:00.100");
    let product = tokio::task::spawn_blocking(move || Product::start(start)).await.expect("it starts");
    (repositories, git, product)
}

/// Every kind of request, each with secrets wherever a caller may have some.
async fn call(base: &str) {
    let caller = Caller::of(base);
    let anonymous = reqwest::Client::new();
    let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJvaWQiOiJwbDRudGVkIn0.pl4nted-signature";
    for path in ["/api/health", "/api/runs", "/api/upgrade/status", "/api/runs/unknown", "/api/nowhere", "/nowhere"] {
        let path = format!("{path}?code=pl4nted-code&sig=pl4nted-sig");
        let known = caller.request(Method::GET, &path).header("x-functions-key", "pl4nted-key");
        known.send().await.expect("an answer");
        for credential in ["Bearer pl4nted-bearer", "Basic cGw0bnRlZDpwbDRudGVk", &format!("Bearer {jwt}")] {
            let request = anonymous.get(format!("{base}{path}")).header("authorization", credential);
            request.header("cookie", "session=pl4nted-cookie").send().await.expect("an answer");
        }
    }
    for body in [
        json!({"target_version": "1.2.3", "confirm_downtime": true, "api_key": "pl4nted-field"}),
        json!({"target_version": "password=pl4nted-version", "confirm_downtime": true}),
        json!("token=pl4nted-body"),
    ] {
        let request = caller.request(Method::POST, "/api/upgrade/start?code=pl4nted-code").json(&body);
        assert_eq!(request.send().await.expect("an answer").status().as_u16(), 400);
    }
}

async fn upgrade(caller: &Caller) -> Value {
    let body = json!({
        "target_version": "1.2.3", "confirm_downtime": true, "reason": "because password=pl4nted-reason",
        "idempotency_key": "pl4nted-key-of-the-request",
    });
    let (status, started) = caller.post("/api/upgrade/start", &body).await;
    assert_eq!(status, 202, "{started}");
    let ended = |body: &Value| ["succeeded", "failed_pre"].iter().any(|state| body["state"] == *state);
    let status = caller.until("/api/upgrade/status", ended).await;
    assert_eq!(status["state"], "succeeded", "{status:#}");
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_anything_that_host_and_handler_say() {
    let (_repositories, _git, product) = started().await;
    let caller = Caller::of(&product.base);
    call(&product.base).await;
    let status = upgrade(&caller).await;
    product.storage().put("probe-build", "no ticket: AccountKey=pl4nted-message;sig=pl4nted-sig").await;
    product.says(&["not_a_ticket", "probe-build"]).await;

    let job = status["job_id"].as_str().expect("a job");
    let (_, run) = caller.get(&format!("/api/runs/{job}")).await;
    assert_eq!(run["input"]["reason"], "because password=***", "{run:#}");
    for component in ["api", "frontend", "terminal"] {
        let log = caller.text(&format!("/api/upgrade/jobs/{job}/build-log/{component}")).await;
        assert!(log.contains("password=***") && !log.contains(PLANTED), "{log}");
    }
    assert!(!status.to_string().contains(PLANTED), "{status:#}");
    assert!(!run.to_string().contains(PLANTED), "{run:#}");

    let environment = std::fs::read(format!("/proc/{}/environ", product.handler())).expect("it runs");
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let setting = |name: &str| {
        let value = environment.split('\0').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        value.unwrap_or_else(|| panic!("{name} is not set")).to_owned()
    };
    let key = setting("AzureWebJobsStorage");
    let key = key.split("AccountKey=").nth(1).and_then(|rest| rest.split(';').next()).expect("a key");
    let basic = STANDARD.encode(format!("x-access-token:{GIT_TOKEN}"));
    let secrets = [PLANTED, key, &basic, "cGw0bnRlZDpwbDRudGVk", &setting("IDENTITY_HEADER")];

    let said = product.said();
    assert!(said.contains(" TRACE "), "nobody has said all that can be said");
    let forms = Regex::new(r#"(?i)sig=[^*&\s"]|SharedKey(Lite)? \w|eyJ[A-Za-z0-9_-]{10}"#).expect("a form");
    for line in said.lines() {
        for secret in &secrets {
            assert!(!line.contains(secret), "'{secret}' is in: {line}");
        }
        assert!(!forms.is_match(line), "a credential is in: {line}");
    }
}
