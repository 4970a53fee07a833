//! Patience with a revision, and what is said of one that has used it up.

use std::time::Duration;

use serde_json::{Value, json};

use super::judge::{Health, reasons, well};
use crate::azure::container_apps::{Revision, TrafficWeight};
use crate::engine::PhaseError;
use crate::engine::context::PhaseContext;
use crate::model::{Failure, Timestamp};
use crate::pipelines::upgrade::ports::Apps;

/// How long a revision is waited for.
pub struct Patience {
    pub began: Timestamp,
    /// From there to being ready.
    pub limit: Duration,
    /// How long it may look sick without a break.
    pub grace: Duration,
}

/// The failure that a state amounts to, once it has lasted too long. `sick_since` remembers since when it looks sick.
pub fn outlasted(
    health: &Health,
    sick_since: &mut Option<Timestamp>,
    now: Timestamp,
    patience: &Patience,
) -> Option<Failure> {
    match health {
        Health::Ready => {
            *sick_since = None;
            None
        }
        Health::Sick { code, what, lasting } => {
            let since = *sick_since.get_or_insert(now);
            let enough = *lasting || now >= since + patience.grace || now >= patience.began + patience.limit;
            enough.then(|| Failure::new(*code, what))
        }
        Health::Waiting(what) => {
            *sick_since = None;
            let message = format!(
                "after {} s the rollout still waits for {what}; look at the revision's logs in the portal (az containerapp \
                 logs show), mend the cause, then retry",
                patience.limit.as_secs()
            );
            (now >= patience.began + patience.limit).then(|| Failure::new("rollout_timed_out", message))
        }
    }
}

/// The failure with what the replicas say, in the log too.
pub async fn failed(
    ctx: &mut PhaseContext,
    apps: &dyn Apps,
    revision: &str,
    failure: Failure,
    log: &str,
) -> PhaseError {
    let reasons = match apps.replicas(revision).await {
        Ok(replicas) => reasons(&replicas),
        Err(error) => vec![format!("what its replicas say cannot be read: {error}")],
    };
    let advice = "look at its logs (az containerapp logs show), mend the cause, then retry or start another version";
    let told = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
    let message = match failure.code.as_str() {
        "rollout_timed_out" => format!("{}{told}", failure.message),
        _ => format!("{}{told}; {advice}", failure.message),
    };
    ctx.log(log, &message);
    let detail = json!({"revision": revision, "containers": reasons});
    PhaseError::Fatal(Failure::new(failure.code, message).with_detail(detail))
}

/// Of a revision that the app is not to offer yet.
pub fn unoffered(revision: Option<&Revision>, name: &str, min_replicas: u64) -> Health {
    match revision {
        None => Health::Waiting(format!("revision {name} to appear")),
        Some(revision) => well(revision, min_replicas),
    }
}

/// The traffic as it is, with what goes to "the latest" on `latest`, the newest revision that was ready. Labels stay.
pub fn pinned(traffic: &[TrafficWeight], latest: &str) -> Vec<TrafficWeight> {
    let mut entries: Vec<TrafficWeight> = traffic.to_vec();
    for entry in entries.iter_mut().filter(|entry| entry.latest_revision) {
        entry.latest_revision = false;
        entry.revision_name = Some(latest.to_owned());
    }
    if entries.iter().all(|entry| entry.weight == 0) {
        entries.push(all(latest));
    }
    merged(entries)
}

/// All traffic to one revision; labels stay where they are, with no weight.
pub fn all_to(traffic: &[TrafficWeight], revision: &str) -> Vec<TrafficWeight> {
    let mut entries = vec![all(revision)];
    for entry in traffic.iter().filter(|entry| entry.label.is_some() && !entry.latest_revision) {
        match entry.revision_name.as_deref() == Some(revision) {
            true => entries.iter_mut().for_each(|first| first.label.clone_from(&entry.label)),
            false => entries.push(TrafficWeight { weight: 0, ..entry.clone() }),
        }
    }
    merged(entries)
}

/// What to merge into an app to give it this traffic. It makes no revision.
pub fn configuration(traffic: &[TrafficWeight]) -> Value {
    json!({"configuration": {"ingress": {"traffic": traffic}}})
}

