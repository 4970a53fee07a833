//! What an upgrade would do, and what keeps it from being started.

use serde_json::{Value, json};
use windlass::engine::PhaseError;

use crate::api::{ADA, ADMIN, Answer, Api};
use crate::platform::{COMMIT, COMPONENTS, REGISTRY, app, digest, down, snapshot};

async fn plan(api: &Api, body: Value) -> Answer {
    api.post("/api/upgrade/plan").by(ADMIN).json(body).send().await
}

async fn start(api: &Api, mut body: Value) -> Answer {
    body["confirm_downtime"] = json!(true);
    api.post("/api/upgrade/start").by(ADMIN).json(body).send().await
}

fn version(text: &str) -> Value {
    json!({"target_version": text})
}

fn with(mut body: Value, field: &str, value: impl Into<Value>) -> Value {
    body[field] = value.into();
    body
}

#[tokio::test(start_paused = true)]
async fn a_plan_tells_what_would_change_and_changes_nothing() {
    let api = Api::new();
    let answer = plan(&api, version("1.2.3")).await;
    let body = answer.body();
    assert_eq!((answer.status, &body["commit"], &body["strategy"]), (200, &json!(COMMIT), &json!("in_place")));
    assert_eq!((&body["current"]["version"], &body["current"]["revision"]), (&json!("1.2.2"), &json!("platform--old")));
    assert_eq!(body["changes"].as_array().unwrap().len(), 3);
    assert_eq!((&body["refusals"], body["plan_hash"].as_str().unwrap().len()), (&json!([]), 64));
    assert!(api.world.runs().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_for_admins_and_its_body_is_taken_strictly() {
    let api = Api::new();
    let other = api.post("/api/upgrade/plan").by(ADA).json(version("1.2.3")).send().await;
    assert_eq!(other.code(), (403, "not_an_admin".into()));
    for (body, code) in [
        (version("1.2"), "invalid_version"),
        (with(version("1.2.3"), "target_sha", "HEAD"), "invalid_sha"),
        (with(version("1.2.3"), "strategy", "canary"), "invalid_field"),
        (with(version("1.2.3"), "confirm_downtime", true), "invalid_field"),
        (with(version("1.2.3"), "allow_downgrade", "yes"), "invalid_field"),
        (json!({}), "invalid_field"),
    ] {
        assert_eq!(plan(&api, body.clone()).await.code(), (400, code.into()), "{body}");
    }
    assert_eq!(*api.outside.asked.lock().unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_cannot_be_made_says_why_and_what_to_do() {
    let api = Api::new();
    let unknown = plan(&api, version("9.9.9")).await;
    assert_eq!(unknown.code(), (404, "unknown_version".into()));
    assert!(unknown.message().contains("v9.9.9"), "{}", unknown.message());

    *api.outside.registry_error.lock().unwrap() =
        Some(PhaseError::fatal("azure_permission_missing", "give the role Contributor"));
    let impossible = plan(&api, version("1.2.3")).await;
    assert_eq!(impossible.code(), (422, "plan_impossible".into()));
    assert!(impossible.message().contains("azure_permission_missing"), "{}", impossible.message());

    *api.outside.registry_error.lock().unwrap() = Some(down("azure_unavailable"));
    let unavailable = plan(&api, version("1.2.3")).await;
    assert_eq!((unavailable.code(), unavailable.header("retry-after")), ((503, "platform_unavailable".into()), "5"));
}

#[tokio::test(start_paused = true)]
async fn what_would_do_harm_is_refused_before_a_run_begins() {
    for (mode, body, code, remedy) in [
        ("Single", version("1.0.0"), "downgrade_refused", Some("allow_downgrade")),
        ("Single", version("2.0.0"), "major_not_confirmed", Some("confirm_major")),
        ("Multiple", version("1.2.3"), "app_in_multiple_revision_mode", None),
        ("Single", with(version("1.2.3"), "strategy", "blue_green"), "app_in_single_revision_mode", None),
        ("Single", with(version("1.2.3"), "target_sha", "fffffff"), "sha_mismatch", None),
    ] {
        let api = Api::new();
        *api.outside.app.lock().unwrap() = app("1.2.2", mode);
        let planned = plan(&api, body.clone()).await;
        assert_eq!((planned.status, &planned.body()["refusals"][0]["code"]), (200, &json!(code)));
        assert_eq!(start(&api, body.clone()).await.code(), (409, code.into()));
        assert!(api.world.runs().is_empty());
        if let Some(remedy) = remedy {
            assert_eq!(start(&api, with(body, remedy, true)).await.status, 202, "{code}");
        }
    }
    let api = Api::new();
    api.outside.app.lock().unwrap()["properties"]["template"] =
        json!({"containers": [{"name": "x", "image": "y/z:1"}]});
    assert_eq!(start(&api, version("1.2.3")).await.code(), (409, "nothing_to_roll_out".into()));
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_is_known_by_its_first_digits_is_the_one_that_begins_with_them() {
    let api = Api::new();
    let asked = |sha: String| with(version("1.2.3-commit.fffffff"), "target_sha", sha);
    let same = plan(&api, asked("f".repeat(40))).await;
    assert_eq!((same.status, &same.body()["refusals"]), (200, &json!([])));
    let other = plan(&api, asked("e".repeat(40))).await;
    assert_eq!(other.body()["refusals"][0]["code"], "sha_mismatch");
}

/// The app, with images that are named like this.
fn app_of(reference: impl Fn(&str) -> String) -> Value {
    let mut app = app("1.2.2", "Single");
    let image = |name: &&str| json!({"name": name, "image": format!("{REGISTRY}/elb-{name}{}", reference(name))});
    app["properties"]["template"]["containers"] = COMPONENTS.iter().map(image).collect();
    app
}

#[tokio::test(start_paused = true)]
async fn the_version_of_images_that_are_named_by_digest_is_the_one_that_the_registry_has_for_them() {
    let api = Api::new();
    *api.outside.app.lock().unwrap() = app_of(|_| format!("@{}", digest('a')));
    assert_eq!(plan(&api, version("1.2.3")).await.body()["current"]["version"], "1.2.2");
    assert_eq!(start(&api, version("1.0.0")).await.code(), (409, "downgrade_refused".into()));
    assert_eq!(start(&api, version("2.0.0")).await.code(), (409, "major_not_confirmed".into()));

    // The registry has lost the tags; the way back knows what it has brought back.
    api.outside.images.lock().unwrap().clear();
    assert_eq!(start(&api, version("1.2.3")).await.code(), (409, "version_unknown".into()));
    let mut kept = snapshot("0123456789-01234567890123456789", "in_place", api.world.now());
    api.remember("snapshot", &kept).await;
    assert_eq!(start(&api, version("1.2.3")).await.code(), (409, "version_unknown".into()));
    kept["rolled_back_at"] = json!(api.world.now());
    api.remember("snapshot", &kept).await;
    assert_eq!(start(&api, version("1.0.0")).await.code(), (409, "downgrade_refused".into()));
    assert_eq!(start(&api, version("1.2.3")).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn an_app_whose_version_nobody_knows_is_upgraded_only_by_who_agrees_to_whatever_it_is() {
    let mixed = |name: &str| if name == "api" { ":v1.2.2".to_owned() } else { ":v1.2.1".to_owned() };
    for unknown in [app_of(mixed), app_of(|_| ":latest".to_owned())] {
        let api = Api::new();
        *api.outside.app.lock().unwrap() = unknown;
        let refused = start(&api, version("1.2.3")).await;
        assert_eq!(refused.code(), (409, "version_unknown".into()));
        assert!(refused.message().contains("allow_downgrade: true and confirm_major: true"), "{}", refused.message());
        let half = with(version("1.2.3"), "allow_downgrade", true);
        assert_eq!(start(&api, half.clone()).await.code(), (409, "version_unknown".into()));
        assert_eq!(start(&api, with(half, "confirm_major", true)).await.status, 202);
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_holds_to_its_plan() {
    let api = Api::new();
    let hash = plan(&api, version("1.2.3")).await.body()["plan_hash"].clone();
    let agreed = with(version("1.2.3"), "plan_hash", hash.clone());
    api.outside.app.lock().unwrap()["properties"]["latestRevisionName"] = json!("platform--other");
    assert_eq!(start(&api, agreed.clone()).await.code(), (409, "plan_outdated".into()));
    *api.outside.app.lock().unwrap() = app("1.2.2", "Single");
    let started = start(&api, agreed).await;
    assert_eq!(started.status, 202);
    let run = api.run(started.body()["job_id"].as_str().unwrap());
    assert_eq!(run.input, json!({"target_version": "1.2.3", "plan_hash": hash}));
}

#[tokio::test(start_paused = true)]
async fn a_repeated_start_is_not_judged_by_what_has_become_of_the_world() {
    let api = Api::new();
    let keyed = with(version("1.2.3"), "idempotency_key", "k");
    let first = start(&api, keyed.clone()).await;
    *api.outside.app.lock().unwrap() = app("1.3.0", "Multiple");
    *api.outside.git_error.lock().unwrap() = Some(down("git_unreachable"));
    let asked = *api.outside.asked.lock().unwrap();
    assert_eq!((start(&api, keyed).await.body(), first.status), (first.body(), 202));
    assert_eq!(start(&api, version("1.2.3")).await.code(), (409, "upgrade_in_flight".into()));
    assert_eq!(*api.outside.asked.lock().unwrap(), asked, "nobody outside was asked");
}

#[tokio::test(start_paused = true)]
async fn without_git_or_the_registry_an_upgrade_starts_unless_it_relies_on_a_plan() {
    for which in ["git", "registry"] {
        let api = Api::new();
        let error = if which == "git" { &api.outside.git_error } else { &api.outside.registry_error };
        *error.lock().unwrap() = Some(down("unreachable"));
        let relying = start(&api, with(version("1.2.3"), "plan_hash", "x")).await;
        assert_eq!(relying.code(), (503, "platform_unavailable".into()), "{which}");
        assert_eq!(start(&api, version("1.0.0")).await.code(), (409, "downgrade_refused".into()), "{which}");
        assert_eq!(start(&api, version("1.2.3")).await.status, 202, "{which}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_the_app_only_images_can_be_built() {
    let api = Api::new();
    *api.outside.app_error.lock().unwrap() = Some(down("azure_unavailable"));
    assert_eq!(start(&api, version("1.2.3")).await.code(), (503, "platform_unavailable".into()));
    *api.outside.git_error.lock().unwrap() = Some(down("git_unreachable"));
    let images = with(version("1.2.3"), "strategy", "build_only");
    assert_eq!(start(&api, images).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_git_does_not_know_and_an_app_that_nobody_named_are_told_by_the_run() {
    let api = Api::new();
    assert_eq!(start(&api, version("1.9.9")).await.status, 202);
    let api = Api::new();
    *api.outside.configured.lock().unwrap() = false;
    assert_eq!(start(&api, version("1.2.3")).await.status, 202);
}
