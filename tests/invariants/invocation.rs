//! Invocations as the Functions host makes them, and as others would like to.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;
use windlass::engine::PipelineSpec;
use windlass::triggers;

use crate::support::probe;
use crate::support::world::World;

const PORT: u16 = 4000;
const HOST: &str = "Azure-Functions-Host/4.1037.0.0";

/// A queue's function of the probe is given `message`; the status of the answer.
pub async fn queue(world: &World, function: &str, message: &str) -> u16 {
    let data = json!({"ticket": json!(message).to_string()});
    invoke(world, &probe::SPEC, function, HOST, &data).await
}

/// A timer's function is called, by the host or by somebody else.
pub async fn timer(world: &World, spec: &PipelineSpec, function: &str, by_host: bool) -> u16 {
    let agent = if by_host { HOST } else { "curl/8" };
    invoke(world, spec, function, agent, &json!({"timer": {"IsPastDue": false}})).await
}

async fn invoke(world: &World, spec: &PipelineSpec, function: &str, agent: &str, data: &Value) -> u16 {
    let router = triggers::router(world.engine("handler"), &[spec], PORT);
    let body = json!({"Data": data, "Metadata": {"DequeueCount": "1"}}).to_string();
    let invocation = Request::post(format!("/{function}"))
        .header("host", format!("127.0.0.1:{PORT}"))
        .header("user-agent", agent)
        .header("transfer-encoding", "chunked")
        .body(Body::from(body))
        .expect("a request");
    router.oneshot(invocation).await.expect("a router always answers").status().as_u16()
}
