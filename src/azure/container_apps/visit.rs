//! A visit to the app itself, as one of its users would make it.

use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;

use crate::azure::error::AzureError;
use crate::azure::trace;

/// An app that takes longer is of no use to anybody.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends no credential: what it visits is public, or at least not ours.
#[derive(Clone, Debug)]
pub struct Visitor {
    http: Client,
}

/// There was no answer, which tells of the way as much as of the app.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Silence {
    #[error("nothing within {} s", PATIENCE.as_secs())]
    TimedOut,
    #[error("it cannot be reached")]
    Unreachable,
}

impl Visitor {
    pub fn new() -> Result<Self, AzureError> {
        // Where a redirect leads, somebody else answers.
        let http = Client::builder().redirect(Policy::none()).timeout(PATIENCE).build();
        http.map(|http| Self { http }).map_err(|error| AzureError::unreachable("setting up HTTP", error))
    }

    /// The status of one GET.
    pub async fn visit(&self, url: &str) -> Result<u16, Silence> {
        match trace::send("visiting the app", self.http.get(url)).await {
            Ok(answer) => Ok(answer.status().as_u16()),
            Err(error) if error.is_timeout() => Err(Silence::TimedOut),
            Err(_) => Err(Silence::Unreachable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::azure::testing::{Canned, Server};

    #[tokio::test]
    async fn a_visit_brings_the_status_and_follows_nobody() {
        let server =
            Server::start([Canned::empty(204), Canned::empty(307).with_header("location", "/elsewhere")]).await;
        let visitor = Visitor::new().unwrap();
        assert_eq!(visitor.visit(&server.url("/health")).await, Ok(204));
        assert_eq!(visitor.visit(&server.url("/health")).await, Ok(307));
        assert_eq!(visitor.visit("http://127.0.0.1:1/").await, Err(Silence::Unreachable));
    }
}
