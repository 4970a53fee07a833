//! How upgrades are rolled out here, for how long each step may take, and what is kept afterwards.

use std::time::Duration;

use super::rollout::Strategy;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RolloutSettings {
    /// Where a start does not name one.
    pub strategy: Strategy,
    /// Whether what fails goes back by itself.
    pub auto_rollback: bool,
    /// The pause between two looks at a revision.
    pub poll: Duration,
    /// From the accepted change to a ready revision.
    pub rollout: Duration,
    /// How long a revision may look sick before it is given up.
    pub grace: Duration,
    /// How long a revision may take to prove itself without traffic.
    pub validate: Duration,
    /// How long it is watched under traffic.
    pub confirm: Duration,
    /// How long a person may take to decide what the validation could not.
    pub verdict: Duration,
    /// How long somebody may take to agree; none: nobody has to.
    pub approval: Option<Duration>,
    /// How long after an upgrade a call can go back.
    pub rollback_window: Duration,
    pub keep_images: usize,
    pub keep_revisions: usize,
}

impl Default for RolloutSettings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            strategy: Strategy::InPlace,
            auto_rollback: true,
            poll: seconds(10),
            rollout: seconds(600),
            grace: seconds(60),
            validate: seconds(900),
            confirm: seconds(300),
            verdict: seconds(3_600),
            approval: None,
            rollback_window: seconds(7 * 24 * 3_600),
            keep_images: 5,
            keep_revisions: 10,
        }
    }
}
