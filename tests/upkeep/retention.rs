//! What retention deletes, and what it leaves alone.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use windlass::engine::context::PhaseContext;
use windlass::engine::{Outcome, Phase, PhaseError, Pipeline, PipelineSpec, StartRequest};
use windlass::model::{End, Progress, RunId, Scope, Verdict};
use windlass::pipelines::upgrade::{self, RegistryStore, Upgrade, retention};

use crate::platform::Platform;
use crate::pruning::expect;
use crate::registry::SERVER;

const BOTH: [&str; 2] = ["elb-api", "elb-frontend"];
const HOUR: Duration = Duration::from_secs(3600);

/// A version a day, from the first of November on, in both repositories.
fn stock(platform: &Platform, versions: &[&str]) {
    for (day, version) in versions.iter().enumerate() {
        for repository in BOTH {
            platform.registry.release(repository, version, &format!("2026-11-{:02}T00:00:00Z", day + 1));
        }
    }
}

#[tokio::test]
async fn the_newest_and_what_is_in_use_stay_and_the_rest_goes() {
    let platform = Platform::open(&[]).await;
    stock(&platform, &["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0", "v1.5.0"]);
    platform.registry.release("elb-api", "v1.6.0", "2026-11-24T00:00:00Z");
    platform.registry.release("elb-api", "nightly", "2026-10-01T00:00:00Z");
    platform.registry.lock("elb-frontend", "v1.0.0");
    platform
        .app
        .runs(&[&format!("{SERVER}/elb-api:v1.1.0"), &format!("{SERVER}/elb-frontend@sha256:elb-frontend-v1.1.0")]);
    let images = json!({
        "c0": {"image": format!("{SERVER}/elb-api:v1.2.0"), "digest": "sha256:elb-api-v1.2.0"},
        "c1": {"image": format!("{SERVER}/elb-frontend:v1.2.0"), "digest": null},
    });
    let snapshot = json!({
        "job_id": RunId::new(&Scope::new("platform"), 1, 1), "taken_at": "2026-11-01T00:00:00Z", "app": "app",
        "subscription_id": "s", "resource_group": "g", "revision": "app--a", "template": {}, "images": images,
        "strategy": "in_place", "target_revision": "app--b", "target_version": "1.1.0",
        "available_until": "2026-11-27T00:00:00Z",
    });
    let scope = Scope::new("platform");
    platform.engine.update_document::<Value>(&scope, "snapshot", |_| Some(snapshot.clone())).await.unwrap();

    let run = platform.prune().await;
    let output = expect(&run, Verdict::Succeeded);
    assert_eq!(
        output["repositories"],
        json!({
            "elb-api": {
                "kept": ["v1.5.0", "v1.4.0", "v1.2.0", "v1.1.0"], "protected": ["v1.2.0", "v1.1.0"],
                "deleted": ["v1.0.0", "v1.3.0", "v1.6.0"], "orphans": ["v1.6.0"], "error": null,
            },
            "elb-frontend": {
                "kept": ["v1.5.0", "v1.4.0", "v1.2.0", "v1.1.0", "v1.0.0"], "protected": ["v1.2.0", "v1.1.0", "v1.0.0"],
                "deleted": ["v1.3.0"], "orphans": [], "error": null,
            },
        })
    );
    assert_eq!(platform.registry.names("elb-api"), ["nightly", "v1.1.0", "v1.2.0", "v1.4.0", "v1.5.0"]);
    let deleted = ["elb-api@sha256:elb-api-v1.0.0", "elb-api@sha256:elb-api-v1.3.0", "elb-api@sha256:elb-api-v1.6.0"];
    assert_eq!(platform.registry.deleted()[..3], deleted);
    assert!(platform.log(&run).await.contains("elb-api: v1.6.0 deleted with the image sha256:elb-api-v1.6.0"));
    assert_eq!((run.started_by.as_str(), run.scope.as_str()), ("windlass", "platform"));

    // Once the way back is closed nothing leads to its images.
    platform.clock.skip(24 * HOUR);
    let run = platform.prune().await;
    assert_eq!(expect(&run, Verdict::Succeeded)["repositories"]["elb-api"]["deleted"], json!(["v1.2.0"]));
}

