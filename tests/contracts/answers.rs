//! What the Azure store makes of answers that no emulator gives on demand, and of none at all.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use windlass::engine::ports::{Appended, LogStore, RunStore, StoreError, TransactError, Version, Write};
use windlass::storage::azure::{AzureStorage, Connection};
use windlass::storage::{Operations, Spent};

use super::subject::record;

/// In base64, as a key is.
const PLANTED: &str = "cGw0bnRlZC1rZXk=";

/// A service's part in a conversation, one entry a request; the last one stays.
#[derive(Clone)]
enum Reply {
    Says(String),
    /// Takes the request, then hangs up.
    HangsUp,
    /// Takes the request and says nothing.
    KeepsSilent,
}

fn says(status: &str, code: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Says(format!(
        "HTTP/1.1 {status}\r\nx-ms-error-code: {code}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    ))
}

struct Service {
    store: AzureStorage,
    operations: Operations,
}

/// A store whose three services reply as scripted.
async fn service(script: Vec<Reply>) -> Service {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/acct", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut script = script.into_iter().peekable();
        let mut last = None;
        let mut silent = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            // A connection that was opened ahead and never used does not take a reply.
            if !read_request(&mut stream).await {
                continue;
            }
            last = script.next().or(last);
            match last.as_ref() {
                Some(Reply::Says(text)) => stream.write_all(text.as_bytes()).await.unwrap_or_default(),
                Some(Reply::KeepsSilent) => silent.push(stream),
                Some(Reply::HangsUp) | None => (),
            }
        }
    });
    let text = format!(
        "AccountName=acct;AccountKey={PLANTED};BlobEndpoint={address};QueueEndpoint={address};TableEndpoint={address}"
    );
    let connection = Connection::parse(&text).unwrap();
    let operations = Operations::default();
    let deadline = Duration::from_secs(10);
    let store = AzureStorage::with_deadline(&connection, "Runs", operations.clone(), deadline).unwrap();
    Service { store, operations }
}

/// Whether a whole request came.
async fn read_request(stream: &mut TcpStream) -> bool {
    let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut chunk).await {
            Ok(length) if length > 0 => request.extend_from_slice(&chunk[..length]),
            _ => return false,
        }
        let text = String::from_utf8_lossy(&request).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.trim().parse().unwrap()) {
                return true;
            }
        }
    }
}

fn insert() -> Vec<Write> {
    vec![Write::Insert { key: "k".into(), record: record(json!({ "n": 1 })) }]
}

#[tokio::test]
async fn throttling_is_tried_again_and_then_told() {
    let service = service(vec![says("503 Busy", "ServerBusy", "")]).await;
    assert!(matches!(service.store.get("p", "k").await, Err(StoreError::Unavailable(_))));
    assert_eq!(service.operations.snapshot(), Spent { table: 4, ..Spent::default() });
}

#[tokio::test]
async fn an_operation_that_succeeds_at_the_second_try_succeeds() {
    let entity = r#"{"odata.etag":"W/\"1\"","PartitionKey":"p","RowKey":"k","n@odata.type":"Edm.Int64","n":"5"}"#;
    let service = service(vec![says("500 Oops", "InternalError", ""), says("200 OK", "", entity)]).await;
    let stored = service.store.get("p", "k").await.unwrap().unwrap();
    assert_eq!((stored.record, stored.version), (record(json!({ "n": 5 })), Version("W/\"1\"".into())));
}

#[tokio::test]
async fn a_write_whose_reply_was_lost_may_have_been_made() {
    let service = service(vec![Reply::HangsUp]).await;
    let answer = service.store.transact("p", insert()).await;
    assert!(matches!(answer, Err(TransactError::Store(StoreError::Unavailable(_)))), "{answer:?}");
}

#[tokio::test]
async fn a_repeated_insert_that_meets_its_own_first_try_is_a_conflict() {
    let body = r#"{"odata.error":{"code":"EntityAlreadyExists","message":{"lang":"en-US","value":"There."}}}"#;
    let service = service(vec![Reply::HangsUp, says("409 Conflict", "", body)]).await;
    assert_eq!(service.store.transact("p", insert()).await, Err(TransactError::Conflict(0)));
}

