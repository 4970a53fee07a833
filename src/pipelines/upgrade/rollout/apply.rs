//! Brings one change into the app, in as many deliveries as that takes.
//!
//! The intent is committed before the change is sent, and the app is looked at before it is sent again: a change whose
//! answer was lost is known by what it made. Of one that was refused nothing remains.

use std::time::Duration;

use serde_json::Value;

use super::state::Change;
use crate::azure::container_apps::{ContainerApp, Poll, says_suffix_is_taken};
use crate::engine::PhaseError;
use crate::engine::context::PhaseContext;
use crate::model::Timestamp;
use crate::pipelines::upgrade::UpgradeState;
use crate::pipelines::upgrade::ports::{Applied, Apps};

/// A change that was there and is not for so long was undone by somebody else.
const MISSING: Duration = Duration::from_secs(20);

/// How far a change is.
#[derive(Debug)]
pub enum Way {
    /// The app has it, and no operation that is known of goes on.
    There(Box<ContainerApp>),
    /// It is on its way.
    Going { app: Box<ContainerApp>, after: Option<Duration> },
}

/// A change as a phase knows it.
pub struct Wanted<'a> {
    /// Where the run remembers it.
    pub change: fn(&mut UpgradeState) -> Option<&mut Change>,
    /// Whether the app has it.
    pub is_in: &'a (dyn Fn(&ContainerApp) -> bool + Sync),
    /// What to merge into the app as it is; an error keeps it from being sent.
    pub body: &'a (dyn Fn(&ContainerApp) -> Result<Value, PhaseError> + Sync),
    /// What it is, in a failure's message.
    pub what: &'a str,
}

/// Sends the change if the app does not have it, and looks at its operation.
pub async fn apply(
    ctx: &mut PhaseContext,
    apps: &dyn Apps,
    state: &mut UpgradeState,
    wanted: &Wanted<'_>,
) -> Result<Way, PhaseError> {
    let app = apps.app().await?;
    if (wanted.is_in)(&app) {
        note(ctx, state, wanted, |change, now| {
            change.sent_at.get_or_insert(now);
            change.accepted_at.get_or_insert(now);
            change.seen_at.get_or_insert(now);
            change.missing_since = None;
        })?;
        return follow(ctx, apps, state, wanted, app).await;
    }
    if remembered(state, wanted)?.seen_at.is_some() {
        let now = ctx.now();
        let since = *remembered(state, wanted)?.missing_since.get_or_insert(now);
        ctx.set_state(state)?;
        return match now >= since + MISSING {
            true => Err(changed(wanted.what)),
            false => Ok(Way::Going { app: Box::new(app), after: None }),
        };
    }
    if remembered(state, wanted)?.operation.is_some() {
        // Accepted, and not to be seen yet: a copy of the app that lags behind is no reason to send it again.
        match follow(ctx, apps, state, wanted, app).await? {
            Way::There(app) if !(wanted.is_in)(&app) => return Err(changed(wanted.what)),
            way => return Ok(way),
        }
    }
    let body = (wanted.body)(&app)?;
    let before = remembered(state, wanted)?.clone();
    note(ctx, state, wanted, |change, now| change.sent_at = Some(now))?;
    ctx.checkpoint().await?;
    match apps.update(&body).await? {
        Applied::Refused(error) => {
            // One that was sent before may yet come.
            note(ctx, state, wanted, |change, _| *change = before)?;
            Err(error)
        }
        Applied::Done => {
            note(ctx, state, wanted, |change, now| {
                change.accepted_at.get_or_insert(now);
            })?;
            Ok(Way::Going { app: Box::new(app), after: None })
        }
        Applied::Begun(operation) => {
            note(ctx, state, wanted, |change, now| {
                change.accepted_at.get_or_insert(now);
                change.operation = Some(operation);
            })?;
            // The address of the operation is told once.
            ctx.checkpoint().await?;
            Ok(Way::Going { app: Box::new(app), after: None })
        }
    }
}

/// Looks at the operation once, if there is one; the app itself knows the rest.
async fn follow(
    ctx: &mut PhaseContext,
    apps: &dyn Apps,
    state: &mut UpgradeState,
    wanted: &Wanted<'_>,
    app: ContainerApp,
) -> Result<Way, PhaseError> {
    let app = Box::new(app);
    let Some(operation) = remembered(state, wanted)?.operation.clone() else {
        return Ok(match app.provisioning_state.is_ended() {
            true => Way::There(app),
            false => Way::Going { app, after: None },
        });
    };
    let told = apps.operation(&operation).await?;
    match told {
        Some(Poll::Running { operation, after }) => {
            note(ctx, state, wanted, |change, _| change.operation = Some(operation))?;
            Ok(Way::Going { app, after })
        }
        // There is a revision of that name: ours, made by a call whose answer was lost.
        Some(Poll::Failed { message, .. }) if says_suffix_is_taken(&message) => {
            note(ctx, state, wanted, |change, _| change.operation = None)?;
            Ok(Way::Going { app, after: None })
        }
        Some(Poll::Failed { code, message }) => {
            note(ctx, state, wanted, |change, _| change.operation = None)?;
            let message = format!("{} failed: {message} ({code}); mend the cause, then try again", wanted.what);
            Err(PhaseError::fatal("update_failed", message))
        }
        Some(Poll::Canceled) => {
            note(ctx, state, wanted, |change, _| change.operation = None)?;
            let message = format!("{} was cancelled by the platform; try again", wanted.what);
            Err(PhaseError::fatal("update_cancelled", message))
        }
        Some(Poll::Succeeded) | None => {
            note(ctx, state, wanted, |change, _| change.operation = None)?;
            let app = apps.app().await?;
            Ok(match app.provisioning_state.is_ended() {
                true => Way::There(Box::new(app)),
                false => Way::Going { app: Box::new(app), after: None },
            })
        }
    }
}

/// The failure of a change that somebody else has undone; going back would undo theirs.
pub const CHANGED: &str = "app_changed";

fn changed(what: &str) -> PhaseError {
    let message = format!(
        "{what} was taken and is not in the app any more: somebody else has changed the app meanwhile, and it is left as they \
         made it; look at it (az containerapp show), then start again or roll back"
    );
    PhaseError::fatal(CHANGED, message)
}

fn remembered<'a>(state: &'a mut UpgradeState, wanted: &Wanted<'_>) -> Result<&'a mut Change, PhaseError> {
    (wanted.change)(state).ok_or_else(|| {
        PhaseError::fatal("rollout_lost", "the run does not know what it was to change; start the upgrade again")
    })
}

fn note(
    ctx: &mut PhaseContext,
    state: &mut UpgradeState,
    wanted: &Wanted<'_>,
    what: impl FnOnce(&mut Change, Timestamp),
) -> Result<(), PhaseError> {
    let now = ctx.now();
    what(remembered(state, wanted)?, now);
    ctx.set_state(state)
}
