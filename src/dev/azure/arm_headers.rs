//! What Resource Manager says around every answer: correlation, what is left of the limits, caching.

use axum::http::{HeaderMap, HeaderValue, Method};
use uuid::Uuid;

use super::request::Received;
use super::world::Sim;
use super::{clock, registry};

pub(super) fn decorate(sim: &Sim, request: &Received, headers: &mut HeaderMap) {
    let id = Uuid::new_v4().to_string();
    let correlation = request.header("x-ms-correlation-request-id").map_or_else(|| id.clone(), str::to_owned);
    let routing = format!("{}:{}:{id}", registry::LOCATION.to_uppercase(), clock::compact(sim.clock.now()));
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set("x-ms-request-id", &id);
    set("x-ms-correlation-request-id", &correlation);
    set("x-ms-routing-request-id", &routing);
    set("cache-control", "no-cache");
    set("pragma", "no-cache");
    set("expires", "-1");
    set("strict-transport-security", "max-age=31536000; includeSubDomains");
    set("x-content-type-options", "nosniff");
    match request.parts.method {
        Method::GET | Method::HEAD => set("x-ms-ratelimit-remaining-subscription-global-reads", "16499"),
        Method::DELETE => {
            set("x-ms-ratelimit-remaining-subscription-global-deletes", "11999");
            set("x-ms-ratelimit-remaining-subscription-deletes", "799");
        }
        _ => {
            set("x-ms-ratelimit-remaining-subscription-global-writes", "11999");
            set("x-ms-ratelimit-remaining-subscription-writes", "799");
        }
    }
    let wanted =
        request.header("x-ms-return-client-request-id").is_some_and(|asked| asked.eq_ignore_ascii_case("true"));
    if let (true, Some(client)) = (wanted, request.header("x-ms-client-request-id")) {
        set("x-ms-client-request-id", client);
    }
    if headers.get("content-type").is_some_and(|kind| kind == "application/json") {
        headers.insert("content-type", HeaderValue::from_static("application/json; charset=utf-8"));
    }
}
