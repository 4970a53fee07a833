//! Misbehaviour on request: each fault is used up by what it matches.

use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Meets the next `count` requests with this method (any when absent) and with `path` somewhere in their path, or
    /// at its end when `path` ends with `$`.
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
    /// Meets the next `count` revisions that are made with `part` somewhere in their name or in one of their images.
    Revision {
        #[serde(default)]
        part: String,
        effect: RevisionEffect,
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
    /// The call takes effect, then this status is answered.
    FailLate { status: u16 },
    /// The call waits first; who hangs up meanwhile has called without effect.
    Slow { millis: u64 },
    /// The call takes effect, then its answer waits.
    SlowReply { millis: u64 },
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

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RevisionEffect {
    /// The container whose image has the fault's part, or else the first, exits after every start: first the revision
    /// is degraded, then failed.
    Crashing,
    /// It is provisioned and runs, and its readiness probe never passes.
    NeverReady,
    /// Its operation fails, because the registry does not let its image be pulled.
    ImageRefused,
    /// It counts as running and as ready, and has no replica.
    ZeroReplicas,
    /// It is well, and no longer so many seconds later.
    Degrading { after_s: u32, since: Since },
    /// It counts as healthy, and its application answers 503.
    Unresponsive,
}

/// What the time of a revision that degrades is counted from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// It passed its readiness probe.
    Ready,
    /// It got traffic.
    Traffic,
}

/// Takes the first fault that this request meets.
pub(super) fn met_by_request(faults: &mut Vec<Fault>, verb: &str, target: &str) -> Option<RequestEffect> {
    let index = faults.iter().position(|fault| {
        matches!(fault, Fault::Request { method, path, .. }
            if method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(verb)) && matches_path(path, target))
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

fn matches_path(wanted: &str, target: &str) -> bool {
    match wanted.strip_suffix('$') {
        Some(end) => target.ends_with(end),
        None => target.contains(wanted),
    }
}

/// Takes every fault that a revision of this name and of these images meets, each with its part.
pub(super) fn met_by_revision(faults: &mut Vec<Fault>, name: &str, images: &[String]) -> Vec<(RevisionEffect, String)> {
    let mut met = Vec::new();
    for fault in faults.iter_mut() {
        if let Fault::Revision { part, effect, count } = fault
            && (name.contains(part.as_str()) || images.iter().any(|image| image.contains(part.as_str())))
        {
            met.push((effect.clone(), part.clone()));
            *count = count.saturating_sub(1);
        }
    }
    faults.retain(|fault| !matches!(fault, Fault::Revision { count: 0, .. }));
    met
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
    fn a_path_may_be_tied_to_its_end() {
        assert!(matches_path("/app$", "/x/app") && !matches_path("/app$", "/x/app/revisions"));
        assert!(matches_path("/app", "/x/app/revisions"));
    }

    #[test]
    fn a_fault_of_revisions_meets_a_name_or_an_image() {
        let effect = RevisionEffect::NeverReady;
        let fault = Fault::Revision { part: "v2".into(), effect: effect.clone(), count: 2 };
        let mut faults = vec![fault];
        assert_eq!(met_by_revision(&mut faults, "app--v1", &["r/api:v1".into()]), []);
        assert_eq!(met_by_revision(&mut faults, "app--v2", &["r/api:v1".into()]), [(effect.clone(), "v2".into())]);
        assert_eq!(met_by_revision(&mut faults, "app--x", &["r/api:v2".into()]), [(effect, "v2".into())]);
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
