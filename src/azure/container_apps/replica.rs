//! A replica as the service tells it: where the reason of a crash is found.

use serde::Deserialize;

use crate::azure::lenient;
use crate::model::Timestamp;

/// One running copy of a revision.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(from = "ReplicaResource")]
pub struct Replica {
    pub name: String,
    pub created: Option<Timestamp>,
    /// `Running`, `NotRunning`, `Unknown`, …
    pub running_state: Option<String>,
    /// Redacted.
    pub running_state_details: Option<String>,
    pub containers: Vec<ReplicaContainer>,
    pub init_containers: Vec<ReplicaContainer>,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaContainer {
    pub name: String,
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub ready: bool,
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub started: bool,
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub restart_count: u32,
    /// `Running`, `Terminated`, `Waiting`, …
    #[serde(default, deserialize_with = "lenient::text")]
    pub running_state: Option<String>,
    /// Why it waits or ended, for example `CrashLoopBackOff`; redacted.
    #[serde(default, rename = "runningStateDetails", deserialize_with = "lenient::said")]
    pub details: Option<String>,
}

#[derive(Deserialize)]
struct ReplicaResource {
    name: String,
    properties: ReplicaProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReplicaProperties {
    #[serde(default, deserialize_with = "lenient::time")]
    created_time: Option<Timestamp>,
    #[serde(default, deserialize_with = "lenient::text")]
    running_state: Option<String>,
    #[serde(default, deserialize_with = "lenient::said")]
    running_state_details: Option<String>,
    #[serde(default, deserialize_with = "lenient::or_default")]
    containers: Vec<ReplicaContainer>,
    #[serde(default, deserialize_with = "lenient::or_default")]
    init_containers: Vec<ReplicaContainer>,
}

impl From<ReplicaResource> for Replica {
    fn from(resource: ReplicaResource) -> Self {
        let replica = resource.properties;
        Self {
            name: resource.name,
            created: replica.created_time,
            running_state: replica.running_state,
            running_state_details: replica.running_state_details,
            containers: replica.containers,
            init_containers: replica.init_containers,
        }
    }
}
