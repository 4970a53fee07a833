//! One look at a long operation. Waiting between two looks, and remembering the newest address, are the caller's.
//!
//! Source: the Resource Manager's asynchronous operations (`Azure-AsyncOperation` first, else `Location`).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::Answer;
use super::arm::ArmClient;
use super::error::AzureError;

const OPERATION: &str = "waiting for a long operation";

/// Where an operation can be looked at, by the header that told it. Addresses are signed, several thousand characters
/// long, and given anew with every look: keep the newest.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Tells its state in a word.
    AsyncOperation(String),
    /// Tells its state by the HTTP status.
    Location(String),
}

/// What a look showed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Poll {
    Running {
        /// Where to look next time.
        operation: Operation,
        /// Often told by the first answer alone.
        after: Option<Duration>,
    },
    /// The Resource Manager has carried it out; what became of it is to be read from the resource.
    Succeeded,
    /// The code is empty where none was given.
    Failed {
        code: String,
        message: String,
    },
    Canceled,
}

/// Where the operation that `answer` began can be looked at; `None` if the resource alone can tell.
pub(super) fn begun(answer: &Answer) -> Option<Operation> {
    let asynchronous = answer.async_operation.clone().map(Operation::AsyncOperation);
    let location = || answer.location.clone().filter(|_| answer.status == 202).map(Operation::Location);
    asynchronous.or_else(location)
}

/// Looks once. `Err` says nothing about the operation, least of all 403 (its address lies at the subscription, where
/// one may have no right) and 404 (too early, or long over): look again later, or read the resource.
pub(super) async fn poll(arm: &ArmClient, at: &Operation) -> Result<Poll, AzureError> {
    let answer = arm.follow(OPERATION, at.address()).await?;
    Ok(end(at, &answer).unwrap_or_else(|| Poll::Running { operation: newest(at, &answer), after: answer.retry_after }))
}

/// How the operation ended; `None` while it goes on.
fn end(at: &Operation, answer: &Answer) -> Option<Poll> {
    match (at, status(&answer.body)) {
        (Operation::AsyncOperation(_), Some("")) => None,
        (Operation::AsyncOperation(_), Some(status)) if status.eq_ignore_ascii_case("Succeeded") => {
            Some(Poll::Succeeded)
        }
        // Every word that is no end means that it goes on.
        (Operation::AsyncOperation(_), Some(status)) => bad_end(status, &answer.body),
        _ if answer.status == 202 => None,
        // The header may have named the place of the result, where the resource is the answer.
        _ => Some(failure(&answer.body).unwrap_or(Poll::Succeeded)),
    }
}

/// The bad end that the body of a success tells.
pub(super) fn failure(body: &Value) -> Option<Poll> {
    let provisioning = body.pointer("/properties/provisioningState").and_then(Value::as_str);
    [status(body), provisioning].into_iter().flatten().find_map(|word| bad_end(word, body))
}

fn status(body: &Value) -> Option<&str> {
    body.get("status").and_then(Value::as_str)
}

fn bad_end(word: &str, body: &Value) -> Option<Poll> {
    match word.to_ascii_lowercase().as_str() {
        "failed" => Some(reason(body)),
        "canceled" | "cancelled" => Some(Poll::Canceled),
        _ => None,
    }
}

fn reason(body: &Value) -> Poll {
    let error = body.get("error").filter(|error| !error.is_null());
    let told = error.map(|error| super::envelope::parse(error.to_string().as_bytes())).unwrap_or_default();
    let silent = || "it failed, and no reason was given there; the resource may tell more".to_owned();
    let message = Some(told.message).filter(|message| !message.is_empty()).unwrap_or_else(silent);
    Poll::Failed { code: told.code, message }
}

fn newest(at: &Operation, answer: &Answer) -> Operation {
    match (at, begun(answer)) {
        // A `Location` beside a state in words is where the result will be.
        (Operation::AsyncOperation(_), Some(Operation::Location(_))) if status(&answer.body).is_some() => at.clone(),
        (_, Some(newer)) => newer,
        (_, None) => at.clone(),
    }
}