#[tokio::test]
async fn a_run_that_dies_over_its_work_goes_on_where_it_was_and_tells_all_of_it() {
    for nth in 1..=6 {
        let platform = Platform::open(&[]).await;
        stock(&platform, &["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0"]);
        *platform.registry.deadly.lock().unwrap() = Some(nth);
        let run = platform.prune().await;
        let output = expect(&run, Verdict::Succeeded);
        for repository in BOTH {
            let deleted = &output["repositories"][repository]["deleted"];
            assert_eq!(deleted, &json!(["v1.0.0", "v1.1.0", "v1.2.0"]), "death at {nth}");
            assert_eq!(platform.registry.names(repository), ["v1.3.0", "v1.4.0"]);
        }
        assert_eq!(platform.registry.deleted().len(), 6, "nothing was deleted twice");
    }
}

#[tokio::test]
async fn one_delivery_deletes_fifty_images_and_the_next_go_on() {
    let platform = Platform::open(&[]).await;
    for patch in 0..62 {
        for repository in BOTH {
            let created = format!("2026-10-01T00:{patch:02}:00Z").replace(":60:", ":59:").replace(":61:", ":59:");
            platform.registry.release(repository, &format!("v1.0.{patch}"), &created);
        }
    }
    platform.hour().await;
    let mut run = platform.retention().await.unwrap();
    for deleted in [50, 100, 120] {
        run = platform.deliver(&platform.engine, &run).await;
        assert_eq!(platform.registry.deleted().len(), deleted);
        assert!(!run.is_ended(), "the end is seen, not guessed");
    }
    let run = platform.finish(&platform.engine, run).await;
    let output = expect(&run, Verdict::Succeeded);
    assert_eq!(output["repositories"]["elb-api"]["deleted"].as_array().unwrap().len(), 60);
    assert_eq!(platform.registry.names("elb-frontend"), ["v1.0.60", "v1.0.61"]);
}

#[tokio::test]
async fn a_repository_that_may_not_be_changed_is_told_and_in_nobodys_way() {
    let platform = Platform::open(&[]).await;
    stock(&platform, &["v1.0.0", "v1.1.0", "v1.2.0"]);
    platform.registry.guarded.lock().unwrap().insert("elb-api".to_owned());
    let run = platform.prune().await;
    let output = &expect(&run, Verdict::Failed)["repositories"];
    assert_eq!((&output["elb-api"]["deleted"], &output["elb-frontend"]["deleted"]), (&json!([]), &json!(["v1.0.0"])));
    let error = &output["elb-api"]["error"];
    assert_eq!(error["code"], "azure_permission_missing");
    assert!(error["message"].as_str().unwrap().contains("AcrDelete"), "{error}");
    assert_eq!(platform.registry.names("elb-api").len(), 3);
}

#[tokio::test]
async fn a_registry_that_is_silent_for_a_moment_is_asked_again() {
    for (silent, verdict) in [(1, Verdict::Succeeded), (5, Verdict::Succeeded), (100, Verdict::Failed)] {
        let platform = Platform::open(&[]).await;
        stock(&platform, &["v1.0.0", "v1.1.0", "v1.2.0"]);
        *platform.registry.silent.lock().unwrap() = silent;
        let run = platform.prune().await;
        let error = &expect(&run, verdict)["repositories"]["elb-api"]["error"];
        assert_eq!(error.is_null(), verdict == Verdict::Succeeded, "{error}");
        assert_eq!(platform.registry.deleted().is_empty(), verdict == Verdict::Failed);
    }
}

