//! What a look at a new revision says of it. Pure; the platform's words are open, so what is unknown is waited for.

use crate::azure::container_apps::{ContainerApp, HealthState, ProvisioningState, Replica, Revision, RunningState};

/// The state of a rollout at one look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Health {
    /// It is what the app offers, it is well, and it has the replicas that it is to have.
    Ready,
    /// Not ready, and nothing says that it will not be.
    Waiting(String),
    /// It looks sick. What is not `lasting` may pass.
    Sick { code: &'static str, what: String, lasting: bool },
}

/// `name` is the revision that was asked for.
pub fn judge(app: &ContainerApp, revision: Option<&Revision>, name: &str, min_replicas: u64) -> Health {
    let Some(revision) = revision else {
        return Health::Waiting(format!("revision {name} to appear"));
    };
    match well(revision, min_replicas) {
        Health::Ready if app.latest_ready_revision.as_deref() != Some(name) => {
            Health::Waiting(format!("the app to take revision {name} for ready"))
        }
        health => health,
    }
}

/// As [`judge`], whatever the app offers.
pub fn well(revision: &Revision, min_replicas: u64) -> Health {
    let (name, state) = (&revision.name, &revision.running_state);
    match &revision.provisioning_state {
        ProvisioningState::Provisioned => {}
        ProvisioningState::Failed => {
            let what = format!("the platform could not provision revision {name}{}", because(revision));
            return Health::Sick { code: "revision_failed", what, lasting: true };
        }
        other => return Health::Waiting(format!("revision {name} to be provisioned (it is {other:?})")),
    }
    let degraded = *state == RunningState::Degraded;
    if revision.health_state == HealthState::Unhealthy || revision.is_failed() || degraded {
        let what = format!("revision {name} is {:?} and {state:?}{}", revision.health_state, because(revision));
        return Health::Sick { code: "revision_unhealthy", what, lasting: false };
    }
    let replicas = u64::from(revision.replicas.unwrap_or_default());
    let may_rest = min_replicas == 0 && replicas == 0;
    if revision.is_running() && replicas == 0 && !may_rest {
        let what = format!("revision {name} is {state:?} and has no replica; it is to have {min_replicas}");
        return Health::Sick { code: "no_replicas", what, lasting: false };
    }
    if !revision.is_running() && !may_rest {
        return Health::Waiting(format!("revision {name} to run (it is {state:?})"));
    }
    Health::Ready
}

fn because(revision: &Revision) -> String {
    let told = [&revision.provisioning_error, &revision.running_state_details];
    let reasons: Vec<&str> = told.into_iter().flatten().map(String::as_str).collect();
    if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join("; ")) }
}

/// Why containers do not run, in the platform's words: a line for each that is not ready.
pub fn reasons(replicas: &[Replica]) -> Vec<String> {
    const MOST: usize = 12;
    let containers = replicas.iter().flat_map(|replica| replica.init_containers.iter().chain(&replica.containers));
    let mut found: Vec<String> = containers
        .filter(|container| !container.ready || container.restart_count > 0)
        .map(|container| {
            let told = container.details.as_deref().or(container.running_state.as_deref());
            let told = told.unwrap_or("no reason is told");
            format!("container {}: {told}, restarted {} times", container.name, container.restart_count)
        })
        .collect();
    found.sort();
    found.dedup();
    found.truncate(MOST);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NAME: &str = "app--v1";

    fn app(ready: &str) -> ContainerApp {
        let resource = json!({"id": "/x", "name": "app", "location": "East US", "properties": {
            "provisioningState": "Succeeded", "latestRevisionName": NAME, "latestReadyRevisionName": ready,
            "template": {},
        }});
        serde_json::from_value(resource).unwrap()
    }

    fn revision(provisioning: &str, running: &str, health: &str, replicas: u64) -> Revision {
        let resource = json!({"name": NAME, "properties": {
            "active": true, "provisioningState": provisioning, "runningState": running, "healthState": health,
            "replicas": replicas, "runningStateDetails": "1/1 Failed:crashing",
        }});
        serde_json::from_value(resource).unwrap()
    }

    fn verdict(ready: &str, revision: Option<&Revision>, min_replicas: u64) -> &'static str {
        match judge(&app(ready), revision, NAME, min_replicas) {
            Health::Ready => "ready",
            Health::Waiting(_) => "waiting",
            Health::Sick { code, .. } => code,
        }
    }

    #[test]
    fn ready_is_what_runs_is_well_and_is_what_the_app_offers() {
        for state in ["Running", "RunningAtMaxScale", "running"] {
            assert_eq!(verdict(NAME, Some(&revision("Provisioned", state, "Healthy", 1)), 1), "ready", "{state}");
        }
        let well = revision("Provisioned", "Running", "Healthy", 1);
        assert_eq!(verdict("app--v0", Some(&well), 1), "waiting");
        assert_eq!(verdict("", None, 1), "waiting");
    }

    #[test]
    fn an_app_that_may_rest_is_ready_without_replicas_and_another_is_not() {
        let resting = revision("Provisioned", "ScaledToZero", "None", 0);
        assert_eq!(verdict(NAME, Some(&resting), 0), "ready");
        assert_eq!(verdict(NAME, Some(&resting), 1), "waiting");
        assert_eq!(verdict(NAME, Some(&revision("Provisioned", "Running", "Healthy", 0)), 1), "no_replicas");
    }

    #[test]
    fn what_is_unknown_is_waited_for() {
        for (provisioning, running) in [("Provisioning", "Processing"), ("Provisioned", "Activating"), ("New", "New")] {
            assert_eq!(verdict(NAME, Some(&revision(provisioning, running, "None", 1)), 1), "waiting");
        }
    }

    #[test]
    fn a_failed_revision_is_sick_with_the_platforms_reason() {
        let crashing = revision("Failed", "Failed", "Unhealthy", 1);
        let Health::Sick { code, what, lasting } = judge(&app(NAME), Some(&crashing), NAME, 1) else { panic!("well") };
        assert_eq!((code, lasting), ("revision_failed", true));
        assert!(what.contains("1/1 Failed:crashing"), "{what}");
        let degraded = revision("Provisioned", "Degraded", "Healthy", 1);
        assert_eq!(verdict(NAME, Some(&degraded), 1), "revision_unhealthy");
    }

    #[test]
    fn containers_that_do_not_run_say_why() {
        let replica = json!({"name": "r", "properties": {"containers": [
            {"name": "api", "ready": false, "restartCount": 4, "runningStateDetails": "CrashLoopBackOff"},
            {"name": "web", "ready": true, "restartCount": 0, "runningStateDetails": "fine"},
        ]}});
        let replicas: Vec<Replica> = vec![serde_json::from_value(replica).unwrap()];
        assert_eq!(reasons(&replicas), ["container api: CrashLoopBackOff, restarted 4 times"]);
    }
}
