//! What a revision of some age and with some ailment says of itself. Words: recorded revisions and published texts.

use super::ailment::Ailment;
use super::revision::{READY, Revision};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct State {
    pub(super) provisioning: &'static str,
    pub(super) running: &'static str,
    pub(super) details: Option<String>,
    pub(super) health: &'static str,
    pub(super) error: Option<String>,
    pub(super) replicas: u64,
    /// Its replicas pass their readiness probes.
    pub(super) ready: bool,
    pub(super) trouble: Trouble,
}

/// What keeps containers from running.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    None,
    /// They are being created.
    Young,
    /// All run, none is ready.
    NotReady,
    Crashes {
        container: String,
        restarts: u64,
    },
    Pull {
        image: String,
    },
}

impl State {
    fn new(provisioning: &'static str, running: &'static str, health: &'static str) -> Self {
        Self {
            provisioning,
            running,
            details: None,
            health,
            error: None,
            replicas: 0,
            ready: false,
            trouble: Trouble::None,
        }
    }

    fn activating(replicas: u64, trouble: Trouble) -> Self {
        let details = Some(match replicas {
            0 => "Waiting for replicas to be scheduled".to_owned(),
            many => format!("The TargetReplicas ({many}) is not equal to the ready replicas (0)."),
        });
        Self { details, replicas, trouble, ..Self::new("Provisioned", "Activating", "None") }
    }
}

pub(super) fn grown(revision: &Revision) -> State {
    if !revision.active {
        return State::new("Deprovisioned", "Stopped", "None");
    }
    let refusal = revision.ailments.iter().find_map(|ailment| match ailment {
        Ailment::Refused { problem } => Some(problem.clone()),
        _ => None,
    });
    let replicas = revision.wanted_replicas();
    match (revision.age, refusal) {
        (0 | 1, _) | (2, Some(_)) => State::new("Provisioning", "Processing", "None"),
        (_, Some(problem)) => State {
            error: Some(problem.clone()),
            details: Some(problem),
            ..State::new("Failed", "Failed", "Unhealthy")
        },
        (2, None) => State::activating(0, Trouble::None),
        (3, None) if no_replicas(revision) => State::activating(0, Trouble::None),
        (3, None) => State::activating(replicas, Trouble::Young),
        (_, None) => mature(revision, replicas),
    }
}

fn no_replicas(revision: &Revision) -> bool {
    revision.ailments.contains(&Ailment::NoReplicas)
}

fn mature(revision: &Revision, replicas: u64) -> State {
    for ailment in &revision.ailments {
        match ailment {
            Ailment::Crashing { part } => return crashing(revision, part, replicas),
            Ailment::PullFails { image } => {
                return State {
                    details: Some(format!("{replicas}/{replicas} Waiting:ImagePullBackOff")),
                    replicas,
                    trouble: Trouble::Pull { image: image.clone() },
                    ..State::new("Provisioned", "Degraded", "Unhealthy")
                };
            }
            Ailment::NeverReady => return State::activating(replicas, Trouble::NotReady),
            Ailment::NoReplicas => return State::new("Provisioned", "Running", "None"),
            Ailment::Degrading { .. } if revision.degraded => {
                return State {
                    details: Some(format!("0/{replicas} replicas are ready")),
                    replicas,
                    trouble: Trouble::NotReady,
                    ..State::new("Provisioned", "Degraded", "Unhealthy")
                };
            }
            Ailment::Degrading { .. } | Ailment::Refused { .. } | Ailment::Unresponsive => {}
        }
    }
    State { replicas, ready: true, ..State::new("Provisioned", running(revision, replicas), "Healthy") }
}

/// First it is degraded, then given up, as recorded.
fn crashing(revision: &Revision, part: &str, replicas: u64) -> State {
    let container = revision.struck(part).to_owned();
    let restarts = u64::from(revision.age - READY + 1);
    let trouble = Trouble::Crashes { container: container.clone(), restarts };
    if revision.age < READY + 2 {
        let details = Some(format!("{replicas}/{replicas} Waiting:CrashLoopBackOff"));
        return State { details, replicas, trouble, ..State::new("Provisioned", "Degraded", "Unhealthy") };
    }
    let error = format!("Failed:{container}ContainerCrashing");
    State {
        details: Some(format!("{replicas}/{replicas} {error}")),
        error: Some(error),
        replicas,
        trouble,
        ..State::new("Failed", "Failed", "Unhealthy")
    }
}

/// A word that the service's description does not have was seen on healthy revisions; here on those that cannot
/// grow, and on some others.
fn running(revision: &Revision, replicas: u64) -> &'static str {
    let most = revision.template["scale"]["maxReplicas"].as_u64().unwrap_or(10);
    let some = revision.name.bytes().map(u64::from).sum::<u64>() % 3 == 0;
    if replicas >= most || some { "RunningAtMaxScale" } else { "Running" }
}
