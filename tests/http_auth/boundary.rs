//! What every answer has in common.

use crate::world::{Log, World};

#[tokio::test]
async fn every_answer_bears_the_requests_id() {
    let world = World::entra().await;
    let refused = world.send(world.get("/whoami").header("X-Azure-Functions-InvocationId", "10fde54a-1")).await;
    assert_eq!(refused.header("x-request-id"), "10fde54a-1");
    assert_eq!(refused.body["request_id"], "10fde54a-1");
    assert_eq!(refused.header("content-type"), "application/json");

    let done = world
        .post("/start")
        .header("content-type", "application/json")
        .header("X-Azure-Functions-InvocationId", "10fde54a-2")
        .body(r#"{"version": "1"}"#);
    let done = world.send(done).await;
    assert_eq!((done.status, done.header("x-request-id")), (200, "10fde54a-2"));
    assert_eq!(done.body, "1 10fde54a-2");

    let nameless = world.send(world.get("/whoami")).await;
    assert_eq!(nameless.body["request_id"], nameless.header("x-request-id"));
    assert_eq!(nameless.header("x-request-id").len(), 36);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused_in_the_same_form() {
    let world = World::entra().await;
    let unknown = world.send(world.get("/nothing/here")).await;
    assert_eq!(unknown.code(), (404, "route_not_found"));
    assert!(unknown.body["request_id"].is_string());
    let wrong = world.send(world.client.delete(format!("{}/start", world.address))).await;
    assert_eq!((wrong.code(), wrong.header("allow")), ((405, "method_not_allowed"), "POST"));
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_next_request_works() {
    let world = World::entra().await;
    let (log, _guard) = Log::capture();
    let answer = world.send(world.get("/panic")).await;
    assert_eq!(answer.code(), (500, "internal"));
    assert!(!answer.body.to_string().contains("password"), "{}", answer.body);
    assert_eq!(world.send(world.get("/whoami")).await.status, 401);
    let text = log.text();
    assert!(text.contains("ERROR") && text.contains("panic: password=***"), "{text}");
}

#[tokio::test]
async fn a_request_is_one_line_without_its_query() {
    let world = World::entra().await;
    let (log, _guard) = Log::capture();
    world.send(world.get("/whoami?wait=5&q=pl4nted").header("X-Azure-Functions-InvocationId", "10fde54a-3")).await;
    let text = log.text();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("windlass::http::boundary")).collect();
    assert_eq!(lines.len(), 1, "{text}");
    for field in
        ["method=GET", "path=\"/whoami\"", "status=401", "ms=", "request_id=\"10fde54a-3\"", "missing_credential"]
    {
        assert!(lines[0].contains(field), "{field}: {}", lines[0]);
    }
    assert!(!text.contains("pl4nted"), "{text}");
}
