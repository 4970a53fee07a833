use reqwest::Method;
use serde_json::{Value, json};
use windlass::dev::azure::RevisionsMode;

use crate::lab::{Lab, code};
use crate::platform::{APP, SEED};

#[tokio::test]
async fn the_installed_app_is_told_with_the_quirks_of_the_wire() {
    let lab = Lab::open().await;
    let app = lab.app().await;
    assert!(app["id"].as_str().unwrap().ends_with("/providers/Microsoft.App/containerapps/windlass-platform"));
    assert_eq!((&app["type"], &app["location"]), (&json!("Microsoft.App/containerApps"), &json!("West Europe")));
    assert!(!app["systemData"]["createdAt"].as_str().unwrap().ends_with('Z'));
    let properties = &app["properties"];
    assert_eq!(properties["environmentId"], properties["managedEnvironmentId"]);
    assert_eq!(
        (&properties["provisioningState"], &properties["runningStatus"]),
        (&json!("Succeeded"), &json!("Running"))
    );
    assert_eq!(
        (&properties["latestRevisionName"], &properties["latestReadyRevisionName"]),
        (&json!(SEED), &json!(SEED))
    );
    let configuration = &properties["configuration"];
    assert_eq!(configuration["activeRevisionsMode"], "Single");
    assert_eq!(configuration["ingress"]["transport"], "Auto");
    assert_eq!(configuration["ingress"]["traffic"], json!([{"weight": 100, "latestRevision": true}]));
    for unset in ["dapr", "service", "runtime"] {
        assert_eq!(configuration.get(unset), Some(&Value::Null), "{unset}");
    }
    assert_eq!(configuration["ingress"].get("customDomains"), Some(&Value::Null));
    let template = &properties["template"];
    assert_eq!(template["revisionSuffix"], "v1-0-0-seed");
    assert_eq!(template.get("serviceBinds"), Some(&Value::Null));
    let containers = template["containers"].as_array().unwrap();
    let names: Vec<_> = containers.iter().map(|container| container["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["api", "worker", "frontend", "terminal"]);
    assert_eq!(containers[0]["image"], format!("{}/elb-api:v1.0.0", lab.login_server()));
    assert_eq!(containers[0]["resources"], json!({"cpu": 0.5, "memory": "1Gi", "ephemeralStorage": ""}));
}

#[tokio::test]
async fn secrets_are_told_by_name_and_listed_with_values_on_request() {
    let lab = Lab::open().await;
    let app = lab.app().await;
    let names = json!([{"name": "session-key"}, {"name": "database-url"}]);
    assert_eq!(app["properties"]["configuration"]["secrets"], names);
    let listed: Value = {
        let call = lab.app_call(Method::POST, "/listSecrets").header("content-length", "0");
        call.send().await.unwrap().json().await.unwrap()
    };
    let value = listed["value"][1]["value"].as_str().unwrap();
    assert!(value.starts_with("postgres://"));
    let told = format!("{app}{}{:?}{:?}", lab.azure.app(), lab.azure.revisions(), lab.azure.requests());
    assert!(!told.contains(value) && !told.contains("s1mulated"));
}

#[tokio::test]
async fn the_registry_holds_the_images_that_the_app_runs_from_the_start() {
    let (lab, other) = (Lab::open().await, Lab::open().await);
    let images: Vec<String> = lab.azure.images().into_keys().collect();
    assert_eq!(images, ["elb-api:v1.0.0", "elb-frontend:v1.0.0", "elb-terminal:v1.0.0"]);
    assert_eq!(lab.azure.images(), other.azure.images());
}

#[tokio::test]
async fn every_version_in_use_is_taken_and_others_are_refused() {
    let lab = Lab::open().await;
    for version in ["2024-03-01", "2025-07-01", "2026-01-01", "2026-07-01"] {
        let path = format!("{}?api-version={version}", lab.app_path());
        assert_eq!(lab.arm_at(Method::GET, &path).send().await.unwrap().status(), 200);
    }
    for below in ["", "/revisions"] {
        let path = format!("{}{below}?api-version=2019-06-01", lab.app_path());
        assert_eq!(code(lab.arm_at(Method::GET, &path).send().await.unwrap(), 400).await, "NoRegisteredProviderFound");
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found_and_what_is_not_simulated_says_so() {
    let lab = Lab::open().await;
    let elsewhere = lab.app_path().replace(APP, "another");
    let answer = lab.arm_at(Method::GET, &format!("{elsewhere}?api-version=2024-03-01")).send().await.unwrap();
    assert_eq!(code(answer, 404).await, "ResourceNotFound");
    let whole = lab.app_call(Method::PUT, "").json(&json!({"location": "westeurope"})).send().await.unwrap();
    assert_eq!(code(whole, 400).await, "NotSimulated");
    assert_eq!(code(lab.app_call(Method::GET, "/auths").send().await.unwrap(), 404).await, "InvalidResourceType");
    assert_eq!(code(lab.app_call(Method::GET, "/listSecrets").send().await.unwrap(), 405).await, "MethodNotAllowed");
    let strange = lab.app_path().replace("containerApps", "jobs");
    let answer = lab.arm_at(Method::GET, &format!("{strange}?api-version=2024-03-01")).send().await.unwrap();
    assert_eq!(code(answer, 404).await, "InvalidResourceType");
}

#[tokio::test]
async fn a_deleted_app_is_gone_for_every_call() {
    let lab = Lab::open().await;
    let answer = lab.app_call(Method::DELETE, "").send().await.unwrap();
    assert_eq!(answer.status(), 202);
    assert_eq!(lab.azure.app()["properties"]["provisioningState"], "Deleting");
    assert_eq!(lab.finish_operation(&answer).await["status"], "Succeeded");
    for below in ["", "/revisions", &format!("/revisions/{SEED}"), &format!("/revisions/{SEED}/replicas")] {
        let answer = lab.app_call(Method::GET, below).send().await.unwrap();
        assert_eq!(code(answer, 404).await, "ResourceNotFound", "{below}");
    }
    assert_eq!(code(lab.patch(&json!({})).await, 404).await, "ResourceNotFound");
    assert_eq!(lab.app_call(Method::DELETE, "").send().await.unwrap().status(), 204);
    assert_eq!((lab.azure.app(), lab.azure.revisions().len(), lab.visit(APP).await), (Value::Null, 0, 503));
    lab.azure.reset();
    assert_eq!(lab.azure.app()["name"], APP);
}

#[tokio::test]
async fn the_admin_surface_shows_and_changes_the_platform() {
    let lab = Lab::open().await;
    let at = |call: &str| format!("{}/_sim/{call}", lab.base());
    let tell = async |call: &str| -> Value { lab.http.get(at(call)).send().await.unwrap().json().await.unwrap() };
    assert_eq!(tell("app").await, lab.azure.app());
    assert_eq!(tell("revisions").await[0]["name"], SEED);
    let mode = lab.http.post(at("app/mode")).json(&json!({"mode": "multiple"})).send().await.unwrap();
    assert_eq!(mode.status(), 200);
    assert_eq!(tell("app").await["properties"]["configuration"]["activeRevisionsMode"], "Multiple");
    lab.azure.set_revisions_mode(RevisionsMode::Single);
    let image = json!({"image": "elb-api:v9"});
    let pushed: Value = lab.http.post(at("images")).json(&image).send().await.unwrap().json().await.unwrap();
    assert_eq!(tell("images").await["elb-api:v9"], pushed["digest"]);
    let gone: Value = lab.http.delete(at("images")).json(&image).send().await.unwrap().json().await.unwrap();
    assert_eq!((&gone["deleted"], tell("images").await.get("elb-api:v9")), (&json!(true), None));
    assert_eq!(lab.http.delete(at("app")).send().await.unwrap().status(), 200);
    assert_eq!(tell("app").await, Value::Null);
}
