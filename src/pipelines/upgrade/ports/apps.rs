//! The app that the platform runs as, and how it is asked whether it works.

use async_trait::async_trait;
use serde_json::Value;

use crate::azure::container_apps::{ContainerApp, Operation, Poll, Replica, Revision};
use crate::engine::PhaseError;

/// What became of a change that was asked for.
#[derive(Clone, PartialEq, Debug)]
pub enum Applied {
    /// It is done as far as there is something to wait for.
    Done,
    /// It goes on; this is where its state is told.
    Begun(Operation),
    /// Refused for good: nothing has changed. The message says what to do.
    Refused(PhaseError),
}

#[async_trait]
pub trait Apps: Send + Sync {
    /// Whether there is an app at all.
    fn is_configured(&self) -> bool;

    /// The app's name, of which its revisions' names are made.
    fn name(&self) -> &str;

    /// Where the app is, for commands that a person runs: subscription and resource group.
    fn place(&self) -> (&str, &str);

    async fn app(&self) -> Result<ContainerApp, PhaseError>;

    /// Merges `change` into the app. `Err`: nobody knows whether it took effect; look before asking again.
    async fn update(&self, change: &Value) -> Result<Applied, PhaseError>;

    /// `None`: the operation does not tell us; the app itself has to be read.
    async fn operation(&self, operation: &Operation) -> Result<Option<Poll>, PhaseError>;

    async fn revision(&self, name: &str) -> Result<Option<Revision>, PhaseError>;

    async fn revisions(&self) -> Result<Vec<Revision>, PhaseError>;

    async fn replicas(&self, revision: &str) -> Result<Vec<Replica>, PhaseError>;

    /// A second call changes nothing.
    async fn activate(&self, revision: &str) -> Result<(), PhaseError>;

    /// A second call changes nothing.
    async fn deactivate(&self, revision: &str) -> Result<(), PhaseError>;
}

/// What a revision answered when it was asked whether it works.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ready {
    Yes,
    /// It answered, and not well.
    No(String),
    /// There was no answer, which tells of the way as much as of the revision.
    Unknown(String),
}

#[async_trait]
pub trait Readiness: Send + Sync {
    /// Asks the revision once. `None`: nobody has said where to ask.
    async fn ask(&self, revision: &Revision) -> Option<Ready>;
}
