//! Why an upgrade or a rollback did not do what it was started for.

use serde_json::{Value, json};

use super::text;
use crate::model::{End, Failure, Progress, Run, Verdict};

/// Of a run that goes back, why it does.
pub fn cause(run: &Run) -> Option<Failure> {
    let Progress::Ended { end, .. } = run.progress else {
        return run.fallback.as_ref().map(|fallback| fallback.cause.clone());
    };
    match end {
        End::Completed(Verdict::Succeeded) => None,
        End::Terminated => {
            let cancel = run.cancel.as_ref();
            let detail = cancel.map(|cancel| json!({"by": cancel.by, "reason": cancel.reason, "at": cancel.at}));
            let message = "It was terminated on request. Start it again when it is wanted.";
            Some(Failure::new("cancelled", message).with_detail(detail.unwrap_or_default()))
        }
        End::Failed | End::Completed(Verdict::Failed) => Some(run.failure.clone().unwrap_or_else(|| told_error(run))),
    }
}

/// The error in the output of a run that came to its end without success.
fn told_error(run: &Run) -> Failure {
    let error = run.output.get("error").unwrap_or(&Value::Null);
    let message = text(error, "message").or_else(|| error.as_str().map(str::to_owned));
    Failure::new(
        text(error, "code").as_deref().unwrap_or("upgrade_failed"),
        message.as_deref().unwrap_or("The upgrade failed; the build logs tell why."),
    )
    .with_detail(error.get("detail").cloned().unwrap_or_default())
}
