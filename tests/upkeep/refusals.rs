//! Repositories that do not behave.

use axum::http::Method;

use crate::git_server::{GitServer, Manner};
use crate::platform::{DEVELOPMENT, Platform};
use windlass::git::{Remote, RemotePolicy};

async fn error(platform: &Platform) -> String {
    let answer = platform.check().await;
    let body = answer.body();
    assert_eq!((answer.status, &body["candidates"]), (200, &serde_json::json!([])), "{body}");
    body["error"]["code"].as_str().unwrap_or_default().to_owned()
}

fn remote(server: &GitServer) -> Option<Remote> {
    Remote::parse(&server.url("app"), &DEVELOPMENT).ok()
}

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let other = Platform::open(&["v9.9.9"]).await;
    let elsewhere = format!("http://localhost:{}", other.git.port());
    let platform = Platform::of(&["v1.2.3"], Manner::RedirectTo(elsewhere), remote).await;
    assert_eq!(error(&platform).await, "git_redirect_refused");
    assert!(other.git.seen().is_empty());
}

#[tokio::test]
async fn a_list_without_an_end_is_given_up_and_remembered_nowhere() {
    let platform = Platform::of(&["v1.2.3"], Manner::Endless(Method::POST), remote).await;
    assert_eq!(error(&platform).await, "git_too_large");
}

#[tokio::test]
async fn what_is_no_repository_is_told_as_such() {
    let platform = Platform::of(&[], Manner::WebPage, remote).await;
    assert_eq!(error(&platform).await, "git_not_a_repository");
}

#[tokio::test]
async fn an_address_of_this_machine_is_refused_in_production() {
    let policy = RemotePolicy { allow_http: true, allow_private: false };
    let local = |server: &GitServer| Remote::parse(&format!("http://localhost:{}/app", server.port()), &policy).ok();
    let platform = Platform::of(&["v1.2.3"], Manner::Plain, local).await;
    assert_eq!(error(&platform).await, "git_address_refused");
    assert!(platform.git.seen().is_empty());
}
