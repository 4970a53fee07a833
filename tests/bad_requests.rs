//! Requests that no caller should send, through the whole surface: each has its own code, changes nothing, and leaves
//! nothing behind.

#[path = "support/azurite.rs"]
mod azurite;
#[path = "support/local.rs"]
mod local;
#[path = "support/product.rs"]
mod product;

use std::sync::LazyLock;

use local::{Caller, Start, external_host};
use product::Product;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Nothing is ever begun in these: whatever is found in their storage was left behind.
static FORWARDING: LazyLock<Product> =
    LazyLock::new(|| Product::start(Start::embedded(&Product::folder("bad-requests"))));
static PROXYING: LazyLock<Product> = LazyLock::new(|| {
    let mut start = Start::embedded(&Product::folder("bad-requests-proxying"));
    start.arguments.extend(["--http".into(), "proxying".into()]);
    Product::start(start)
});

async fn nothing_is_left(product: &Product) {
    assert_eq!(product.storage().contents().await, Vec::<String>::new());
    let workspaces = std::fs::read_dir(product.data().join("workspaces")).into_iter().flatten().flatten();
    assert_eq!(workspaces.map(|entry| entry.path()).collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());
    let health = Caller::of(&product.base).get("/api/health").await;
    assert_eq!(health.0, 200, "{}", health.1);
}

/// The error's form is that of every error; its code and its message are checked.
async fn refused(what: &str, request: RequestBuilder, status: u16, code: &str, word: &str) {
    let answer = request.send().await.unwrap();
    let (given, id) = (answer.status().as_u16(), answer.headers().get("x-request-id").cloned());
    let text = answer.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{what}: {given} {text}: {error}"));
    assert_eq!((given, body["code"].as_str()), (status, Some(code)), "{what}: {body}");
    let message = body["message"].as_str().unwrap();
    assert!(message.contains(word), "{what}: no '{word}' in: {message}");
    assert_eq!(body["request_id"].as_str(), id.as_ref().and_then(|id| id.to_str().ok()), "{what}");
}

fn upgrade() -> Value {
    json!({"target_version": "1.2.3", "confirm_downtime": true})
}

