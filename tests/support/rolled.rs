//! What must hold of the app once a rollout or a rollback is over, whatever was struck on its way.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use windlass::model::{End, Progress, Run, Timestamp, Verdict};
use windlass::pipelines::upgrade::UpgradeState;
use windlass::pipelines::upgrade::rollout::Strategy;
use windlass::pipelines::upgrade::rollout::snapshot::{SNAPSHOT, Snapshot};

use super::app::{App, Deployed, Made, PLANTED};
use super::builder::{BEFORE, REGISTRY};
use super::upgraded;
use super::world::{Mode, World};

const UNDONE: &str = "rolled_back";
const SUCCEEDED: End = End::Completed(Verdict::Succeeded);

/// What the app and a run say of each other, as of the run's end.
pub fn breaches(world: &World, run: &Run, state: &UpgradeState, app: &App) -> Vec<String> {
    let Progress::Ended { end, at } = run.progress else { return Vec::new() };
    let undone = run.output["outcome"] == UNDONE;
    app.look(|deployed| {
        let mut breaches = Vec::new();
        let own: Vec<&Made> = deployed.revisions.iter().filter(|made| made.suffix.contains(&job(run))).collect();
        if own.iter().filter(|made| is_back(made)).count() > 1 || own.iter().filter(|made| !is_back(made)).count() > 1 {
            breaches.push(format!("it made {} revisions", own.len()));
        }
        let sent = state.rollout.as_ref().and_then(|rollout| rollout.change.sent_at);
        if own.iter().any(|made| !is_back(made)) && sent.is_none_or(|sent| end == End::Terminated || sent > at) {
            breaches.push("it made a revision and knows nothing of it".to_owned());
        }
        if own.iter().any(|made| is_back(made)) && state.rollback.is_none() {
            breaches.push("it went back and knows nothing of it".to_owned());
        }
        let gives_up =
            run.failure.as_ref().is_some_and(|failure| ["state_refused", "poisoned"].contains(&&*failure.code));
        if sent.is_some()
            && end == End::Failed
            && app.habits().settings.auto_rollback
            && run.fallback.is_none()
            && !gives_up
        {
            breaches.push("it failed on the way and did not go back".to_owned());
        }
        match &state.rollout {
            Some(rollout) if end == SUCCEEDED && !undone => {
                let version = run.input["target_version"].as_str().unwrap_or_default();
                breaches.extend(serves(deployed, &rollout.revision, version, at));
                breaches.extend(unproved(deployed, &rollout.revision, rollout.strategy, at));
            }
            _ if undone => breaches.extend(not_undone(world, run, state, deployed, at)),
            _ => breaches.extend(half_changed(deployed, at)),
        }
        if let Some(failure) = run.failure.as_ref().filter(|_| !undone) {
            breaches.extend(unsaid(run, &failure.code, &failure.message, &failure.detail));
        }
        breaches
    })
}

/// What must hold of the app and of the scope's documents when everything is over.
pub fn left(world: &World, app: &App) -> Vec<String> {
    let runs = world.runs();
    let trace = world.trace();
    app.look(|deployed| {
        let mut breaches = deployed.breaches.clone();
        let first = bare(&deployed.revisions[0].template);
        for made in &deployed.revisions {
            if bare(&made.template) != first {
                breaches.push(format!("{} is not what the app was but for its images: {}", made.name, made.template));
            }
            if version(made).is_none() {
                breaches.push(format!("{} is a mixture: {:?}", made.name, made.runs));
            }
        }
        let late = |at: Timestamp| {
            trace.iter().any(|each| each.name == "outside update" && each.struck == Some(Mode::Stall) && each.at <= at)
        };
        for change in deployed.changes.iter().filter(|change| change.again && !late(change.at)) {
            breaches.push(format!("a change was sent again although the app had it: {change:?}"));
        }
        let shares: u32 = deployed.serving(world.now()).iter().map(|(_, weight)| weight).sum();
        if shares != 100 {
            breaches.push(format!("{shares} % of the traffic go anywhere"));
        }
        breaches.extend(false_snapshot(&runs, snapshot(world).as_ref(), deployed));
        let tables = world.tables.lock().expect("never poisoned");
        let told = |text: &str| text.contains(PLANTED);
        if tables.rows.values().any(|row| told(&serde_json::to_string(&row.record).expect("text")))
            || tables.segments.values().any(|log| told(&String::from_utf8_lossy(log)))
        {
            breaches.push("a secret was written down".to_owned());
        }
        breaches
    })
}