/// Whether all traffic goes to that revision.
pub fn goes_all_to(traffic: &[TrafficWeight], revision: &str) -> bool {
    let to = |entry: &&TrafficWeight| !entry.latest_revision && entry.revision_name.as_deref() == Some(revision);
    traffic.iter().filter(to).map(|entry| entry.weight).sum::<u32>() == 100
}

/// Whether two tables send the same shares to the same places.
pub fn same(one: &[TrafficWeight], other: &[TrafficWeight]) -> bool {
    let carries = |table: &[TrafficWeight]| {
        let weighted = table.iter().filter(|entry| entry.weight > 0 || entry.label.is_some());
        let mut kept: Vec<_> = weighted
            .map(|entry| (entry.revision_name.clone(), entry.latest_revision, entry.weight, entry.label.clone()))
            .collect();
        kept.sort();
        kept
    };
    carries(one) == carries(other)
}

fn all(revision: &str) -> TrafficWeight {
    TrafficWeight { revision_name: Some(revision.to_owned()), latest_revision: false, weight: 100, label: None }
}

/// One entry for each revision and label.
pub fn merged(entries: Vec<TrafficWeight>) -> Vec<TrafficWeight> {
    let mut kept: Vec<TrafficWeight> = Vec::new();
    for entry in entries {
        let same =
            |known: &&mut TrafficWeight| known.revision_name == entry.revision_name && known.label == entry.label;
        match kept.iter_mut().find(same) {
            Some(known) => known.weight += entry.weight,
            None => kept.push(entry),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience =
        Patience { began: Timestamp::from_millis(0), limit: Duration::from_secs(600), grace: Duration::from_secs(60) };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn sick(lasting: bool) -> Health {
        Health::Sick { code: "revision_unhealthy", what: "it is sick".to_owned(), lasting }
    }

    #[test]
    fn a_short_sickness_passes_and_a_long_one_is_a_failure() {
        let mut since = None;
        assert_eq!(outlasted(&sick(false), &mut since, at(10), &PATIENCE), None);
        assert_eq!(outlasted(&sick(false), &mut since, at(69), &PATIENCE), None);
        assert_eq!(outlasted(&Health::Waiting("x".into()), &mut since, at(70), &PATIENCE), None);
        assert_eq!(outlasted(&sick(false), &mut since, at(80), &PATIENCE), None);
        let failure = outlasted(&sick(false), &mut since, at(140), &PATIENCE);
        assert_eq!(failure.map(|failure| failure.code).as_deref(), Some("revision_unhealthy"));
        assert!(outlasted(&sick(true), &mut None, at(1), &PATIENCE).is_some());
    }

    #[test]
    fn a_wait_ends_with_its_limit_and_says_what_for() {
        let waiting = Health::Waiting("the moon".to_owned());
        assert_eq!(outlasted(&waiting, &mut None, at(599), &PATIENCE), None);
        let failure = outlasted(&waiting, &mut None, at(600), &PATIENCE).unwrap();
        assert!(failure.code == "rollout_timed_out" && failure.message.contains("the moon"), "{failure}");
    }

    fn entry(revision: Option<&str>, weight: u32, label: Option<&str>) -> TrafficWeight {
        TrafficWeight {
            revision_name: revision.map(str::to_owned),
            latest_revision: revision.is_none(),
            weight,
            label: label.map(str::to_owned),
        }
    }

    #[test]
    fn traffic_to_the_latest_is_pinned_to_what_serves() {
        let traffic = [entry(None, 80, None), entry(Some("a--1"), 20, Some("stable"))];
        assert_eq!(
            json!(pinned(&traffic, "a--2")),
            json!([{"revisionName": "a--2", "weight": 80}, {"revisionName": "a--1", "weight": 20, "label": "stable"}])
        );
        assert_eq!(json!(pinned(&[], "a--2")), json!([{"revisionName": "a--2", "weight": 100}]));
    }

    #[test]
    fn a_flip_moves_all_the_weight_and_leaves_labels() {
        let traffic = [entry(Some("a--1"), 100, Some("stable"))];
        let flipped = all_to(&traffic, "a--2");
        assert_eq!(
            json!(flipped),
            json!([{"revisionName": "a--2", "weight": 100}, {"revisionName": "a--1", "weight": 0, "label": "stable"}])
        );
        assert!(goes_all_to(&flipped, "a--2") && !goes_all_to(&flipped, "a--1"));
    }
}