impl Operation {
    fn address(&self) -> &str {
        match self {
            Self::AsyncOperation(address) | Self::Location(address) => address,
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::AsyncOperation(_) => "AsyncOperation",
            Self::Location(_) => "Location",
        };
        // The signature fills pages and helps nobody.
        let address = self.address().split_once('?').map_or(self.address(), |(address, _)| address);
        f.debug_tuple(name).field(&address).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::azure::testing::{Canned, FakeCredential, Server};
    use crate::azure::{Cloud, ErrorKind};

    fn arm(server: &Server) -> ArmClient {
        let cloud = Cloud::custom(&server.url(""), "https://login.invalid", "local").unwrap();
        ArmClient::new(&cloud, Arc::new(FakeCredential)).unwrap()
    }

    fn asynchronous(server: &Server) -> Operation {
        Operation::AsyncOperation(server.url("/statuses/1?api-version=2024-03-01&t=1"))
    }

    fn location(server: &Server) -> Operation {
        Operation::Location(server.url("/results/1?api-version=2024-03-01&t=1"))
    }

    fn going(operation: &Operation) -> Poll {
        Poll::Running { operation: operation.clone(), after: None }
    }

    #[tokio::test]
    async fn a_state_in_words_is_read_in_any_case_and_an_unknown_word_means_that_it_goes_on() {
        let words = ["InProgress", "Rebalancing", "", "succeeded", "Canceled", "cancelled"];
        let server = Server::start(words.map(|word| Canned::json(200, json!({"name": "1", "status": word})))).await;
        let (arm, at) = (arm(&server), asynchronous(&server));
        for _ in 0..3 {
            assert_eq!(poll(&arm, &at).await, Ok(going(&at)));
        }
        assert_eq!(poll(&arm, &at).await, Ok(Poll::Succeeded));
        assert_eq!(poll(&arm, &at).await, Ok(Poll::Canceled));
        assert_eq!(poll(&arm, &at).await, Ok(Poll::Canceled));
        // The address brings its own version.
        assert_eq!(server.seen()[0].target, "/statuses/1?api-version=2024-03-01&t=1");
    }

    #[tokio::test]
    async fn the_newest_address_is_handed_back_at_every_look() {
        let signed = format!("https://management.azure.com/results/1?t=2&c={}", "x".repeat(4000));
        let again = Canned::empty(202).with_header("location", &signed).with_header("retry-after", "5");
        let server = Server::start([again, Canned::json(200, json!({"id": "/the/app"}))]).await;
        let (arm, at) = (arm(&server), location(&server));
        let operation = Operation::Location(signed);
        assert_eq!(serde_json::from_value::<Operation>(json!(operation)).unwrap(), operation);
        assert!(format!("{operation:?}").len() < 100, "{operation:?}");
        assert_eq!(poll(&arm, &at).await, Ok(Poll::Running { operation, after: Some(Duration::from_secs(5)) }));
        assert_eq!(poll(&arm, &at).await, Ok(Poll::Succeeded));

        let renewed = Canned::json(200, json!({"status": "InProgress"}));
        let renewed = renewed.with_header("azure-asyncoperation", "https://x/2").with_header("location", "https://x/r");
        let result = Canned::json(202, json!({"status": "InProgress"})).with_header("location", "https://x/r");
        let server = Server::start([renewed, result]).await;
        let at = asynchronous(&server);
        let arm = self::arm(&server);
        assert_eq!(poll(&arm, &at).await, Ok(going(&Operation::AsyncOperation("https://x/2".into()))));
        assert_eq!(poll(&arm, &at).await, Ok(going(&at)));
    }

    #[tokio::test]
    async fn a_header_for_words_that_names_the_place_of_the_result_is_followed_all_the_same() {
        let app = |state| Canned::json(200, json!({"properties": {"provisioningState": state}}));
        let moved = Canned::empty(202).with_header("location", "https://x/results/1?t=2");
        let server = Server::start([moved, app("Succeeded"), app("Failed"), Canned::empty(200)]).await;
        let (arm, at) = (arm(&server), asynchronous(&server));
        assert_eq!(poll(&arm, &at).await, Ok(going(&Operation::Location("https://x/results/1?t=2".into()))));
        assert_eq!(poll(&arm, &at).await, Ok(Poll::Succeeded));
        assert!(matches!(poll(&arm, &at).await, Ok(Poll::Failed { .. })));
        assert_eq!(poll(&arm, &at).await, Ok(Poll::Succeeded));
    }

    #[tokio::test]
    async fn a_failure_inside_a_success_is_found_with_its_reason() {
        let reason = "Failed to provision revision for container app. Error details: it already exists";
        let failed = json!({"status": "Failed", "error": {"code": "ContainerAppOperationError", "message": reason}});
        let silent = json!({"properties": {"provisioningState": "Failed"}});
        let answers = [failed.clone(), failed, silent].map(|body| Canned::json(200, body));
        let server = Server::start(answers).await;
        let arm = arm(&server);
        let told = Poll::Failed { code: "ContainerAppOperationError".into(), message: reason.into() };
        assert_eq!(poll(&arm, &asynchronous(&server)).await, Ok(told.clone()));
        assert_eq!(poll(&arm, &location(&server)).await, Ok(told));
        let looked = poll(&arm, &location(&server)).await;
        assert!(matches!(&looked, Ok(Poll::Failed { code, message }) if code.is_empty() && !message.is_empty()));
    }

    #[tokio::test]
    async fn an_address_that_may_not_be_read_or_is_gone_or_leads_elsewhere_says_nothing_of_the_operation() {
        let refused = json!({"error": {"code": "AuthorizationFailed", "message": "no containerappOperationStatuses"}});
        let server = Server::start([Canned::json(403, refused), Canned::empty(404)]).await;
        let (arm, at) = (arm(&server), asynchronous(&server));
        assert_eq!(poll(&arm, &at).await.unwrap_err().kind, ErrorKind::Forbidden);
        assert_eq!(poll(&arm, &at).await.unwrap_err().kind, ErrorKind::NotFound);
        let elsewhere = Operation::Location("https://management.azure.com.evil.example/1".into());
        assert_eq!(poll(&arm, &elsewhere).await.unwrap_err().kind, ErrorKind::Invalid);
        assert_eq!(server.seen().len(), 2);
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
        assert_eq!(begun(&answer(201, Some("a"), Some("l"))), Some(Operation::AsyncOperation("a".into())));
        assert_eq!(begun(&answer(202, None, Some("l"))), Some(Operation::Location("l".into())));
        assert_eq!(begun(&answer(201, None, Some("l"))), None);
        assert_eq!(begun(&answer(200, None, None)), None);
    }
}
