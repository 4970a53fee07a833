//! A request, read whole; and what is remembered of it.

use axum::http::request::Parts;
use bytes::Bytes;
use serde::Serialize;

pub(super) struct Received {
    pub(super) parts: Parts,
    pub(super) body: Bytes,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    pub(super) fn path(&self) -> &str {
        self.parts.uri.path()
    }

    pub(super) fn raw_query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    /// The first value of a query parameter; Resource Manager does not mind the case of its name.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.raw_query().as_bytes())
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.into_owned())
    }

    pub(super) fn form(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(&self.body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// What a test may ask of a request afterwards: no headers but one, no bodies, and no secrets in the query.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RequestRecord {
    pub method: String,
    pub path: String,
    pub query: String,
    /// `None` when the connection was dropped instead.
    pub status: Option<u16>,
    /// The name of the fault that the request met.
    pub fault: Option<&'static str>,
    pub client_request_id: Option<String>,
}