fn job(run: &Run) -> String {
    let name = run.id.name();
    format!("-{}", &name[name.len() - 6..])
}

fn is_back(made: &Made) -> bool {
    made.suffix.ends_with("-back")
}

pub fn snapshot(world: &World) -> Option<Snapshot> {
    let tables = world.tables.lock().expect("never poisoned");
    let row = tables.rows.iter().find(|((_, key), _)| *key == format!("doc:{SNAPSHOT}")).map(|(_, row)| row)?;
    let value = serde_json::to_value(&row.record).expect("a record");
    Some(serde_json::from_value(value["value"].clone()).expect("a snapshot"))
}

/// The one version that all of our containers run.
fn version(made: &Made) -> Option<&str> {
    let ours = made.runs.iter().filter(|(name, _)| *name != "proxy");
    let mut versions = ours.map(|(_, image)| image.split_once(":v").map(|(_, version)| version));
    let first = versions.next().flatten();
    first.filter(|_| versions.all(|version| version == first))
}

/// Without images, names and nothings.
fn bare(template: &Value) -> Value {
    match template {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, value)| !value.is_null() && *name != "image" && *name != "revisionSuffix")
            .map(|(name, value)| (name.clone(), bare(value)))
            .collect(),
        Value::Array(items) => items.iter().map(bare).collect(),
        plain => plain.clone(),
    }
}

fn serves(deployed: &Deployed, revision: &str, wanted: &str, at: Timestamp) -> Vec<String> {
    let serving = deployed.serving(at);
    let told: Vec<_> = serving.iter().map(|(made, weight)| (&made.name, weight, &made.runs)).collect();
    let alone = serving.iter().filter(|(made, _)| made.name == revision).map(|(_, weight)| weight).sum::<u32>() == 100;
    let right = serving.iter().all(|(made, _)| version(made) == Some(wanted));
    (!alone || !right)
        .then(|| format!("{revision} with {wanted} is to serve, and what does is {told:?}"))
        .into_iter()
        .collect()
}

/// A revision that was never ready has proved nothing, and neither has one that answered badly before it got traffic.
fn unproved(deployed: &Deployed, revision: &str, strategy: Strategy, at: Timestamp) -> Option<String> {
    use super::app::Fate;
    let made = deployed.made(revision)?;
    let proved = strategy != Strategy::BlueGreen || matches!(made.fate, Fate::Well | Fate::Mute | Fate::Degrades);
    (!made.was_ready(at) || !proved).then(|| format!("{revision} was taken for well and is {:?}", made.fate))
}

/// Whoever says that it is as it was has to show it.
fn not_undone(world: &World, run: &Run, state: &UpgradeState, deployed: &Deployed, at: Timestamp) -> Vec<String> {
    let Some(back) = &state.rollback else { return vec!["it says that it went back, and knows of no way".to_owned()] };
    let of: Vec<Run> = world.runs().into_iter().filter(|other| other.id.to_string() == back.job_id).collect();
    let Some(rollout) = of.first().and_then(|of| upgraded::state(of).rollout) else {
        return vec![format!("it has undone {}, which rolled nothing out", back.job_id)];
    };
    let Some(from) = deployed.made(&rollout.from_revision) else { return vec!["it came from nowhere".to_owned()] };
    let mut breaches = match deployed.serving(at).as_slice() {
        [(made, 100)] => {
            let same = made.runs == from.runs;
            let wrong =
                format!("{} is to serve what {} ran, and {} runs {:?}", back.revision, from.name, made.name, made.runs);
            if same { Vec::new() } else { vec![wrong] }
        }
        serving => vec![format!("{} serve", serving.len())],
    };
    if !back.untouched && deployed.serving(at).iter().any(|(made, _)| made.name != back.revision) {
        breaches.push(format!("{} does not serve", back.revision));
    }
    if run.fallback.is_some() && (run.failure.is_none() || run.output["outcome"] != UNDONE) {
        breaches.push("an upgrade that went back has not said why".to_owned());
    }
    breaches
}

