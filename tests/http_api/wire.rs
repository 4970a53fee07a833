//! The same over a real connection, as the host's forwarding makes it: lower-case or not, a body with its length, values
//! of the query encoded again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::api::{ADA, Api};

#[tokio::test]
async fn a_probe_is_driven_over_loopback() {
    let api = Api::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = api.router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let claims = json!([{"typ": "oid", "val": ADA.0}, {"typ": "tid", "val": "tenant"}]);
    let principal = STANDARD.encode(json!({"auth_typ": "aad", "claims": claims}).to_string());
    let client = reqwest::Client::new();
    let by_ada = |request: reqwest::RequestBuilder| request.header("x-ms-client-principal", &principal);

    let start = client.post(format!("{address}/API/Probe/Start/")).json(&json!({}));
    let started = by_ada(start).send().await.unwrap();
    assert_eq!(started.status().as_u16(), 202);
    let location = started.headers()["location"].to_str().unwrap().to_owned();
    api.work().await;

    let status = by_ada(client.get(format!("{address}{location}"))).send().await.unwrap();
    let tag = status.headers()["etag"].to_str().unwrap().to_owned();
    let body: Value = status.json().await.unwrap();
    assert_eq!(body["runtime_status"], "Completed");
    let known = by_ada(client.get(format!("{address}{location}")).header("If-None-Match", tag)).send().await.unwrap();
    assert_eq!((known.status().as_u16(), known.bytes().await.unwrap().len()), (304, 0));

    let list = by_ada(client.get(format!("{address}/api/runs/?runtimeStatus=Completed%2CFailed&flag="))).send().await;
    assert_eq!(list.unwrap().json::<Value>().await.unwrap().as_array().map(Vec::len), Some(1));
    let empty = by_ada(client.post(format!("{address}/api/probe/start"))).send().await.unwrap();
    assert_eq!(empty.status().as_u16(), 202);
}
