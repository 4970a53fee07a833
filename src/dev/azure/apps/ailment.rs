//! What can ail a revision, and what its operation and its containers then say.

use time::OffsetDateTime;

use crate::dev::azure::faults::{RevisionEffect, Since};

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Ailment {
    /// The container of the image with this part exits soon after every start.
    Crashing { part: String },
    /// Its readiness probe never passes.
    NeverReady,
    /// It cannot be provisioned at all; the text says why.
    Refused { problem: String },
    /// It is provisioned and runs, and no replica comes.
    NoReplicas,
    /// It is well for so long.
    Degrading { after: time::Duration, since: Since },
    /// Its application answers 503, and nobody but a caller notices.
    Unresponsive,
    /// A container's image cannot be pulled again; the text names the image.
    PullFails { image: String },
}

impl Ailment {
    /// `None` for what is decided where the image is checked.
    pub(super) fn of(effect: &RevisionEffect, part: &str) -> Option<Self> {
        Some(match effect {
            RevisionEffect::Crashing => Self::Crashing { part: part.to_owned() },
            RevisionEffect::NeverReady => Self::NeverReady,
            RevisionEffect::ImageRefused => return None,
            RevisionEffect::ZeroReplicas => Self::NoReplicas,
            RevisionEffect::Degrading { after_s, since } => {
                Self::Degrading { after: time::Duration::seconds(*after_s as i64), since: *since }
            }
            RevisionEffect::Unresponsive => Self::Unresponsive,
        })
    }
}

pub(super) fn keeps_from_readiness(ailments: &[Ailment]) -> bool {
    ailments.iter().any(|ailment| {
        matches!(
            ailment,
            Ailment::Crashing { .. } | Ailment::NeverReady | Ailment::Refused { .. } | Ailment::PullFails { .. }
        )
    })
}

pub(super) fn degrades_at(
    ailments: &[Ailment],
    ready_at: Option<OffsetDateTime>,
    traffic_since: Option<OffsetDateTime>,
) -> Option<OffsetDateTime> {
    ailments.iter().find_map(|ailment| match ailment {
        Ailment::Degrading { after, since: Since::Ready } => ready_at.map(|at| at + *after),
        Ailment::Degrading { after, since: Since::Traffic } => ready_at.and(traffic_since).map(|at| at + *after),
        _ => None,
    })
}
