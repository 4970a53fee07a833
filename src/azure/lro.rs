//! One look at a long operation. Waiting between two looks, and remembering the newest address, are the caller's.
//!
//! Source: the Resource Manager's asynchronous operations (`Azure-AsyncOperation` first, else `Location`).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::Answer;
use super::arm::ArmClient;
use super::error::{AzureError, ErrorKind};

const OPERATION: &str = "waiting for a long operation";

/// Where an operation can be looked at. Addresses are signed, long, and given anew with every look: keep the newest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollUrl {
    AsyncOperation(String),
    Location(String),
}

/// What a look showed.
#[derive(Clone, PartialEq, Debug)]
pub enum Progress {
    Running {
        next: PollUrl,
        after: Option<Duration>,
    },
    /// The operation's last word; the resource itself is to be read afterwards.
    Done(Value),
    Failed(AzureError),
}

/// Where the operation that `answer` began can be looked at; `None` if it has ended with that answer.
pub fn begun(answer: &Answer) -> Option<PollUrl> {
    let asynchronous = answer.async_operation.clone().map(PollUrl::AsyncOperation);
    let location = || answer.location.clone().filter(|_| answer.status == 202).map(PollUrl::Location);
    asynchronous.or_else(location)
}

/// Looks once. `Err` says nothing about the operation: look again later, or read the resource.
pub async fn poll(arm: &ArmClient, at: &PollUrl) -> Result<Progress, AzureError> {
    match at {
        PollUrl::AsyncOperation(url) => {
            let answer = arm.follow(OPERATION, url).await?;
            let status = answer.body.get("status").and_then(Value::as_str).unwrap_or_default().to_lowercase();
            Ok(match status.as_str() {
                "succeeded" => Progress::Done(answer.body),
                "failed" | "canceled" | "cancelled" => Progress::Failed(failure(&status, &answer.body)),
                _ => Progress::Running {
                    next: PollUrl::AsyncOperation(answer.async_operation.unwrap_or_else(|| url.clone())),
                    after: answer.retry_after,
                },
            })
        }
        PollUrl::Location(url) => {
            let answer = arm.follow(OPERATION, url).await?;
            if answer.status == 202 {
                let next = PollUrl::Location(answer.location.unwrap_or_else(|| url.clone()));
                return Ok(Progress::Running { next, after: answer.retry_after });
            }
            let state = answer.body.pointer("/properties/provisioningState").and_then(Value::as_str);
            let state = state.unwrap_or_default().to_lowercase();
            Ok(match state.as_str() {
                "failed" | "canceled" | "cancelled" => Progress::Failed(failure(&state, &answer.body)),
                _ => Progress::Done(answer.body),
            })
        }
    }
}

fn failure(status: &str, body: &Value) -> AzureError {
    let error = body.get("error").filter(|error| !error.is_null());
    let told = error.map(|error| super::envelope::parse(error.to_string().as_bytes())).unwrap_or_default();
    let message = if told.message.is_empty() { format!("the operation ended as {status}") } else { told.message };
    AzureError {
        code: told.code,
        inner_codes: told.inner_codes,
        ..AzureError::new(ErrorKind::Invalid, OPERATION, message)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::azure::Cloud;
    use crate::azure::testing::{Canned, FakeCredential, Server};

    fn arm(server: &Server) -> ArmClient {
        let cloud = Cloud::custom(&server.url(""), "https://login.invalid", "local").unwrap();
        ArmClient::new(&cloud, Arc::new(FakeCredential)).unwrap()
    }

    #[tokio::test]
    async fn the_newest_address_is_handed_back_until_the_end() {
        let running = Canned::json(200, json!({"status": "InProgress"}));
        let server = Server::start([running, Canned::json(200, json!({"status": "succeeded"}))]).await;
        let at = PollUrl::AsyncOperation(server.url("/op?t=1"));
        let Progress::Running { next, .. } = poll(&arm(&server), &at).await.unwrap() else { panic!("running") };
        assert_eq!(next, at);
        assert!(matches!(poll(&arm(&server), &next).await, Ok(Progress::Done(_))));

        let location = Canned::empty(202).with_header("location", "http://x/2").with_header("retry-after", "17");
        let server = Server::start([location, Canned::empty(204)]).await;
        let at = PollUrl::Location(server.url("/op"));
        let next = PollUrl::Location("http://x/2".into());
        let after = Some(Duration::from_secs(17));
        assert_eq!(poll(&arm(&server), &at).await, Ok(Progress::Running { next, after }));
        assert_eq!(poll(&arm(&server), &at).await, Ok(Progress::Done(Value::Null)));
    }

    #[tokio::test]
    async fn a_failure_inside_a_success_is_found() {
        let failed = json!({"status": "Failed", "error": {"code": "Quota", "message": "no cores left"}});
        let provisioning = json!({"properties": {"provisioningState": "Failed"}});
        let server = Server::start([Canned::json(200, failed), Canned::json(200, provisioning)]).await;
        let looked = poll(&arm(&server), &PollUrl::AsyncOperation(server.url("/op"))).await;
        assert!(
            matches!(&looked, Ok(Progress::Failed(e)) if e.has_code("Quota") && e.message == "no cores left"),
            "{looked:?}"
        );
        let looked = poll(&arm(&server), &PollUrl::Location(server.url("/op"))).await;
        assert!(matches!(looked, Ok(Progress::Failed(_))), "{looked:?}");
    }

    #[test]
    fn an_answer_tells_whether_it_began_something() {
        let answer = |status, asynchronous: Option<&str>, location: Option<&str>| Answer {
            status,
            body: Value::Null,
            async_operation: asynchronous.map(str::to_owned),
            location: location.map(str::to_owned),
            retry_after: None,
        };
        assert_eq!(begun(&answer(201, Some("a"), Some("l"))), Some(PollUrl::AsyncOperation("a".into())));
        assert_eq!(begun(&answer(202, None, Some("l"))), Some(PollUrl::Location("l".into())));
        assert_eq!(begun(&answer(201, None, Some("l"))), None);
        assert_eq!(begun(&answer(200, None, None)), None);
    }
}
