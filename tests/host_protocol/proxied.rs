//! HTTP under the host that proxies. Not captured: these rules were read in its public sources.

use serde_json::json;
use tokio::io::AsyncReadExt;
use windlass::dev::host::HttpMode;

use crate::handler::{Request, Step, latin1};
use crate::rig::{Client, Rig, Setup, answer, field, within};

async fn rig(script: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static) -> Rig {
    let mut setup = Setup::new(script).catch_all();
    setup.http = HttpMode::Proxying;
    setup.host_json["customHandler"]["enableProxyingHttpRequest"] = json!(true);
    setup.start().await
}

async fn read_until(client: &mut Client, end: &str) -> String {
    let mut got = String::new();
    while !got.ends_with(end) {
        got.push_str(&latin1(&[within("a byte", client.0.read_u8()).await.unwrap()]));
    }
    got
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_passes_verbatim_and_the_hosts_own_fields_are_set() {
    let mut rig = rig(|_| answer("200 OK\r\nx-own: 1\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5", "ok")).await;
    let mut client = rig.connect().await;
    client
        .send(
            "POST /a%2Fb/%7E?q=1&q=2&plus=a+b HTTP/1.1\r\nHost: shown.example\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Host: evil\r\n\
             Connection: keep-alive\r\nx-own: mine\r\nContent-Length: 2\r\n\r\nhi",
        )
        .await;
    let (head, body) = client.answer().await;
    assert_eq!(body, "ok");
    assert_eq!(
        (field(&head, "Keep-Alive"), field(&head, "Connection"), field(&head, "x-own")),
        (None, None, Some("1"))
    );
    let request = rig.next().await;
    assert_eq!(request.target(), "/a%2Fb/%7E?q=1&q=2&plus=a+b");
    assert!(request.field("Host").unwrap().starts_with("127.0.0.1:"));
    assert_eq!(request.field("X-Forwarded-Host"), Some("shown.example"));
    assert_eq!(request.field("X-Forwarded-For"), Some("127.0.0.1"));
    assert_eq!(request.field("X-Forwarded-Proto"), Some("http"));
    assert_eq!(
        (request.field("x-own"), request.field("Connection"), request.body.as_str()),
        (Some("mine"), None, "hi")
    );
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_streams_part_by_part() {
    let rig = rig(|_| {
        vec![
            Step::Write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 0\n\n\r\n".into()),
            Step::Hang,
        ]
    })
    .await;
    let mut client = rig.connect().await;
    client.send("GET /sse HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let head = read_until(&mut client, "\r\n\r\n").await;
    assert_eq!(field(&head, "Transfer-Encoding"), Some("chunked"));
    // The handler never ends this answer, and yet its first part is here.
    read_until(&mut client, "data: 0\n\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_request_passes_and_the_connection_lives_on() {
    let mut rig = rig(|_| answer("200 OK", "ok")).await;
    let mut client = rig.connect().await;
    for _ in 0..2 {
        client.send("POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n").await;
        assert_eq!(client.answer().await.1, "ok");
        let request = rig.next().await;
        assert_eq!((request.body.as_str(), request.chunked), ("hello world", true));
    }
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_cuts_the_client_off() {
    let rig = rig(|request| match request.target() {
        "/half" => vec![Step::Write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".into()), Step::Close],
        _ => vec![Step::Reset],
    })
    .await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let half = rig.exchange(&get("/half"), false).await;
    assert!(half.contains("Content-Length: 100") && half.ends_with("half"), "{half}");
    rig.said(&["'web'", "broke its answer off"]).await;
    let none = rig.exchange(&get("/reset"), false).await;
    assert!(none.starts_with("HTTP/1.1 502 "), "{none}");
    rig.host.shutdown().await;
}
