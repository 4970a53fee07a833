//! Bodies as they really arrive.

use futures::stream;
use reqwest::Body;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{Answer, World};

async fn start(world: &World, content_type: Option<&str>, body: impl Into<Body>) -> Answer {
    let request = world.post("/start").body(body);
    world
        .send(match content_type {
            Some(content_type) => request.header("content-type", content_type),
            None => request,
        })
        .await
}

const JSON: Option<&str> = Some("application/json");

#[tokio::test]
async fn json_in_utf8_is_taken_however_its_type_is_written() {
    let world = World::entra().await;
    for content_type in ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""] {
        assert_eq!(start(&world, Some(content_type), r#"{"version": "1"}"#).await.status, 200, "{content_type}");
    }
}

#[tokio::test]
async fn other_types_are_refused() {
    let world = World::entra().await;
    for content_type in [
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonx"),
        Some("application/json; charset=latin1"),
        None,
    ] {
        let answer = start(&world, content_type, r#"{"version": "1"}"#).await;
        assert_eq!(answer.code(), (415, "unsupported_media_type"), "{content_type:?}");
    }
    let compressed = world.post("/start").header("content-type", "application/json").header("content-encoding", "gzip");
    assert_eq!(world.send(compressed.body("x")).await.code(), (415, "unsupported_media_type"));
}

#[tokio::test]
async fn every_bad_body_has_its_code() {
    let world = World::entra().await;
    let cases: [(&[u8], &str); 10] = [
        (b"", "missing_body"),
        (b" \r\n\t", "missing_body"),
        (b"{\"version\": \"\xff\"}", "body_not_utf8"),
        (b"{\"version\": ", "invalid_json"),
        (b"{\"version\": \"1\"} x", "invalid_json"),
        (b"[]", "not_an_object"),
        (b"null", "not_an_object"),
        (b"{\"version\": 1}", "invalid_field"),
        (b"{}", "invalid_field"),
        (b"{\"version\": \"1\", \"more\": 1}", "invalid_field"),
    ];
    for (body, code) in cases {
        assert_eq!(start(&world, JSON, body.to_vec()).await.code(), (400, code), "{}", String::from_utf8_lossy(body));
    }
    assert_eq!(start(&world, None, "").await.code(), (400, "missing_body"));
}

#[tokio::test]
async fn a_body_up_to_the_limit_is_taken_and_a_byte_more_is_not() {
    let world = World::entra().await;
    let padded = |size: usize| {
        let body = r#"{"version": "1"}"#;
        format!("{body}{}", " ".repeat(size - body.len()))
    };
    assert_eq!(start(&world, JSON, padded(256 * 1024)).await.status, 200);
    assert_eq!(start(&world, JSON, padded(256 * 1024 + 1)).await.code(), (413, "payload_too_large"));
}

#[tokio::test]
async fn ten_megabytes_are_refused_with_an_answer() {
    let world = World::entra().await;
    assert_eq!(start(&world, JSON, vec![b' '; 10_000_000]).await.code(), (413, "payload_too_large"));
}

#[tokio::test]
async fn a_chunked_body_meets_the_same_limit() {
    let world = World::entra().await;
    let chunks = |count: usize| {
        let chunks = (0..count).map(|_| Ok::<_, std::io::Error>(vec![b' '; 64 * 1024]));
        Body::wrap_stream(stream::iter(chunks.chain([Ok(br#"{"version": "1"}"#.to_vec())])))
    };
    assert_eq!(start(&world, JSON, chunks(3)).await.status, 200);
    assert_eq!(start(&world, JSON, chunks(5)).await.code(), (413, "payload_too_large"));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    let world = World::entra().await;
    let mut connection = tokio::net::TcpStream::connect(world.address.trim_start_matches("http://")).await.unwrap();
    let head = "POST /start HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n";
    connection.write_all(format!("{head}{{\"version\"").as_bytes()).await.unwrap();
    connection.shutdown().await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("body_interrupted"), "{answer}");
}
