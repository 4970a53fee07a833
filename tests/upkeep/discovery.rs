//! What there is to upgrade to.

use std::time::Duration;

use serde_json::{Value, json};
use windlass::git::Remote;
use windlass::model::{Scope, Timestamp};
use windlass::pipelines::upgrade::discovery::{Checked, check};

use crate::caller::{ADA, ADMIN};
use crate::git_server::{Manner, git};
use crate::platform::{DEVELOPMENT, Platform};
use crate::registry::SERVER;

const AGE: Duration = Duration::from_secs(15);

fn versions(body: &Value) -> Vec<&str> {
    body["candidates"].as_array().unwrap().iter().map(|found| found["version"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_first_look_asks_the_repository_and_later_ones_do_not() {
    let platform = Platform::open(&["v1.2.2", "v1.2.3-rc.1", "nightly", "v1.10.0"]).await;
    let commit = platform.release("v1.2.3");
    platform.app.runs(&[&format!("{SERVER}/elb-api:v1.2.3"), &format!("{SERVER}/elb-frontend:v1.2.3")]);
    let body = platform.candidates().await;
    assert_eq!(versions(&body), ["1.10.0", "1.2.3", "1.2.2"]);
    assert_eq!(
        body["candidates"][1],
        json!({
            "version": "1.2.3", "tag": "v1.2.3", "commit": commit, "kind": "release", "relation": "current",
            "is_major": false,
        })
    );
    assert_eq!(
        (&body["candidates"][0]["relation"], &body["candidates"][2]["relation"]),
        (&json!("newer"), &json!("older"))
    );
    let facts =
        ["configured", "remote", "running_version", "track_commits", "checked_at"].map(|field| body[field].clone());
    let remote = format!("127.0.0.1:{}/app", platform.git.port());
    assert_eq!(facts, [json!(true), json!(remote), json!("1.2.3"), json!(false), json!("2026-11-26T10:00:00.000Z")]);
    assert!(body.get("error").is_none());

    let asked = platform.git.seen().len();
    platform.clock.skip(Duration::from_secs(3600));
    assert_eq!(platform.candidates().await, body);
    assert_eq!(platform.git.seen().len(), asked);
}

#[tokio::test]
async fn a_check_too_soon_is_refused_with_what_is_left_of_the_pause() {
    let platform = Platform::open(&["v1.2.3"]).await;
    assert_eq!(versions(&platform.check().await.body()), ["1.2.3"]);
    platform.release("v1.2.4");
    platform.clock.skip(Duration::from_millis(4_500));
    let refused = platform.check().await;
    assert_eq!((refused.code(), refused.header("retry-after")), ((429, "check_throttled".to_owned()), "11"));
    assert_eq!(versions(&platform.candidates().await), ["1.2.3"]);
    platform.clock.skip(Duration::from_millis(10_500));
    assert_eq!(versions(&platform.check().await.body()), ["1.2.4", "1.2.3"]);
}

#[tokio::test]
async fn of_checks_that_race_in_two_processes_one_asks() {
    let platform = Platform::open(&["v1.2.3"]).await;
    let alone = platform.git.seen().len();
    let engines = [platform.engine.clone(), platform.another_engine()];
    let checks = engines.iter().cycle().take(6).map(|engine| check(engine, &platform.upgrade, AGE));
    let answers = futures::future::join_all(checks).await;
    let answers: Vec<Checked> = answers.into_iter().map(Result::unwrap).collect();
    let read = answers.iter().filter(|answer| matches!(answer, Checked::Read { .. })).count();
    let throttled = answers.iter().filter(|answer| **answer == Checked::Throttled { retry_after: AGE }).count();
    assert_eq!((read, throttled), (1, 5), "{answers:?}");
    let asked = platform.git.seen().len() - alone;
    platform.clock.skip(AGE);
    platform.check().await;
    assert_eq!(platform.git.seen().len(), alone + 2 * asked, "one check asks as much as the other");
}

#[tokio::test]
async fn a_check_that_fails_tells_why_and_keeps_the_last_good_list() {
    let platform = Platform::open(&["v1.2.3"]).await;
    platform.check().await;
    let away = platform.repository().with_extension("away");
    std::fs::rename(platform.repository(), &away).unwrap();
    platform.clock.skip(AGE);
    let answer = platform.check().await;
    let body = answer.body();
    assert_eq!((answer.status, versions(&body)), (200, vec!["1.2.3"]));
    assert_eq!(body["error"]["code"], "git_not_a_repository", "{body}");
    assert_eq!(
        (&body["error"]["at"], &body["checked_at"]),
        (&json!("2026-11-26T10:00:15.000Z"), &json!("2026-11-26T10:00:00.000Z"))
    );
    assert_eq!(platform.candidates().await["error"], body["error"]);

    std::fs::rename(away, platform.repository()).unwrap();
    platform.clock.skip(AGE);
    assert!(platform.check().await.body().get("error").is_none());
}

#[tokio::test]
async fn without_a_repository_there_are_no_candidates_and_no_error() {
    let platform = Platform::of(&[], Manner::Plain, |_| None).await;
    let expected = json!({
        "configured": false, "remote": null, "running_version": null, "track_commits": false, "checked_at": null,
        "candidates": [],
    });
    assert_eq!(platform.candidates().await, expected);
    for _ in 0..2 {
        let answer = platform.check().await;
        assert_eq!((answer.status, answer.body()), (200, expected.clone()));
    }
    platform.engine.tick("upgrade-check").await.unwrap();
}

#[tokio::test]
async fn admins_have_the_tip_of_the_default_branch_offered() {
    let platform = Platform::open(&["v1.2.3"]).await;
    let tip = git(&platform.repository(), &["rev-parse", "HEAD"]);
    let on = json!({"track_commits": true});
    assert_eq!(platform.set(ADA, on.clone()).await.code(), (403, "not_an_admin".to_owned()));
    let answer = platform.set(ADMIN, on.clone()).await;
    let expected = json!({"track_commits": true, "changed_by": ADMIN, "changed_at": "2026-11-26T10:00:00.000Z"});
    assert_eq!((answer.status, answer.body()), (200, expected.clone()));
    platform.clock.skip(AGE);
    assert_eq!(platform.set(ADMIN, on).await.body(), expected, "the same again changes nothing");

    let body = platform.candidates().await;
    assert_eq!((versions(&body), &body["track_commits"]), (vec!["1.2.3"], &json!(true)), "the tip is the release");
    git(&platform.repository(), &["commit", "--quiet", "--allow-empty", "--message", "more"]);
    platform.clock.skip(AGE);
    let body = platform.check().await.body();
    let more = git(&platform.repository(), &["rev-parse", "HEAD"]);
    assert_ne!(more, tip);
    let version = format!("1.2.3-commit.{}", &more[..7]);
    assert_eq!(versions(&body), [version.as_str(), "1.2.3"]);
    assert_eq!((&body["candidates"][0]["kind"], &body["candidates"][0]["commit"]), (&json!("commit"), &json!(more)));
    platform.set(ADMIN, json!({"track_commits": false})).await;
    assert_eq!(versions(&platform.candidates().await), ["1.2.3"]);
}

#[tokio::test]
async fn settings_and_checks_take_no_field_that_they_do_not_know() {
    let platform = Platform::open(&[]).await;
    for body in [json!({}), json!({"track_commits": "yes"}), json!({"track_commits": true, "other": 1})] {
        assert_eq!(platform.set(ADMIN, body.clone()).await.code(), (400, "invalid_field".to_owned()), "{body}");
    }
    let path = "/api/upgrade/check";
    let answer = crate::caller::call(&platform.router, ADA, "POST", path, Some(json!({"force": true}))).await;
    assert_eq!(answer.code(), (400, "invalid_field".to_owned()));
    assert_eq!(platform.set(ADMIN, json!({"track_commits": false})).await.body()["changed_by"], ADMIN);
}

#[tokio::test]
async fn where_the_app_cannot_be_read_the_last_upgrade_tells_what_runs() {
    let platform = Platform::open(&["v1.2.3", "v1.2.4"]).await;
    assert_eq!(platform.candidates().await["running_version"], json!(null));
    let snapshot = |rolled_back_at: Option<Timestamp>| {
        json!({
            "job_id": windlass::model::RunId::new(&Scope::new("platform"), 1, 1), "taken_at": "2026-11-01T00:00:00Z",
            "app": "app", "subscription_id": "s", "resource_group": "g", "revision": "app--a", "version": "1.2.3",
            "template": {}, "images": {}, "strategy": "in_place", "target_revision": "app--b", "target_version": "1.2.4",
            "available_until": "2026-12-01T00:00:00Z", "rolled_back_at": rolled_back_at,
        })
    };
    for (rolled_back_at, runs) in [(None, "1.2.4"), (Some(Timestamp::default()), "1.2.3")] {
        let document = snapshot(rolled_back_at);
        let scope = Scope::new("platform");
        platform.engine.update_document::<Value>(&scope, "snapshot", |_| Some(document.clone())).await.unwrap();
        assert_eq!(platform.candidates().await["running_version"], runs);
    }
    // Components of two versions are no version.
    platform.app.runs(&[&format!("{SERVER}/elb-api:v1.2.3"), &format!("{SERVER}/elb-frontend:v1.2.4")]);
    assert_eq!(platform.candidates().await["running_version"], json!(null));
}

#[tokio::test]
async fn a_credential_in_the_address_is_used_and_shown_nowhere() {
    let manner = Manner::RequireBasic { user: "me".to_owned(), password: "pl4nted-s3cret".to_owned() };
    let remote = |server: &crate::git_server::GitServer| {
        Remote::parse(&server.url("app").replace("http://", "http://me:pl4nted-s3cret@"), &DEVELOPMENT).ok()
    };
    let platform = Platform::of(&["v1.2.3"], manner, remote).await;
    let read = platform.check().await;
    assert_eq!(versions(&read.body()), ["1.2.3"]);
    std::fs::remove_dir_all(platform.repository()).unwrap();
    platform.clock.skip(AGE);
    let failed = platform.check().await;
    assert!(failed.body()["error"].is_object());
    let stored: Value =
        platform.engine.document(&Scope::new("platform"), "discovery").await.unwrap().expect("a document");
    for text in [read.text(), failed.text(), &stored.to_string()] {
        assert!(!text.contains("pl4nted-s3cret"), "{text}");
    }
}
