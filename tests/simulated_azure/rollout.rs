use std::time::Duration;

use serde_json::{Value, json};
use windlass::dev::azure::{RevisionEffect, Since};

use crate::lab::Lab;
use crate::platform::{APP, SEED};

#[tokio::test]
async fn a_rollout_goes_from_a_patch_to_a_revision_that_serves() {
    let lab = Lab::open().await;
    let (name, answer) = lab.roll_out("v1.1.0", "v1-1-0-abc").await;
    assert_eq!(lab.azure.app()["properties"]["provisioningState"], "InProgress");
    assert_eq!(lab.azure.app()["properties"]["latestRevisionName"], SEED, "the operation has not begun to work");
    let mut seen: Vec<[String; 3]> = Vec::new();
    for _ in 0..8 {
        let told = lab.revision(&name).await;
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        let state = [text("provisioningState"), text("runningState").replace("AtMaxScale", ""), text("healthState")];
        if seen.last() != Some(&state) {
            seen.push(state);
        }
        let app = lab.azure.app()["properties"].clone();
        assert_eq!(app["latestRevisionName"], name);
        let ready = told["healthState"] == "Healthy";
        assert_eq!(app["latestReadyRevisionName"] == name, ready);
        assert_eq!(told["trafficWeight"], if ready { 100 } else { 0 });
        assert_eq!((lab.visit(&name).await, lab.visit(APP).await), (if ready { 200 } else { 503 }, 200));
    }
    let states = seen.iter().map(|state| state.join(" ")).collect::<Vec<_>>();
    assert_eq!(states, ["Provisioning Processing None", "Provisioned Activating None", "Provisioned Running Healthy"]);
    assert_eq!(lab.finish_operation(&answer).await["status"], "Succeeded");
    assert_eq!(lab.app().await["properties"]["provisioningState"], "Succeeded");
}

#[tokio::test]
async fn the_old_revision_serves_until_the_new_one_does_and_is_then_inactive() {
    let lab = Lab::open().await;
    let (name, _) = lab.roll_out("v1.1.0", "v1-1-0-abc").await;
    let mut both_active = false;
    for _ in 0..12 {
        lab.app().await;
        let revisions = lab.azure.revisions();
        both_active |= revisions.iter().filter(|revision| revision.active).count() == 2;
        assert_eq!(revisions.iter().map(|revision| revision.weight).sum::<u64>(), 100);
    }
    assert!(both_active);
    let old = lab.revision(SEED).await;
    assert_eq!((&old["active"], &old["runningState"], &old["replicas"]), (&json!(false), &json!("Stopped"), &json!(0)));
    assert_eq!(lab.revision(&name).await["trafficWeight"], 100);
    assert!(lab.replicas(SEED).await.is_empty());
    assert_eq!(lab.visit(SEED).await, 503);
}

#[tokio::test]
async fn a_rollout_goes_by_the_clock_when_there_is_a_pace() {
    let lab = Lab::paced().await;
    let (name, _) = lab.roll_out("v1.1.0", "v1-1-0-abc").await;
    let running = || lab.azure.revisions().last().map(|revision| (revision.name.clone(), revision.health_state));
    for _ in 0..5 {
        lab.app().await;
    }
    assert_eq!(running(), Some((SEED.to_owned(), "Healthy")));
    lab.azure.skip(Duration::from_secs(30));
    assert_eq!(running(), Some((name.clone(), "None")));
    lab.azure.skip(Duration::from_secs(10));
    assert_eq!(running(), Some((name, "Healthy")));
    lab.azure.skip(Duration::from_secs(600));
    assert!(!lab.azure.revisions()[0].active);
}

