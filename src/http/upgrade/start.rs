//! POST /api/upgrade/start.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::status::UpgradeState;
use super::{PIPELINE, UpgradeAdmin, platform};
use crate::engine::{StartError, StartRequest};
use crate::http::answer;
use crate::http::body::JsonBody;
use crate::http::error::ApiError;
use crate::http::idempotency::idempotency_key_or;
use crate::http::params::reason;
use crate::http::router::HttpState;
use crate::model::{RunId, Timestamp};
use crate::pipelines::upgrade::{BadVersion, Sha, UpgradeInput, Version};

const RETRY_AFTER: u32 = 2;
const STATUS_PATH: &str = "/api/upgrade/status";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartUpgrade {
    target_version: String,
    target_sha: Option<String>,
    /// Anything but `true` is a no.
    #[serde(default)]
    confirm_downtime: Value,
    reason: Option<String>,
    idempotency_key: Option<String>,
}

#[derive(Serialize)]
struct Started {
    job_id: RunId,
    state: UpgradeState,
    target_version: String,
    target_sha: Option<String>,
    progress: u64,
    started_by: String,
    created_at: Timestamp,
    #[serde(rename = "statusQueryGetUri")]
    status_query_get_uri: &'static str,
    #[serde(rename = "terminatePostUri")]
    terminate_post_uri: String,
}

/// 202 with the queued state, and the same run again for the same key.
///
/// # Errors
/// 403 `not_an_admin`; 400 `invalid_version`, `invalid_sha`, `reason_too_long` and those of the body and the key;
/// 422 `downtime_not_confirmed`; 409 `upgrade_in_flight` and `idempotency_key_reused`; 503 `not_queued`, after which
/// the upgrade is idle again.
pub async fn start(
    State(state): State<HttpState>,
    UpgradeAdmin(caller): UpgradeAdmin,
    headers: HeaderMap,
    JsonBody(wanted): JsonBody<StartUpgrade>,
) -> Result<Response, ApiError> {
    let version = version(&wanted.target_version)?;
    let sha = wanted.target_sha.map(sha).transpose()?;
    if wanted.confirm_downtime != Value::Bool(true) {
        return Err(ApiError::unprocessable(
            "downtime_not_confirmed",
            "The platform is down while it is upgraded. Send `confirm_downtime`: true to agree.",
        ));
    }
    let reason = wanted.reason.map(|text| reason(&text)).transpose()?;
    let input = UpgradeInput {
        target_version: version.clone(),
        target_sha: sha.clone(),
        reason,
        strategy: None,
        plan_hash: None,
        allow_downgrade: false,
        confirm_major: false,
    };
    let input = serde_json::to_value(&input).map_err(|error| ApiError::internal(error.to_string()))?;
    let request = StartRequest {
        pipeline: PIPELINE,
        scope: platform(),
        input,
        started_by: caller.oid,
        idempotency_key: idempotency_key_or(&headers, wanted.idempotency_key)?,
    };
    let run = match state.engine.start(request).await {
        Ok(started) => started.run,
        Err(StartError::Busy { owner, .. }) => {
            return Err(ApiError::conflict(
                "upgrade_in_flight",
                format!(
                    "Upgrade {owner} is in flight. Wait for its end, or terminate it at /api/runs/{owner}/terminate."
                ),
            ));
        }
        Err(error) => return Err(error.into()),
    };
    let at = UpgradeState::of(&run);
    let started = Started {
        progress: at.percent(&run),
        state: at,
        target_version: version,
        target_sha: sha,
        started_by: run.started_by,
        created_at: run.created_at,
        status_query_get_uri: STATUS_PATH,
        terminate_post_uri: format!("/api/runs/{}/terminate", run.id),
        job_id: run.id,
    };
    Ok(answer::accepted(STATUS_PATH, RETRY_AFTER, started))
}

/// A version becomes part of a tag of git and of an image, so nothing else may get through.
fn version(text: &str) -> Result<String, ApiError> {
    let parsed = Version::parse(text);
    let refused =
        |_| ApiError::bad_request("invalid_version", format!("Give `target_version` as 1.2.3: {BadVersion}."));
    parsed.map(|version| version.as_str().to_owned()).map_err(refused)
}

/// In lower case.
fn sha(text: String) -> Result<String, ApiError> {
    Sha::parse(&text)
        .map(|sha| sha.as_str().to_owned())
        .ok_or_else(|| ApiError::bad_request("invalid_sha", "Give `target_sha` as 7 to 64 hexadecimal digits."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_three_numbers_and_a_suffix() {
        for text in ["0.0.1", "1.2.3", "10.20.30-rc.1", "1.2.3-commit.0a1b2c3", "1.2.3-alpha-2"] {
            assert_eq!(version(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn nothing_that_is_more_than_a_version_gets_through() {
        let long = format!("1.0.0-{}", "a".repeat(59));
        for text in [
            "",
            "1",
            "1.0",
            "v1.0.0",
            "1.0; rm -rf /",
            "1.0.0; rm -rf /",
            "../../etc",
            "1.0.0-../../etc",
            "1.0.0-..",
            "1.0.0-",
            "1.0.0-a.",
            "1.0.0+b",
            "1.0.0\n",
            "\n1.0.0",
            "1.0.0 ",
            "١.٢.٣",
            "1.0.0-é",
            "$(id)",
            "1.0.0-$(id)",
            &long,
        ] {
            assert_eq!(version(text).map_err(|e| e.code()), Err("invalid_version"), "{text:?}");
        }
    }

    #[test]
    fn a_sha_is_hexadecimal_and_of_a_sensible_length() {
        assert_eq!(sha("0A1b2c3".to_owned()).as_deref(), Ok("0a1b2c3"));
        assert!(sha("a".repeat(64)).is_ok());
        for text in ["", "abcdef", "abcdefg", &"a".repeat(65), "HEAD", "0a1b2c3 "] {
            assert_eq!(sha(text.to_owned()).map_err(|e| e.code()), Err("invalid_sha"), "{text:?}");
        }
    }
}