#[tokio::test]
async fn a_service_that_keeps_silent_is_not_waited_for_for_ever() {
    let service = service(vec![Reply::KeepsSilent]).await;
    let connection =
        Connection::parse(&format!("AccountName=acct;AccountKey={PLANTED};{}", endpoints(&service))).unwrap();
    let deadline = Duration::from_millis(50);
    let store = AzureStorage::with_deadline(&connection, "Runs", Operations::default(), deadline).unwrap();
    assert!(matches!(store.get("p", "k").await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.transact("p", insert()).await, Err(TransactError::Store(StoreError::Unavailable(_)))));
    assert!(matches!(store.read("logs/a", 0, 1).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.peek_messages("queue", 1).await, Err(StoreError::Unavailable(_))));
}

/// The endpoints of a scripted service, as its store's debug text shows them.
fn endpoints(service: &Service) -> String {
    let shown = format!("{:?}", service.store);
    let address = shown.split('"').find(|part| part.starts_with("http://")).unwrap();
    format!("BlobEndpoint={address};QueueEndpoint={address};TableEndpoint={address}")
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_no_success() {
    let nonsense = service(vec![says("200 OK", "", "<html>welcome</html>")]).await;
    assert!(matches!(nonsense.store.get("p", "k").await, Err(StoreError::Unavailable(_))));
    assert!(matches!(nonsense.store.range("p", "", "~", 1).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(nonsense.store.transact("p", insert()).await, Err(TransactError::Store(_))));
}

#[tokio::test]
async fn a_blob_that_takes_no_more_blocks_is_a_full_segment() {
    let full = "<?xml version=\"1.0\"?><Error><Code>BlockCountExceedsLimit</Code><Message>The committed block count \
                cannot exceed the maximum limit of 50,000 blocks.</Message></Error>";
    let service = service(vec![says("409 Full", "BlockCountExceedsLimit", full)]).await;
    assert_eq!(service.store.append("logs/run/a.log", 7, Bytes::from_static(b"x")).await, Ok(Appended::Full));
}

#[tokio::test]
async fn a_missing_table_or_container_is_refused_with_the_services_code() {
    let body = r#"{"odata.error":{"code":"TableNotFound","message":{"lang":"en-US","value":"The table specified does not exist."}}}"#;
    let table = service(vec![says("404 Not Found", "TableNotFound", body)]).await;
    assert!(matches!(table.store.get("p", "k").await, Err(StoreError::Refused(why)) if why.contains("TableNotFound")));
    let answer = table.store.transact("p", insert()).await;
    assert!(matches!(answer, Err(TransactError::Store(StoreError::Refused(_)))), "{answer:?}");
    let container = service(vec![says("404 Not Found", "ContainerNotFound", "")]).await;
    let answer = container.store.append("logs/run/a.log", 0, Bytes::from_static(b"x")).await;
    assert!(matches!(answer, Err(StoreError::Refused(why)) if why.contains("ContainerNotFound")));
}

#[tokio::test]
async fn no_key_and_no_signature_shows_in_errors_or_debug_texts() {
    // Services repeat what was signed, proxies repeat whole addresses.
    let leak = format!("<Error><Message>AccountKey={PLANTED} sig={PLANTED}&amp;x Bearer {PLANTED}</Message></Error>");
    let odata = format!(r#"{{"odata.error":{{"code":"X","message":{{"lang":"en","value":"sig={PLANTED}"}}}}}}"#);
    for status in ["403 Forbidden", "400 Bad Request", "401 Unauthorized"] {
        for body in [&leak, &odata] {
            let service = service(vec![says(status, "X", body)]).await;
            let store = &service.store;
            let queue = vec!["queue".to_owned()];
            let shown = [
                format!("{:?}", store.get("p", "k").await),
                format!("{:?}", store.transact("p", insert()).await),
                format!("{:?}", store.read("logs/a", 0, 1).await),
                format!("{:?}", store.append("logs/a", 1, Bytes::from_static(b"x")).await),
                format!("{:?}", store.peek_messages("queue", 1).await),
                format!("{:?}", store.ensure(&queue, &["logs"]).await),
                format!("{store:?}"),
            ];
            for text in shown {
                assert!(!text.contains(PLANTED), "{status}: {text}");
            }
        }
    }
    let failing = service(vec![says("500 Oops", "X", &leak)]).await;
    let (row, log) = tokio::join!(failing.store.get("p", "k"), failing.store.read("logs/a", 0, 1));
    assert!(!format!("{row:?} {log:?}").contains(PLANTED));
    let refused = Connection::parse(&format!(
        "AccountName=acct;AccountKey={PLANTED};TableEndpoint=http://127.0.0.1:1/acct;BlobEndpoint=http://u:{PLANTED}@127.0.0.1:1/"
    ));
    let store = AzureStorage::new(&refused.unwrap(), "Runs", Operations::default()).unwrap();
    let (row, log) = tokio::join!(store.get("p", "k"), store.read("logs/a", 0, 1));
    let text = format!("{row:?} {log:?}");
    assert!(text.contains("Unavailable") && !text.contains(PLANTED), "{text}");
}

#[test]
fn an_identity_is_used_over_https_only_and_never_shown() {
    #[derive(Debug)]
    struct Identity;

    #[async_trait::async_trait]
    impl azure_core::credentials::TokenCredential for Identity {
        async fn get_token(
            &self,
            _: &[&str],
            _: Option<azure_core::credentials::TokenRequestOptions<'_>>,
        ) -> azure_core::Result<azure_core::credentials::AccessToken> {
            let expires = azure_core::time::OffsetDateTime::now_utc() + Duration::from_secs(3_600);
            Ok(azure_core::credentials::AccessToken::new(PLANTED, expires))
        }
    }

    let connection = Connection::identity("acct", "core.usgovcloudapi.net", Arc::new(Identity)).unwrap();
    let shown = format!("{connection:?}");
    assert!(shown.contains("https://acct.table.core.usgovcloudapi.net/"), "{shown}");
    AzureStorage::new(&connection, "Runs", Operations::default()).unwrap();
    assert!(Connection::identity("evil.example/", "core.windows.net", Arc::new(Identity)).is_err());
}

/// A row with what the service adds to it.
fn entity(key: &str, columns: &str) -> String {
    format!(
        r#"{{"odata.etag":"W/\"1\"","PartitionKey":"p","RowKey":"{key}","Timestamp":"2026-11-26T00:00:00Z"{columns}}}"#
    )
}

#[tokio::test]
async fn a_row_that_no_version_wrote_is_told_and_those_beside_it_are_read() {
    let sound = r#","n":"5","n@odata.type":"Edm.Int64""#;
    for spoiled in [r#","n__json":"{""#, r#","n__json":true"#, r#","n__blob":"elsewhere""#, r#","n":[5]"#] {
        let rows = format!(r#"{{"value":[{},{}]}}"#, entity("a", spoiled), entity("b", sound));
        let found = service(vec![says("200 OK", "", &rows)]).await.store.range("p", "", "~", 9).await.unwrap();
        let flaws: Vec<_> = found.iter().map(|(key, stored)| (key.as_str(), stored.flaw.is_some())).collect();
        assert_eq!(flaws, [("a", true), ("b", false)], "{spoiled}");
        assert_eq!(found[1].1.record, record(json!({"n": 5})));
    }
}

#[tokio::test]
async fn a_value_that_was_put_aside_and_is_gone_or_changed_is_a_flaw_of_its_row_alone() {
    let row = entity("a", r#","n__blob":"json:0f0f","m":"text""#);
    for (blob, says_so) in
        [(says("404 Not Found", "BlobNotFound", ""), "is gone"), (says("200 OK", "", "5"), "was changed")]
    {
        let stored = service(vec![says("200 OK", "", &row), blob]).await.store.get("p", "a").await.unwrap().unwrap();
        assert!(stored.flaw.as_ref().is_some_and(|flaw| flaw.contains("'n'") && flaw.contains(says_so)), "{stored:?}");
        assert_eq!(stored.record, record(json!({"m": "text"})));
    }
    // Nobody knows what is there if nobody may look.
    let forbidden = service(vec![says("200 OK", "", &row), says("403 Forbidden", "AuthorizationFailure", "")]).await;
    assert!(matches!(forbidden.store.get("p", "a").await, Err(StoreError::Refused(_))));
}