#[tokio::test]
async fn a_crashing_revision_fails_although_its_app_succeeded() {
    let lab = Lab::open().await;
    lab.ail("elb-frontend", RevisionEffect::Crashing);
    let (name, answer) = lab.roll_out("v1.1.0", "v1-1-0-abc").await;
    assert_eq!(lab.finish_operation(&answer).await["status"], "Succeeded");
    assert_eq!(lab.revision(&name).await["runningState"], "Degraded");
    lab.settle().await;
    let told = lab.revision(&name).await;
    assert_eq!((&told["provisioningState"], &told["runningState"]), (&json!("Failed"), &json!("Failed")));
    assert_eq!((&told["healthState"], &told["active"]), (&json!("Unhealthy"), &json!(true)));
    assert_eq!(told["provisioningError"], "Failed:frontendContainerCrashing");
    assert_eq!(told["runningStateDetails"], "1/1 Failed:frontendContainerCrashing");
    let replicas = lab.replicas(&name).await;
    let containers = replicas[0]["properties"]["containers"].as_array().unwrap().clone();
    let sick: Vec<_> = containers.iter().filter(|it| it["ready"] == false).collect();
    assert_eq!((sick.len(), &sick[0]["name"], &sick[0]["runningState"]), (1, &json!("frontend"), &json!("Waiting")));
    assert!(sick[0]["restartCount"].as_u64().unwrap() > 1);
    assert!(sick[0]["runningStateDetails"].as_str().unwrap().contains("CrashLoopBackOff"));
    let app = lab.app().await["properties"].clone();
    assert_eq!(app["provisioningState"], "Succeeded");
    assert_eq!((&app["latestRevisionName"], &app["latestReadyRevisionName"]), (&json!(name), &json!(SEED)));
    assert_eq!((lab.visit(APP).await, lab.revision(SEED).await["trafficWeight"].clone()), (200, json!(100)));
}

