//! What must hold of an upgrade that is over, whatever was struck on its way.

use std::time::Duration;

use windlass::model::{End, Progress, Run, Timestamp, Verdict};
use windlass::pipelines::upgrade::{Build as Known, SPEC, UpgradeState, build_log};

use super::builder::{Build, Builder, COMMIT, digest};
use super::platform::Platform;
use super::rolled;
use super::world::{Mode, Operation, World};

/// Longer than any delivery with its commit and any lease.
const AROUND: Duration = Duration::from_secs(300);
/// Failures of storage in a row that a worker gives up over.
const TOO_MANY: usize = 5;

pub fn state(run: &Run) -> UpgradeState {
    if run.state.is_null() {
        return UpgradeState::default();
    }
    serde_json::from_value(run.state.clone()).expect("the upgrade's own state")
}

/// Everything that an ended upgrade does not keep.
pub fn breaches(world: &World, run: &Run, platform: &Platform) -> Vec<String> {
    let builder = &platform.builder;
    let Progress::Ended { end, at } = run.progress else { return Vec::new() };
    let (state, trace) = (state(run), world.trace());
    let code = run.failure.as_ref().map(|failure| failure.code.as_str());
    let mut breaches = Vec::new();
    for (name, known) in &state.builds {
        let told_of = code == Some("build_failed")
            && run.failure.as_ref().is_some_and(|failure| failure.detail["component"] == name.as_str());
        let whole = end == End::Completed(Verdict::Succeeded) || told_of;
        let log = world.log(run, SPEC.logs, &build_log(name));
        breaches.extend(log_breach(builder, name, known, &log, whole));
    }
    if end == End::Completed(Verdict::Succeeded) && run.pipeline == SPEC.name {
        breaches.extend(missing_images(builder, run, &state));
    }
    if end == End::Failed && code.is_none() {
        breaches.push("it failed without a cause".to_owned());
    }
    breaches.extend(builder.look(|registered| {
        let version = run.input["target_version"].as_str().unwrap_or_default();
        let tag = format!(":v{version}");
        let began = registered.builds.iter().filter(|(_, build)| {
            build.order.image.ends_with(&tag) && (run.created_at..=at).contains(&build.scheduled_at)
        });
        began.filter_map(|(id, build)| build_breach(id, build, &state, &trace, at)).collect::<Vec<_>>()
    }));
    let left = builder.look(|registered| registered.workspaces.contains(&run.id.to_string()));
    if left && !struck(&trace, |each| each.name == format!("outside discard {}", run.id) || is_death(each)) {
        breaches.push("its workspace is left".to_owned());
    }
    breaches.extend(rolled::breaches(world, run, &state, &platform.app));
    breaches.into_iter().map(|what| format!("{} ({end:?}, {code:?}): {what}", run.id)).collect()
}

/// I6: the log is what the builder said; of a run that was cut short, the beginning of it.
fn log_breach(builder: &Builder, name: &str, known: &Known, log: &str, whole: bool) -> Option<String> {
    let said = known.run_id.as_ref().map(|id| builder.look(|registered| registered.builds[id].whole_log()));
    let said = said.unwrap_or_default();
    let fits = if whole { log == said } else { said.starts_with(log) };
    (!fits).then(|| format!("I6: the log of {name} reads {log:?} and the builder said {said:?}"))
}

fn missing_images(builder: &Builder, run: &Run, state: &UpgradeState) -> Vec<String> {
    let mut breaches = Vec::new();
    let whole = if state.rollout.is_some() { 100 } else { 70 };
    if state.commit.as_deref() != Some(COMMIT) || state.progress != whole {
        breaches.push(format!("it succeeded with {:?} at {} %", state.commit, state.progress));
    }
    for name in builder.habits().components {
        let build = state.builds.get(*name);
        let made = build.and_then(|build| build.run_id.as_deref()).map(digest);
        let recorded = build.and_then(|build| build.digest.clone());
        let shown = run.output["images"][name]["digest"].as_str().map(str::to_owned);
        if made.is_none() || recorded != made || shown != made {
            breaches.push(format!("the image of {name} is {made:?}, known as {recorded:?}, shown as {shown:?}"));
        }
    }
    breaches
}

/// A build goes on after its run only if nobody knows of it, or if its cancellation was struck.
fn build_breach(
    id: &str,
    build: &Build,
    state: &UpgradeState,
    trace: &[Operation],
    ended_at: Timestamp,
) -> Option<String> {
    let known = state.builds.values().any(|known| known.run_id.as_deref() == Some(id));
    if !known {
        let own = format!("outside schedule {}", build.order.image);
        return (!may_be_forgotten(build, &own, trace)).then(|| format!("build {id} was forgotten"));
    }
    let goes_on = build.is_live(ended_at) && build.cancelled_at.is_none();
    let cancel = format!("outside cancel {id}");
    let excused = struck(trace, |each| each.name == cancel || (is_death(each) && each.at + AROUND >= ended_at));
    (goes_on && !excused).then(|| format!("build {id} goes on"))
}

/// Whether something has kept the build's id from being written down: its reply was lost, or its caller died or lost
/// its lease.
fn may_be_forgotten(build: &Build, own: &str, trace: &[Operation]) -> bool {
    let around = |each: &&Operation| {
        each.at + AROUND >= build.scheduled_at && each.at <= build.scheduled_at + AROUND && each.struck.is_some()
    };
    let near: Vec<&Operation> = trace.iter().filter(around).collect();
    let of_storage = |each: &&&Operation| !each.name.starts_with("outside");
    near.iter().filter(of_storage).count() >= TOO_MANY
        || near.iter().any(|each| match each.struck {
            Some(Mode::DieBefore | Mode::DieAfter) => true,
            Some(Mode::Stall) => each.name == own || of_storage(&each),
            Some(Mode::After) => each.name == own,
            Some(Mode::Before) | None => false,
        })
}

fn struck(trace: &[Operation], which: impl Fn(&Operation) -> bool) -> bool {
    trace.iter().any(|each| each.struck.is_some() && which(each))
}

fn is_death(each: &Operation) -> bool {
    matches!(each.struck, Some(Mode::DieBefore | Mode::DieAfter | Mode::Stall))
}
