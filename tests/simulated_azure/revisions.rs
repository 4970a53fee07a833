use reqwest::{Method, Response};
use serde_json::{Value, json};
use windlass::dev::azure::RevisionsMode;

use crate::lab::{Lab, code};
use crate::platform::{APP, SEED};

/// Rolls out one version after another, each to its end.
async fn history(lab: &Lab, versions: u32) -> Vec<String> {
    let mut names = vec![SEED.to_owned()];
    for n in 1..=versions {
        let (name, _) = lab.roll_out(&format!("v1.{n}.0"), &format!("v1-{n}-0")).await;
        names.push(name);
        lab.settle().await;
    }
    names
}

fn named(list: &Value) -> Vec<String> {
    let entries = list["value"].as_array().unwrap().iter();
    entries.map(|revision| revision["name"].as_str().unwrap().to_owned()).collect()
}

async fn said(answer: Response) -> String {
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

#[tokio::test]
async fn revisions_come_in_pages_and_may_be_filtered() {
    let lab = Lab::open().await;
    let names = history(&lab, 11).await;
    let first = lab.app_get("/revisions").await;
    let next = first["nextLink"].as_str().unwrap();
    assert_eq!(first["value"][0]["type"], "Microsoft.App/containerapps/revisions");
    assert!(first["value"][0]["id"].as_str().unwrap().ends_with(&format!("containerApps/{APP}/revisions/{SEED}")));
    let second: Value = lab.poll(next).await.json().await.unwrap();
    assert_eq!([named(&first), named(&second)].concat(), names);
    assert_eq!(second["nextLink"], Value::Null);
    let active = lab.app_get("/revisions?$filter=properties/active%20eq%20true").await;
    assert_eq!((named(&active), &active["nextLink"]), (vec![names[11].clone()], &Value::Null));
    let odd = lab.app_call(Method::GET, "/revisions?$filter=name%20eq%20'x'").send().await.unwrap();
    assert_eq!(code(odd, 400).await, "InvalidFilter");
}

#[tokio::test]
async fn only_so_many_inactive_revisions_are_kept() {
    let lab = Lab::open().await;
    lab.configure(json!({"maxInactiveRevisions": 2})).await;
    let names = history(&lab, 4).await;
    let kept: Vec<String> = lab.azure.revisions().into_iter().map(|revision| revision.name).collect();
    assert_eq!(kept, names[2..]);
    assert_eq!(
        code(lab.app_call(Method::GET, &format!("/revisions/{SEED}")).send().await.unwrap(), 404).await,
        "RevisionNotFound"
    );
    let (again, _) = lab.roll_out("v1.0.0", "v1-0-0-seed").await;
    assert_eq!(again, SEED, "a suffix is free again once nothing bears it");
}

#[tokio::test]
async fn in_multiple_mode_a_revision_has_no_traffic_until_a_rule_gives_it_some() {
    let lab = Lab::multiple().await;
    let (name, _) = lab.roll_out("v1.1.0", "v1-1-0").await;
    lab.settle().await;
    let weights =
        || lab.azure.revisions().iter().map(|revision| (revision.active, revision.weight)).collect::<Vec<_>>();
    assert_eq!(weights(), [(true, 100), (true, 0)]);
    assert_eq!((lab.visit(&name).await, lab.visit(SEED).await), (200, 200));
    let both = json!([{"revisionName": SEED, "weight": 80}, {"revisionName": name, "weight": 20, "label": "next"}]);
    lab.configure(json!({"ingress": {"traffic": both}})).await;
    assert_eq!(weights(), [(true, 80), (true, 20)]);
    assert_eq!(lab.app().await["properties"]["configuration"]["ingress"]["traffic"], both);
    lab.configure(json!({"ingress": {"traffic": [{"latestRevision": true, "weight": 100}]}})).await;
    assert_eq!(weights(), [(true, 0), (true, 100)]);
    lab.roll_out("v1.2.0", "v1-2-0").await;
    lab.settle().await;
    assert_eq!(weights(), [(true, 0), (true, 0), (true, 100)], "the newest follows latestRevision by itself");
}

#[tokio::test]
async fn traffic_may_be_given_in_the_patch_that_makes_its_revision() {
    let lab = Lab::multiple().await;
    lab.push("v1.1.0");
    let template = lab.template("v1.1.0", "v1-1-0").await;
    let name = format!("{APP}--v1-1-0");
    let traffic = json!([{"revisionName": SEED, "weight": 100}, {"revisionName": name, "weight": 0, "label": "next"}]);
    let body = json!({"properties": {"template": template, "configuration": {"ingress": {"traffic": traffic}}}});
    assert_eq!(lab.patch(&body).await.status(), 202);
    lab.settle().await;
    assert_eq!(lab.revision(&name).await["trafficWeight"], 0);
}

#[tokio::test]
async fn a_switch_to_single_mode_ends_all_but_the_newest() {
    let lab = Lab::multiple().await;
    history(&lab, 2).await;
    assert!(lab.azure.revisions().iter().all(|revision| revision.active));
    lab.configure(json!({"activeRevisionsMode": "Single"})).await;
    lab.settle().await;
    let told: Vec<_> = lab.azure.revisions().iter().map(|it| (it.active, it.weight)).collect();
    assert_eq!(told, [(false, 0), (false, 0), (true, 100)]);
    lab.azure.set_revisions_mode(RevisionsMode::Multiple);
    assert_eq!(lab.azure.revisions()[0].weight, 0, "what is inactive gets nothing whatever the rules say");
}

#[tokio::test]
async fn actions_answer_with_a_string_and_take_their_time() {
    let lab = Lab::multiple().await;
    let (name, _) = lab.roll_out("v1.1.0", "v1-1-0").await;
    lab.settle().await;
    assert_eq!(said(lab.act(&name, "deactivate").await).await, "\"Deactivate succeeded\"");
    let told = lab.revision(&name).await;
    assert_eq!(
        (&told["active"], &told["runningState"], &told["replicas"]),
        (&json!(false), &json!("Stopped"), &json!(0))
    );
    assert_eq!(said(lab.act(&name, "activate").await).await, "\"Activate succeeded\"");
    let told = lab.revision(&name).await;
    assert_eq!((&told["active"], &told["healthState"]), (&json!(true), &json!("None")));
    lab.settle().await;
    assert_eq!(lab.revision(&name).await["healthState"], "Healthy");
    let before = lab.replicas(&name).await[0]["name"].clone();
    assert_eq!(said(lab.act(&name, "restart").await).await, "\"Restart succeeded\"");
    lab.settle().await;
    assert_ne!(lab.replicas(&name).await[0]["name"], before, "replicas are new, the revision is the same");
}

#[tokio::test]
async fn actions_that_make_no_sense_are_refused() {
    let lab = Lab::open().await;
    let names = history(&lab, 1).await;
    assert_eq!(code(lab.act(SEED, "activate").await, 400).await, "RevisionActivationNotAllowed");
    assert_eq!(code(lab.act(&names[1], "deactivate").await, 400).await, "RevisionInUse");
    assert_eq!(code(lab.act(SEED, "restart").await, 400).await, "RevisionNotActive");
    for action in ["activate", "deactivate", "restart"] {
        assert_eq!(code(lab.act("windlass-platform--gone", action).await, 404).await, "RevisionNotFound");
    }
    assert_eq!(code(lab.act(SEED, "pause").await, 404).await, "InvalidResourceType");
    let without_length = lab.app_call(Method::POST, &format!("/revisions/{SEED}/restart"));
    assert_eq!(code(without_length.send().await.unwrap(), 411).await, "LengthRequired");
}

#[tokio::test]
async fn a_restart_pulls_its_images_again_and_misses_those_that_are_gone() {
    let lab = Lab::open().await;
    assert!(lab.azure.delete_image("elb-frontend:v1.0.0"));
    assert_eq!(lab.revision(SEED).await["healthState"], "Healthy", "what runs goes on running");
    lab.act(SEED, "restart").await;
    lab.settle().await;
    let told = lab.revision(SEED).await;
    assert_eq!((&told["healthState"], &told["runningState"]), (&json!("Unhealthy"), &json!("Degraded")));
    let container = lab.replicas(SEED).await[0]["properties"]["containers"][2].clone();
    assert!(container["runningStateDetails"].as_str().unwrap().contains("ImagePullBackOff"), "{container}");
}

#[tokio::test]
async fn replicas_are_listed_whole_and_found_by_name() {
    let lab = Lab::open().await;
    let list = lab.app_get(&format!("/revisions/{SEED}/replicas")).await;
    assert!(list.get("nextLink").is_none());
    let replica = &list["value"][0];
    assert_eq!(replica["type"], "Microsoft.Web/containerapps/revisions/replicas");
    assert_eq!(replica["properties"]["runningState"], "Running");
    let containers = replica["properties"]["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 4);
    assert!(containers.iter().all(|it| it["ready"] == true && it["started"] == true && it["restartCount"] == 0));
    let name = replica["name"].as_str().unwrap();
    assert!(name.starts_with(SEED));
    assert_eq!(lab.app_get(&format!("/revisions/{SEED}/replicas/{name}")).await, *replica);
    let gone = lab.app_call(Method::GET, &format!("/revisions/{SEED}/replicas/{SEED}-0")).send().await.unwrap();
    assert_eq!(code(gone, 404).await, "ReplicaNotFound");
    let gone = lab.app_call(Method::GET, "/revisions/windlass-platform--gone/replicas").send().await.unwrap();
    assert_eq!(code(gone, 404).await, "RevisionNotFound");
}