#[tokio::test]
async fn a_revision_may_be_provisioned_and_never_ready() {
    let lab = Lab::open().await;
    lab.ail("--v1-1-0", RevisionEffect::NeverReady);
    let (name, answer) = lab.roll_out("v1.1.0", "v1-1-0-abc").await;
    assert_eq!(lab.finish_operation(&answer).await["status"], "Succeeded");
    lab.settle().await;
    let told = lab.revision(&name).await;
    assert_eq!((&told["provisioningState"], &told["runningState"]), (&json!("Provisioned"), &json!("Activating")));
    assert_eq!(told["replicas"], 1);
    let replica = lab.replicas(&name).await[0]["properties"].clone();
    assert_eq!(
        (&replica["containers"][0]["started"], &replica["containers"][0]["ready"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(lab.app().await["properties"]["latestReadyRevisionName"], SEED);
    let (next, _) = lab.roll_out("v1.2.0", "v1-2-0-abc").await;
    lab.settle().await;
    let active: Vec<_> = lab.azure.revisions().into_iter().filter(|it| it.active).map(|it| it.name).collect();
    assert_eq!(active, [next], "whatever is older ends with it");
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_fails_the_operation_and_not_the_patch() {
    for (refused, word) in [(true, "UNAUTHORIZED"), (false, "MANIFEST_UNKNOWN")] {
        let lab = Lab::open().await;
        if refused {
            lab.ail("elb-terminal", RevisionEffect::ImageRefused);
        }
        lab.push("v1.1.0");
        let template = lab.template("v1.1.0", "v1-1-0-abc").await;
        if !refused {
            assert!(lab.azure.delete_image("elb-terminal:v1.1.0"));
        }
        let answer = lab.patch(&json!({"properties": {"template": template}})).await;
        assert_eq!(answer.status(), 202);
        let told = lab.finish_operation(&answer).await;
        assert_eq!(
            (&told["status"], &told["error"]["code"]),
            (&json!("Failed"), &json!("InvalidParameterValueInContainerTemplate"))
        );
        let message = told["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("Failed to provision revision for container app"), "{message}");
        assert!(message.contains("template.containers.terminal.image") && message.contains(word), "{message}");
        let app = lab.app().await["properties"].clone();
        assert_eq!((&app["provisioningState"], &app["latestReadyRevisionName"]), (&json!("Failed"), &json!(SEED)));
        let revision = lab.revision(&format!("{APP}--v1-1-0-abc")).await;
        assert_eq!(revision["provisioningState"], "Failed");
        assert!(revision["provisioningError"].as_str().unwrap().contains(word));
        assert_eq!(lab.visit(APP).await, 200);
    }
}

#[tokio::test]
async fn a_revision_may_run_without_a_single_replica() {
    let lab = Lab::open().await;
    lab.ail("elb-api:v1.1.0", RevisionEffect::ZeroReplicas);
    let (name, _) = lab.roll_out("v1.1.0", "v1-1-0-abc").await;
    lab.settle().await;
    let told = lab.revision(&name).await;
    assert_eq!((&told["provisioningState"], &told["runningState"]), (&json!("Provisioned"), &json!("Running")));
    assert_eq!((&told["replicas"], &told["healthState"]), (&json!(0), &json!("None")));
    assert!(lab.replicas(&name).await.is_empty());
    assert_eq!(lab.app().await["properties"]["latestReadyRevisionName"], name);
    assert_eq!(lab.visit(APP).await, 503);
}

#[tokio::test]
async fn a_revision_may_be_well_first_and_degrade_later() {
    let lab = Lab::paced().await;
    lab.ail("v1-1-0", RevisionEffect::Degrading { after_s: 120, since: Since::Ready });
    let (name, _) = lab.roll_out("v1.1.0", "v1-1-0-abc").await;
    lab.azure.skip(Duration::from_secs(100));
    assert_eq!(lab.revision(&name).await["healthState"], "Healthy");
    assert_eq!(lab.visit(&name).await, 200);
    lab.azure.skip(Duration::from_secs(100));
    let told = lab.revision(&name).await;
    assert_eq!((&told["healthState"], &told["runningState"]), (&json!("Unhealthy"), &json!("Degraded")));
    assert_eq!(lab.visit(&name).await, 503);
}

#[tokio::test]
async fn a_revision_may_degrade_once_it_has_traffic_and_not_before() {
    let lab = Lab::multiple().await;
    lab.ail("v1-1-0", RevisionEffect::Degrading { after_s: 60, since: Since::Traffic });
    let (name, _) = lab.roll_out("v1.1.0", "v1-1-0-abc").await;
    lab.settle().await;
    lab.azure.skip(Duration::from_secs(3600));
    assert_eq!(lab.revision(&name).await["healthState"], "Healthy");
    lab.configure(json!({"ingress": {"traffic": [{"revisionName": name, "weight": 100}]}})).await;
    assert_eq!(lab.revision(&name).await["healthState"], "Healthy");
    lab.azure.skip(Duration::from_secs(60));
    assert_eq!(lab.revision(&name).await["healthState"], "Unhealthy");
}

#[tokio::test]
async fn an_application_may_be_the_only_one_to_know_that_it_is_sick() {
    let lab = Lab::open().await;
    lab.ail("v1-1-0", RevisionEffect::Unresponsive);
    let (name, _) = lab.roll_out("v1.1.0", "v1-1-0-abc").await;
    lab.settle().await;
    assert_eq!(lab.revision(&name).await["healthState"], "Healthy");
    assert_eq!((lab.visit(&name).await, lab.visit(APP).await), (503, 503));
}

#[tokio::test]
async fn an_app_may_vanish_in_mid_rollout() {
    let lab = Lab::open().await;
    let (name, answer) = lab.roll_out("v1.1.0", "v1-1-0-abc").await;
    lab.azure.delete_app();
    let told = lab.finish_operation(&answer).await;
    assert_eq!((&told["status"], &told["error"]["code"]), (&json!("Failed"), &json!("ContainerAppNotFound")));
    assert_eq!(lab.act(&name, "restart").await.status(), 404);
    assert_eq!(lab.azure.app(), Value::Null);
}