/// Nothing that serves is a mixture, and one version serves.
fn half_changed(deployed: &Deployed, at: Timestamp) -> Option<String> {
    let serving = deployed.serving(at);
    let versions: Vec<Option<&str>> = serving.iter().map(|(made, _)| version(made)).collect();
    let whole =
        versions.first().is_some_and(|first| first.is_some() && versions.iter().all(|version| version == first));
    (!whole).then(|| format!("{versions:?} serve"))
}

/// A cause, and what to do about it.
fn unsaid(run: &Run, code: &str, message: &str, detail: &Value) -> Vec<String> {
    let mut breaches = Vec::new();
    let advice = ["again", "by hand", "retry", "look", "mend", "see to", "start", "check", "ask for"];
    let engines = [
        "cancelled",
        "rollback_requested",
        "outside_silent",
        "outside_refused",
        "delivery_overran",
        "phase_overdue",
        "run_overdue",
    ];
    if !engines.contains(&code) && !advice.iter().any(|word| message.contains(word)) {
        breaches.push(format!("it does not say what to do: {message}"));
    }
    if run.fallback.is_some() && detail["cause"]["code"].is_null() {
        breaches.push(format!("it could not go back and does not say from what: {message} {detail}"));
    }
    breaches
}

/// The snapshot is of the newest upgrade that may have changed the app, and says what that app was.
fn false_snapshot(runs: &[Run], snapshot: Option<&Snapshot>, deployed: &Deployed) -> Vec<String> {
    let touching = |run: &&Run| deployed.revisions.iter().any(|made| made.suffix.contains(&job(run)) && !is_back(made));
    let newest = runs.iter().filter(touching).max_by_key(|run| run.created_at);
    let Some(snapshot) = snapshot else {
        return newest.map(|run| format!("{} changed the app without a snapshot", run.id)).into_iter().collect();
    };
    let mut breaches = Vec::new();
    let owner = runs.iter().find(|run| run.id == snapshot.job_id);
    if owner.map(|owner| owner.created_at) < newest.map(|newest| newest.created_at) {
        breaches.push(format!("the snapshot is of {}, and a later upgrade has changed the app", snapshot.job_id));
    }
    if let Some(made) = deployed.made(&snapshot.target_revision).filter(|made| made.made_at < snapshot.taken_at) {
        breaches.push(format!("the snapshot was taken after {} was made", made.name));
    }
    let runs_then: BTreeMap<String, String> =
        deployed.made(&snapshot.revision).map(|made| made.runs.clone()).unwrap_or_default();
    let strip = |image: &str| image.strip_prefix(&format!("{REGISTRY}/")).unwrap_or(image).to_owned();
    let says: BTreeMap<String, String> =
        snapshot.images.iter().map(|(name, known)| (name.clone(), strip(&known.image))).collect();
    let by_digest = says.values().any(|image| image.contains('@'));
    if says != runs_then && !by_digest {
        breaches.push(format!("the snapshot says {says:?} and {} ran {runs_then:?}", snapshot.revision));
    }
    if snapshot.images.values().any(|known| known.image.starts_with(REGISTRY) && known.digest.is_none()) {
        breaches.push(format!("the snapshot knows no digests: {:?}", snapshot.images));
    }
    let undone = runs.iter().filter(|run| run.output["outcome"] == UNDONE);
    let undone = undone.filter(|run| run.output["job_id"] == json!(snapshot.job_id)).count() > 0;
    if undone != snapshot.rolled_back_at.is_some() {
        breaches.push(format!("the snapshot says that it was gone back to at {:?}: {undone}", snapshot.rolled_back_at));
    }
    breaches
}

/// The version that serves at last.
pub fn serving_version(deployed: &Deployed, now: Timestamp) -> String {
    let serving = deployed.serving(now);
    serving.first().and_then(|(made, _)| version(made)).unwrap_or(BEFORE).to_owned()
}
