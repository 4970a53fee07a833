//! Misbehaviour on request: each fault is used up by what it matches.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::arm_error::ArmError;
use super::storage;
use super::storage_error::StorageError;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Meets the next `count` requests with this method (any when absent) and with `path` somewhere in their path.
    Request {
        #[serde(default)]
        method: Option<String>,
        #[serde(default)]
        path: String,
        effect: RequestEffect,
        /// Matching requests that pass unharmed first.
        #[serde(default)]
        after: u32,
        #[serde(default = "once")]
        count: u32,
    },
    /// Meets the next `count` builds with `image` somewhere in one of their image names.
    Build {
        #[serde(default)]
        image: String,
        effect: BuildEffect,
        #[serde(default = "once")]
        count: u32,
    },
}

fn once() -> u32 {
    1
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RequestEffect {
    /// 429, or Storage's 503 ServerBusy; nothing happens.
    Throttle { retry_after_s: u64 },
    /// This status; nothing happens. `html` gives a gateway's page instead of JSON.
    Fail {
        status: u16,
        #[serde(default)]
        html: bool,
        #[serde(default)]
        retry_after_s: Option<u64>,
    },
    /// The connection closes; nothing happens.
    Drop,
    /// The call takes effect, then the connection closes.
    LoseReply,
    /// The call waits first.
    Slow { millis: u64 },
    /// The shared access signature is treated as expired.
    ExpiredSignature,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum BuildEffect {
    /// The step with this number, counted from 1, prints these lines and fails.
    FailStep { step: usize, lines: Vec<String> },
    /// The run passes its time limit in this step.
    TimeOutInStep { step: usize },
    /// The agent dies in this step: status Error.
    AgentFailsInStep { step: usize },
    /// No agent ever comes.
    StuckQueued,
    /// The log stays this many beats behind the run.
    LogLag { beats: usize },
}

impl RequestEffect {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Throttle { .. } => "throttle",
            Self::Fail { .. } => "fail",
            Self::Drop => "drop",
            Self::LoseReply => "lose_reply",
            Self::Slow { .. } => "slow",
            Self::ExpiredSignature => "expired_signature",
        }
    }

    pub(super) fn delay(&self) -> Option<Duration> {
        match self {
            Self::Slow { millis } => Some(Duration::from_millis(*millis)),
            _ => None,
        }
    }

    /// The answer that replaces the call's own.
    pub(super) fn instead(&self, path: &str) -> Option<Response> {
        let response = match self {
            Self::Throttle { retry_after_s } if storage::owns(path) => {
                retry_after(StorageError::BUSY.into_response(), Some(*retry_after_s))
            }
            Self::Throttle { retry_after_s } => {
                retry_after(failure(StatusCode::TOO_MANY_REQUESTS, path), Some(*retry_after_s))
            }
            Self::Fail { status, html, retry_after_s } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let body = if *html { page(status) } else { failure(status, path) };
                retry_after(body, *retry_after_s)
            }
            Self::ExpiredSignature => {
                StorageError::authentication("Signature not valid in the specified time frame").into_response()
            }
            Self::Drop | Self::LoseReply | Self::Slow { .. } => return None,
        };
        Some(response)
    }
}

fn failure(status: StatusCode, path: &str) -> Response {
    if storage::owns(path) {
        return (status, [(header::CONTENT_TYPE, "application/xml")], Body::empty()).into_response();
    }
    let (code, message) = match status.as_u16() {
        429 => ("TooManyRequests", "The request is being throttled."),
        403 => ("AuthorizationFailed", "The client does not have authorization to perform the action over the scope."),
        503 => ("ServerTimeout", "The server is too busy to take the request."),
        _ => ("InternalServerError", "Encountered internal server error."),
    };
    ArmError::new(status, code, message).into_response()
}

fn page(status: StatusCode) -> Response {
    let body = format!(
        "<html><head><title>{status}</title></head><body><h2>Our services aren't available right now</h2><p>Ref A: 0 Ref B: 0 Ref C: 0</p></body></html>"
    );
    (status, [(header::CONTENT_TYPE, "text/html")], body).into_response()
}

fn retry_after(mut response: Response, seconds: Option<u64>) -> Response {
    if let Some(seconds) = seconds {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Takes the first fault that this request meets.
pub(super) fn met_by_request(faults: &mut Vec<Fault>, verb: &str, target: &str) -> Option<RequestEffect> {
    let index = faults.iter().position(|fault| {
        matches!(fault, Fault::Request { method, path, .. }
            if method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(verb)) && target.contains(path.as_str()))
    })?;
    let Some(Fault::Request { effect, after, count, .. }) = faults.get_mut(index) else { return None };
    if *after > 0 {
        *after -= 1;
        return None;
    }
    let effect = effect.clone();
    *count = count.saturating_sub(1);
    if *count == 0 {
        faults.remove(index);
    }
    Some(effect)
}

/// Takes every fault that a build of these images meets.
pub(super) fn met_by_build(faults: &mut Vec<Fault>, images: &[String]) -> Vec<BuildEffect> {
    let mut met = Vec::new();
    for fault in faults.iter_mut() {
        if let Fault::Build { image, effect, count } = fault
            && (image.is_empty() || images.iter().any(|name| name.contains(image.as_str())))
        {
            met.push(effect.clone());
            *count = count.saturating_sub(1);
        }
    }
    faults.retain(|fault| !matches!(fault, Fault::Build { count: 0, .. }));
    met
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drop_posts(after: u32, count: u32) -> Vec<Fault> {
        let effect = RequestEffect::Drop;
        vec![Fault::Request { method: Some("POST".into()), path: "/scheduleRun".into(), effect, after, count }]
    }

    #[test]
    fn a_fault_meets_as_many_requests_as_it_counts_and_is_gone() {
        let mut faults = drop_posts(1, 2);
        let mut meet = |verb, path| met_by_request(&mut faults, verb, path).is_some();
        assert!(!meet("GET", "/x/scheduleRun"));
        assert!(!meet("POST", "/x/runs"));
        assert!(!meet("POST", "/x/scheduleRun"));
        assert!(meet("post", "/x/scheduleRun"));
        assert!(meet("POST", "/x/scheduleRun"));
        assert!(!meet("POST", "/x/scheduleRun"));
        assert!(faults.is_empty());
    }

    #[test]
    fn a_fault_of_builds_meets_only_its_images() {
        let effect = BuildEffect::StuckQueued;
        let mut faults = vec![Fault::Build { image: "elb-api".into(), effect: effect.clone(), count: 1 }];
        assert_eq!(met_by_build(&mut faults, &["elb-frontend:v1".into()]), []);
        assert_eq!(met_by_build(&mut faults, &["elb-api:v1".into()]), [effect]);
        assert!(faults.is_empty());
    }

    #[test]
    fn a_fault_reads_as_json() {
        let fault: Fault = serde_json::from_value(serde_json::json!({
            "on": "request", "method": "POST", "path": "cancel", "effect": {"kind": "throttle", "retry_after_s": 2}
        }))
        .unwrap();
        assert!(matches!(fault, Fault::Request { count: 1, effect: RequestEffect::Throttle { retry_after_s: 2 }, .. }));
    }
}
