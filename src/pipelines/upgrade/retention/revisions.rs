//! Which revisions are stopped, and how many stopped ones the app keeps.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use serde_json::json;

use super::in_use::InUse;
use super::pruning::{LOG, Pause, miss};
use super::state::Revisions;
use crate::azure::container_apps::{ContainerApp, Revision, RevisionMode};
use crate::engine::PhaseError;
use crate::engine::context::PhaseContext;
use crate::pipelines::upgrade::Upgrade;
use crate::pipelines::upgrade::ports::Applied;

/// How often the app is told, if it does not seem to hear.
const MOST_ASKED: u32 = 3;

/// The active revisions beyond the newest `keep` that nothing leads to: no traffic, no label, no way back. Only an app
/// in multiple revision mode has more than one for long.
fn surplus(app: &ContainerApp, revisions: &[Revision], spared: &BTreeSet<String>, keep: usize) -> Vec<String> {
    if app.mode == RevisionMode::Single {
        return Vec::new();
    }
    let mut active: Vec<&Revision> = revisions.iter().filter(|revision| revision.active).collect();
    // One without a date is taken for the newest.
    active.sort_by_key(|revision| (revision.created.is_some(), Reverse(revision.created)));
    let newest = [&app.latest_revision, &app.latest_ready_revision];
    let needed = |revision: &Revision| {
        let name = Some(&revision.name);
        let led_to = app.traffic.iter().filter(|entry| entry.revision_name.as_ref() == name);
        spared.contains(&revision.name)
            || newest.iter().any(|known| known.as_ref() == name)
            || revision.traffic_weight.is_some_and(|weight| weight > 0)
            || led_to.into_iter().any(|entry| entry.weight > 0 || entry.label.is_some())
    };
    active.into_iter().skip(keep).filter(|revision| !needed(revision)).map(|revision| revision.name.clone()).collect()
}

/// Stops what is surplus, at most `budget` of them, and has the app keep as many as are wanted.
pub async fn tidy(
    ctx: &mut PhaseContext,
    upgrade: &Upgrade,
    in_use: &InUse,
    state: &mut Revisions,
    budget: &mut usize,
) -> Pause {
    let mut pause = Pause::default();
    let Some((app, revisions)) = in_use.app.as_ref().filter(|_| state.trouble.failure.is_none()) else {
        state.settled = true;
        return pause;
    };
    let surplus = surplus(app, revisions, &in_use.revisions, upgrade.rollout.keep_revisions);
    let mut answer = Ok(());
    for name in surplus.iter().take(*budget) {
        answer = upgrade.apps.deactivate(name).await;
        if answer.is_err() {
            break;
        }
        *budget -= 1;
        if state.deactivated.insert(name.clone()) {
            ctx.log(
                LOG,
                &format!("revision {name} is stopped: it has no traffic, no label and is not among the newest"),
            );
        }
    }
    let kept = match answer {
        Ok(()) => keep(ctx, upgrade, app, state).await,
        Err(error) => Err(error),
    };
    match kept {
        Ok(there) => {
            state.trouble.misses = 0;
            state.settled = there && surplus.is_empty();
        }
        Err(error) => miss(&mut state.trouble, error, &mut pause),
    }
    pause
}

/// Whether the app keeps as many stopped revisions as it is to.
async fn keep(
    ctx: &mut PhaseContext,
    upgrade: &Upgrade,
    app: &ContainerApp,
    state: &mut Revisions,
) -> Result<bool, PhaseError> {
    let wanted = upgrade.rollout.keep_revisions;
    if app.max_inactive_revisions.is_some_and(|known| usize::try_from(known) == Ok(wanted)) {
        return Ok(true);
    }
    if !app.provisioning_state.is_ended() {
        return Ok(false);
    }
    if state.asked >= MOST_ASKED {
        let message = format!(
            "the app was told {MOST_ASKED} times to keep {wanted} inactive revisions and does not; set it by hand: az \
             containerapp update --max-inactive-revisions {wanted}"
        );
        return Err(PhaseError::fatal("revisions_not_limited", message));
    }
    state.asked += 1;
    // It makes no revision, because it names nothing of the template.
    let change = upgrade.change_of(app, json!({"configuration": {"maxInactiveRevisions": wanted}}));
    match upgrade.apps.update(&change).await? {
        Applied::Done | Applied::Begun(_) => {
            let before = app.max_inactive_revisions.map_or_else(|| "its default".to_owned(), |count| count.to_string());
            ctx.log(LOG, &format!("the app is to keep {wanted} inactive revisions in place of {before}"));
            Ok(false)
        }
        Applied::Refused(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn app(mode: &str, traffic: Value) -> ContainerApp {
        serde_json::from_value(json!({"id": "/app", "name": "app", "properties": {
            "latestRevisionName": "r9", "latestReadyRevisionName": "r8",
            "configuration": {"activeRevisionsMode": mode, "ingress": {"traffic": traffic}}, "template": {},
        }}))
        .unwrap()
    }

    fn revisions() -> Vec<Revision> {
        let revision = |index: u32| {
            json!({"name": format!("r{index}"), "properties": {
                "active": index != 3, "createdTime": format!("2026-11-0{index}T00:00:00Z"),
                "trafficWeight": if index == 2 { 5 } else { 0 }, "template": {},
            }})
        };
        serde_json::from_value(Value::Array((1..=9).map(revision).collect())).unwrap()
    }

    #[test]
    fn only_what_nothing_leads_to_is_surplus() {
        let traffic = json!([
            {"revisionName": "r7", "weight": 95}, {"revisionName": "r4", "weight": 0, "label": "stable"},
            {"revisionName": "r2", "weight": 5},
        ]);
        let spared = BTreeSet::from(["r5".to_owned()]);
        // Newest two: r9, r8. Needed: r7 and r2 (traffic), r4 (label), r5 (way back). Not active: r3.
        assert_eq!(surplus(&app("Multiple", traffic), &revisions(), &spared, 2), ["r6", "r1"]);
    }

    #[test]
    fn the_newest_and_the_newest_that_was_ready_stay_even_if_none_is_to_be_kept() {
        let left = surplus(&app("Multiple", json!([])), &revisions(), &BTreeSet::new(), 0);
        assert_eq!(left, ["r7", "r6", "r5", "r4", "r1"]);
    }

    #[test]
    fn an_app_in_single_revision_mode_stops_its_revisions_by_itself() {
        assert!(surplus(&app("Single", json!([])), &revisions(), &BTreeSet::new(), 0).is_empty());
    }
}