#[tokio::test]
async fn while_nobody_can_tell_what_runs_nothing_is_deleted() {
    let platform = Platform::open(&[]).await;
    stock(&platform, &["v1.0.0", "v1.1.0", "v1.2.0"]);
    platform.app.runs(&["nginx"]);
    *platform.app.lost.lock().unwrap() = true;
    let run = platform.prune().await;
    assert!(matches!(run.progress, Progress::Ended { end: End::Failed, .. }));
    assert_eq!(run.failure.unwrap().code, "app_not_found");
    assert!(platform.registry.deleted().is_empty());
}

/// An upgrade that has built this and ends.
struct Built(Value);

#[async_trait]
impl Phase for Built {
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        ctx.set_state(&self.0)?;
        Ok(Outcome::Done { verdict: Verdict::Succeeded, output: json!({}) })
    }
}

#[tokio::test]
async fn a_run_comes_once_a_day_in_the_first_hour_that_is_free_and_spares_the_newest_upgrade() {
    const SPEC: PipelineSpec = PipelineSpec { phases: &[upgrade::SPEC.phases[0]], timers: &[], ..upgrade::SPEC };
    let mut platform = Platform::open(&[]).await;
    stock(&platform, &["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0"]);
    let build = |name: &str, digest: Value| {
        json!({
            "image": format!("elb-{name}:v1.0.0"), "dockerfile": "d", "context": "", "status": "succeeded",
            "digest": digest,
        })
    };
    let built = json!({"builds": {"api": build("api", Value::Null), "frontend": build("frontend", json!("sha256:x"))}});
    let work: Vec<Arc<dyn Phase>> = vec![Arc::new(Built(built))];
    let pipeline = Pipeline { spec: &SPEC, work, timers: Vec::new(), resume: None };
    platform.engine = platform.engine_of(vec![pipeline, retention::pipeline(&platform.upgrade)]);
    let request = StartRequest {
        pipeline: "upgrade",
        scope: upgrade::scope(),
        input: json!({}),
        started_by: "tester".to_owned(),
        idempotency_key: None,
    };
    let running = platform.engine.start(request).await.unwrap().run;
    platform.hour().await;
    assert!(platform.retention().await.is_none(), "an upgrade has the platform");
    platform.finish(&platform.engine, running).await;

    platform.clock.skip(HOUR);
    let first = platform.prune().await;
    let kept = &expect(&first, Verdict::Succeeded)["repositories"]["elb-api"]["kept"];
    assert_eq!(kept, &json!(["v1.3.0", "v1.2.0", "v1.0.0"]));
    for _ in 0..3 {
        platform.clock.skip(HOUR);
        platform.hour().await;
    }
    assert_eq!(platform.retention().await.unwrap().id, first.id);
    platform.clock.skip(24 * HOUR);
    let second = platform.prune().await;
    assert_ne!(second.id, first.id);
    assert_eq!(second.input["date"], "2026-11-27");
}

#[tokio::test]
async fn without_a_registry_nothing_happens() {
    let platform = Platform::open(&[]).await;
    let bare = Arc::new(Upgrade { store: Arc::new(RegistryStore::new(None)), ..(*platform.upgrade).clone() });
    let engine = platform.engine_of(vec![retention::pipeline(&bare)]);
    engine.tick("upgrade-retention").await.unwrap();
    assert!(platform.retention().await.is_none());
}

#[tokio::test]
async fn retention_that_is_switched_off_is_no_trouble_of_its_timer() {
    let platform = Platform::open(&[]).await;
    stock(&platform, &["v1.0.0"]);
    let closed = std::collections::BTreeMap::from([("retention-pruning".to_owned(), "it is off".to_owned())]);
    platform.another_engine().closing(closed).tick("upgrade-retention").await.unwrap();
    assert!(platform.engine.list("retention", None, 1).await.unwrap().runs.is_empty());
    platform.engine.tick("upgrade-retention").await.unwrap();
    assert_eq!(platform.engine.list("retention", None, 1).await.unwrap().runs.len(), 1);
}