fn with(field: &str, value: impl Into<Value>) -> Value {
    let mut body = upgrade();
    body[field] = value.into();
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_fit_is_refused_by_its_field() {
    let caller = Caller::of(&FORWARDING.base);
    let long = "é".repeat(501);
    for (body, status, code, word) in [
        (with("force", true), 400, "invalid_field", "`force`"),
        (with("target_version", 1), 400, "invalid_field", "`target_version`"),
        (with("target_sha", json!(["a"])), 400, "invalid_field", "`target_sha`"),
        (with("target_sha", "HEAD"), 400, "invalid_sha", "hexadecimal"),
        (with("reason", long), 400, "reason_too_long", "500"),
        (with("idempotency_key", "a b"), 400, "invalid_idempotency_key", "Idempotency-Key"),
        (with("confirm_downtime", "true"), 422, "downtime_not_confirmed", "confirm_downtime"),
        (with("confirm_downtime", false), 422, "downtime_not_confirmed", "confirm_downtime"),
        (json!({"target_version": "1.2.3"}), 422, "downtime_not_confirmed", "confirm_downtime"),
        (json!({"confirm_downtime": true}), 400, "invalid_field", "`target_version`"),
        (json!([upgrade()]), 400, "not_an_object", "object"),
        (json!(null), 400, "not_an_object", "object"),
    ] {
        let request = caller.request(Method::POST, "/api/upgrade/start").json(&body);
        refused(&body.to_string(), request, status, code, word).await;
    }
    for (body, code, word) in [
        (json!({"drill": {"phase": "sleep", "action": "wait"}}), "unknown_phase", "prepare, build, deploy, verify"),
        (json!({"drill": {"phase": "build", "action": "explode"}}), "invalid_field", "`explode`"),
        (json!({"drill": {"phase": "build", "action": "wait", "seconds": 86_401}}), "invalid_seconds", "86400"),
        (json!({"drill": {"phase": "build", "action": "wait", "seconds": 1.5}}), "invalid_field", "seconds"),
        (json!({"scope": "platform"}), "invalid_field", "`scope`"),
    ] {
        let request = caller.request(Method::POST, "/api/probe/start").json(&body);
        refused(&body.to_string(), request, 400, code, word).await;
    }
    nothing_is_left(&FORWARDING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_more_than_a_version_goes_no_further() {
    let caller = Caller::of(&FORWARDING.base);
    for version in [
        "1.0; rm -rf /",
        "1.0.0; rm -rf /",
        "../../etc",
        "1.0.0-../../etc",
        "$(id)",
        "`id`",
        "1.2.3\n",
        "",
        "v1.2.3",
        "HEAD",
        "-1.2.3",
    ] {
        let request = caller.request(Method::POST, "/api/upgrade/start").json(&with("target_version", version));
        refused(version, request, 400, "invalid_version", "target_version").await;
    }
    nothing_is_left(&FORWARDING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_text_is_refused() {
    let caller = Caller::of(&FORWARDING.base);
    let post = || caller.request(Method::POST, "/api/upgrade/start");
    let json = || post().header("content-type", "application/json");
    let gzip = || json().header("content-encoding", "gzip").body(&b"\x1f\x8b\x08\x00\x00\x00\x00\x00"[..]);
    let text = upgrade().to_string();
    let cases = [
        ("no body", post(), 400, "missing_body", "JSON"),
        ("blanks", json().body(" \r\n\t"), 400, "missing_body", "JSON"),
        ("half of it", json().body(r#"{"target_version": "1.2."#), 400, "invalid_json", "line 1"),
        ("more than one", json().body(format!("{text} {text}")), 400, "invalid_json", "line 1"),
        ("a form", json().body("target_version=1.2.3"), 400, "invalid_json", "line 1"),
        ("no UTF-8", json().body(&b"{\"target_version\": \"\xff\xfe\"}"[..]), 400, "body_not_utf8", "byte"),
        ("compressed", gzip(), 400, "body_not_utf8", "byte"),
        ("nested without end", json().body("[".repeat(200_000)), 400, "invalid_json", "line 1"),
        (
            "plain text",
            post().header("content-type", "text/plain").body(text.clone()),
            415,
            "unsupported_media_type",
            "JSON",
        ),
        (
            "a form by its type",
            post().header("content-type", "application/x-www-form-urlencoded").body("a=b"),
            415,
            "unsupported_media_type",
            "JSON",
        ),
        (
            "another charset",
            post().header("content-type", "application/json; charset=utf-16").body(text.clone()),
            415,
            "unsupported_media_type",
            "UTF-8",
        ),
        ("no type", post().body(text.clone()), 415, "unsupported_media_type", "Content-Type"),
        ("10 MB", json().body(vec![b' '; 10_000_000]), 413, "payload_too_large", "256 KiB"),
        ("a byte too much", json().body(vec![b' '; 256 * 1024 + 1]), 413, "payload_too_large", "256 KiB"),
    ];
    for (what, request, status, code, word) in cases {
        refused(what, request, status, code, word).await;
    }
    nothing_is_left(&FORWARDING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_mark_a_request_are_taken_as_they_are_or_not_at_all() {
    let caller = Caller::of(&FORWARDING.base);
    let post = |key: &str| caller.request(Method::POST, "/api/upgrade/start").header("idempotency-key", key);
    refused("blanks", post("a b").json(&upgrade()), 400, "invalid_idempotency_key", "ASCII").await;
    refused("too long", post(&"a".repeat(201)).json(&upgrade()), 400, "invalid_idempotency_key", "200").await;
    // The host makes one field of both.
    refused("two", post("a").header("idempotency-key", "b").json(&upgrade()), 400, "invalid_idempotency_key", "once")
        .await;
    let other = with("idempotency_key", "b");
    refused("another in the body", post("a").json(&other), 400, "idempotency_key_mismatch", "differ").await;
    nothing_is_left(&FORWARDING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_without_a_name_get_nowhere() {
    let client = reqwest::Client::new();
    let product = &*FORWARDING;
    let routes = [
        (Method::POST, "/api/upgrade/start"),
        (Method::POST, "/api/probe/start"),
        (Method::GET, "/api/upgrade/status"),
        (Method::GET, "/api/runs"),
        (Method::POST, "/api/runs/0123456789-01234567890123456789/terminate"),
    ];
    for (method, path) in routes {
        let request = || client.request(method.clone(), format!("{}{path}", product.base)).json(&upgrade());
        refused(path, request(), 401, "missing_credential", "").await;
        for credential in ["Bearer nonsense", "Bearer __dev_bypass_", "Bearer a.b.c", "Bearer "] {
            let answer = request().header("authorization", credential).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), 401, "{path} with {credential}");
        }
        // Whatever EasyAuth would say, nobody has told us that it is on.
        refused(path, request().header("x-ms-client-principal", "e30="), 401, "missing_credential", "").await;
    }
    nothing_is_left(product).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_found_whatever_it_is_called() {
    let caller = Caller::of(&FORWARDING.base);
    let get = |path: &str| caller.request(Method::GET, path);
    let (unknown, log) = ("0123456789-01234567890123456789", "/api/upgrade/jobs");
    let cases = [
        (get(&format!("/api/runs/{unknown}")), 404, "unknown_run"),
        (get("/api/runs/..%2F..%2Fetc"), 404, "unknown_run"),
        (get("/api/runs/%00x"), 400, ""),
        (get("/api/runs/a/b/c"), 404, "route_not_found"),
        (get("/api/probe/1;DROP%20TABLE/status"), 404, "unknown_run"),
        (get(&format!("{log}/{unknown}/build-log/api")), 404, "unknown_job"),
        (get(&format!("{log}/..%2F..%2Fetc/build-log/api")), 404, "unknown_job"),
        (get(&format!("{log}/{unknown}/build-log/..%2F..%2Fetc%2Fpasswd")), 400, "unknown_component"),
        (get(&format!("{log}/{unknown}/build-log/api?offset=-1")), 400, "invalid_offset"),
        (get("/api/runs?top=0"), 400, "invalid_top"),
        (get("/api/runs?pipeline=../probe"), 400, "unknown_pipeline"),
        (get("/api/upgrade/status?wait=3600"), 400, "invalid_wait"),
        (caller.request(Method::POST, &format!("/api/runs/{unknown}/terminate")), 404, "unknown_run"),
        (caller.request(Method::POST, &format!("/api/probe/{unknown}/release")), 404, "unknown_run"),
        (caller.request(Method::POST, "/api/upgrade/status"), 405, "method_not_allowed"),
        (caller.request(Method::POST, "/api/probe/start/x"), 404, ""),
        (caller.request(Method::DELETE, &format!("/api/runs/{unknown}")), 404, ""),
    ];
    for (request, status, code) in cases {
        let answer = request.send().await.unwrap();
        let (path, given) = (answer.url().path().to_owned(), answer.status().as_u16());
        let text = answer.text().await.unwrap();
        // Without a code it is the host's own answer, which is empty.
        let found =
            serde_json::from_str::<Value>(&text).unwrap_or_default()["code"].as_str().unwrap_or_default().to_owned();
        assert_eq!((given, found.as_str()), (status, code), "{path}: {text}");
    }
    nothing_is_left(&FORWARDING).await;
}

/// Sends these very bytes and gives the whole answer.
async fn raw(product: &Product, head: &str, body: &[u8]) -> String {
    let address = product.base.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("{}\r\nConnection: close\r\n\r\n", head.replace('\n', "\r\n"));
    stream.write_all(&[head.as_bytes(), body].concat()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(local::PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn chunked(body: &str) -> Vec<u8> {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_is_lost_by_a_forwarding_host_which_says_so() {
    let product = &*FORWARDING;
    let head = "POST /api/upgrade/start HTTP/1.1\nHost: x\nAuthorization: Bearer __dev_bypass__\n\
                Content-Type: application/json\nTransfer-Encoding: chunked";
    let answer = raw(product, head, &chunked(&upgrade().to_string())).await;
    assert!(answer.starts_with("HTTP/1.1 500") && answer.ends_with("\r\n\r\n"), "{answer}");
    product.says(&["upgrade_start", "chunked", "Content-Length"]).await;
    nothing_is_left(product).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_that_only_look_like_ours_lead_nowhere() {
    let product = &*FORWARDING;
    for (path, status) in [
        ("//api/upgrade/start", 404),
        ("/api//upgrade/start", 404),
        ("/api/upgrade//start", 404),
        ("/api/upgrade%2Fstart", 404),
        ("/api/upgrade/start%00", 400),
        ("/api/probe/start\\", 404),
        ("/api/upgrade/%252e%252e/start", 404),
        ("/%2e%2e/%2e%2e/etc/passwd", 404),
        ("/api/upgrade/start/../../../etc/passwd", 404),
        ("*", 400),
        ("/caf\u{e9}", 400),
    ] {
        let body = upgrade().to_string();
        let head = format!(
            "POST {path} HTTP/1.1\nHost: x\nAuthorization: Bearer __dev_bypass__\nContent-Type: application/json\n\
             Content-Length: {}",
            body.len()
        );
        let answer = raw(product, &head, body.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    }
    nothing_is_left(product).await;
}

/// A setting of the running handler.
fn handler_setting(product: &Product, name: &str) -> String {
    let environment = std::fs::read(format!("/proc/{}/environ", product.handler())).unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let value = environment.split('\0').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    value.unwrap_or_else(|| panic!("{name} is not set")).to_owned()
}

/// Everything that an invocation has, sent from outside. It holds no ticket: if it got through to a function, that one
/// would keep it and say so.
async fn forge(product: &Product) {
    let port = handler_setting(product, "FUNCTIONS_CUSTOMHANDLER_PORT");
    let body = json!({"Data": {"ticket": "\"forged\""}, "Metadata": {}}).to_string();
    let paths = [
        "/probe_build",
        "/Probe-Build/",
        "//probe_build",
        "/api/../probe_build",
        "/api/runs/%2e%2e/%2e%2e/probe_build",
        "/api/runs/..%2f..%2fprobe_build",
        "/api/runs/..%5c..%5cprobe_build",
        "/api/runs/..\\..\\probe_build",
        "/api/runs/%252e%252e/%252e%252e/probe_build",
        "/api/runs/x?/../../../probe_build",
        "/probe_build_poison",
        "/windlass_sweep",
    ];
    for path in paths {
        for (framing, body) in [
            (format!("Content-Length: {}", body.len()), body.clone().into_bytes()),
            ("Transfer-Encoding: chunked".to_owned(), chunked(&body)),
        ] {
            let head = format!(
                "POST {path} HTTP/1.1\nHost: 127.0.0.1:{port}\nUser-Agent: Azure-Functions-Host/4.1037.0.0\n\
                 X-Azure-Functions-InvocationId: 10fde54a-0c3e-4a7e-9d4b-1f2a3b4c5d6e\n\
                 Authorization: Bearer __dev_bypass__\nContent-Type: application/json; charset=utf-8\n{framing}"
            );
            let answer = raw(product, &head, &body).await;
            let status = answer.split(' ').nth(1).unwrap_or_default().to_owned();
            // A chunked body that a forwarding host loses on its way to a function of ours is its 500.
            assert!(["404", "405", "500"].contains(&status.as_str()), "{path} {framing}: {answer}");
            assert!(!answer.contains("Outputs"), "{path} {framing}: {answer}");
        }
    }
    let said = product.said();
    assert!(!said.contains("not_a_ticket"), "{said}");
    nothing_is_left(product).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_that_is_forged_outside_reaches_no_function() {
    forge(&FORWARDING).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_it_where_the_host_streams_requests_as_they_are() {
    if external_host().is_none() {
        forge(&PROXYING).await;
    }
}
