use reqwest::Method;
use serde_json::{Value, json};

use crate::lab::{Lab, code};
use crate::platform::{APP, SEED};

/// The refusal of a change of the app.
async fn refusal(lab: &Lab, properties: Value) -> String {
    code(lab.patch(&json!({"properties": properties})).await, 400).await
}

#[tokio::test]
async fn objects_merge_arrays_replace_and_null_takes_away() {
    let lab = Lab::open().await;
    let image = format!("{}/elb-api:v1.0.0", lab.login_server());
    let body = json!({
        "tags": {"owner": "ops", "platform": null},
        "properties": {"template": {
            "revisionSuffix": "lonely", "containers": [{"name": "api", "image": image}], "volumes": null, "initContainers": null,
        }},
    });
    assert_eq!(lab.patch(&body).await.status(), 202);
    lab.settle().await;
    let app = lab.app().await;
    assert_eq!(app["tags"], json!({"owner": "ops"}));
    let template = &app["properties"]["template"];
    assert_eq!(template["containers"], json!([{"name": "api", "image": image}]), "env, probes and siblings are gone");
    assert_eq!((&template["volumes"], &template["scale"]["minReplicas"]), (&Value::Null, &json!(1)));
    assert_eq!(app["properties"]["configuration"]["secrets"].as_array().unwrap().len(), 2, "what is left out stays");
    assert_eq!(app["properties"]["configuration"]["ingress"]["targetPort"], 8080);
}

#[tokio::test]
async fn a_change_of_the_configuration_makes_no_revision() {
    let lab = Lab::open().await;
    assert_eq!(lab.configure(json!({"ingress": {"targetPort": 8081}})).await["status"], "Succeeded");
    lab.settle().await;
    let app = lab.app().await["properties"].clone();
    assert_eq!(
        (&app["latestRevisionName"], &app["configuration"]["ingress"]["targetPort"]),
        (&json!(SEED), &json!(8081))
    );
    assert_eq!(lab.azure.revisions().len(), 1);
}

#[tokio::test]
async fn a_template_as_it_is_stored_makes_no_revision() {
    let lab = Lab::open().await;
    let told = lab.app().await["properties"]["template"].clone();
    let mut unnamed = told.clone();
    unnamed["revisionSuffix"] = Value::Null;
    for template in [told, unnamed] {
        let answer = lab.patch(&json!({"properties": {"template": template}})).await;
        assert_eq!(answer.status(), 202);
        assert_eq!(lab.finish_operation(&answer).await["status"], "Succeeded");
    }
    lab.settle().await;
    assert_eq!(lab.azure.revisions().len(), 1);
}

#[tokio::test]
async fn a_stored_suffix_persists_and_bites_the_next_change() {
    let lab = Lab::open().await;
    lab.push("v1.1.0");
    let mut template = lab.template("v1.1.0", "unused").await;
    template.as_object_mut().unwrap().remove("revisionSuffix");
    let answer = lab.patch(&json!({"properties": {"template": template}})).await;
    assert_eq!(answer.status(), 400);
    let body: Value = answer.json().await.unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains("revision with suffix v1-0-0-seed already exists"));
    template["revisionSuffix"] = Value::Null;
    assert_eq!(lab.patch(&json!({"properties": {"template": template}})).await.status(), 202);
    lab.settle().await;
    let revisions = lab.azure.revisions();
    assert_eq!(revisions[1].name.len(), "windlass-platform--".len() + 7, "a name is made up");
    assert_eq!(lab.app().await["properties"]["template"]["revisionSuffix"], "");
}

#[tokio::test]
async fn a_suffix_is_unique_among_all_revisions_that_are_kept() {
    let lab = Lab::open().await;
    lab.roll_out("v1.1.0", "v1-1-0").await;
    lab.settle().await;
    assert!(!lab.azure.revisions()[0].active);
    for suffix in ["v1-0-0-seed", "v1-1-0"] {
        let mut template = lab.template("v1.0.0", suffix).await;
        template["scale"]["maxReplicas"] = json!(5);
        assert_eq!(refusal(&lab, json!({"template": template})).await, "InvalidParameterValueInContainerTemplate");
    }
    let template = lab.template("v1.0.0", "v1-0-0-again").await;
    assert_eq!(lab.patch(&json!({"properties": {"template": template}})).await.status(), 202, "the way back");
}

#[tokio::test]
async fn a_suffix_has_a_form_and_a_name_a_length() {
    let lab = Lab::open().await;
    let long = "a".repeat(54 - APP.len() - 2 + 1);
    for suffix in ["V1", "v1.1.0", "-a", "a-", "a--b", long.as_str()] {
        let template = lab.template("v1.0.0", suffix).await;
        assert_eq!(
            refusal(&lab, json!({"template": template})).await,
            "InvalidParameterValueInContainerTemplate",
            "{suffix}"
        );
    }
    let template = lab.template("v1.0.0", &long[1..]).await;
    assert_eq!(lab.patch(&json!({"properties": {"template": template}})).await.status(), 202);
}

#[tokio::test]
async fn secrets_are_sent_with_values_or_not_at_all() {
    let lab = Lab::open().await;
    let told = lab.app().await["properties"]["configuration"]["secrets"].clone();
    assert_eq!(refusal(&lab, json!({"configuration": {"secrets": told}})).await, "ContainerAppSecretInvalid");
    let one = json!([{"name": "session-key", "value": "another"}]);
    assert_eq!(refusal(&lab, json!({"configuration": {"secrets": one}})).await, "ContainerAppSecretRefNotFound");
    assert_eq!(refusal(&lab, json!({"configuration": null})).await, "ContainerAppSecretRefNotFound");
    let mut template = lab.template("v1.0.0", "v2").await;
    template["containers"][3]["env"] = json!([{"name": "KEY", "secretRef": "unknown"}]);
    assert_eq!(refusal(&lab, json!({"template": template})).await, "ContainerAppSecretRefNotFound");
}

#[tokio::test]
async fn templates_and_traffic_are_checked_before_anything_changes() {
    let lab = Lab::multiple().await;
    let before = lab.app().await;
    for (properties, wanted) in [
        (json!({"template": null}), "InvalidParameterValueInContainerTemplate"),
        (json!({"template": {"containers": []}}), "InvalidParameterValueInContainerTemplate"),
        (json!({"template": {"containers": [{"name": "api"}]}}), "InvalidParameterValueInContainerTemplate"),
        (
            json!({"template": {"containers": {"0": {"name": "api", "image": "x"}}}}),
            "InvalidParameterValueInContainerTemplate",
        ),
        (json!({"template": {"volumes": []}}), "InvalidParameterValueInContainerTemplate"),
        (
            json!({"configuration": {"ingress": {"traffic": [{"revisionName": SEED, "weight": 90}]}}}),
            "InvalidTrafficConfiguration",
        ),
        (
            json!({"configuration": {"ingress": {"traffic": [{"revisionName": "gone", "weight": 100}]}}}),
            "InvalidTrafficConfiguration",
        ),
        (json!({"configuration": {"ingress": {"traffic": [{"weight": 100}]}}}), "InvalidTrafficConfiguration"),
        (json!({"configuration": {"activeRevisionsMode": "Many"}}), "InvalidRequestContent"),
        (json!({"environmentId": "/subscriptions/other"}), "ManagedEnvironmentCannotBeChanged"),
    ] {
        assert_eq!(refusal(&lab, properties.clone()).await, wanted, "{properties}");
    }
    assert_eq!(lab.app().await, before);
}

#[tokio::test]
async fn a_place_is_compared_as_people_write_it() {
    let lab = Lab::open().await;
    for place in ["westeurope", "West Europe", "WESTEUROPE"] {
        let answer = lab.patch(&json!({"location": place})).await;
        assert_eq!(answer.status(), 202, "{place}");
        lab.finish_operation(&answer).await;
    }
    assert_eq!(code(lab.patch(&json!({"location": "East US"})).await, 409).await, "InvalidResourceLocation");
}

#[tokio::test]
async fn a_patch_is_json_and_says_so() {
    let lab = Lab::open().await;
    let patch = || lab.app_call(Method::PATCH, "");
    let merge = patch().header("content-type", "application/merge-patch+json").body("{}");
    assert_eq!(code(merge.send().await.unwrap(), 415).await, "UnsupportedMediaType");
    let broken = patch().header("content-type", "application/json").body("{\"properties\":");
    assert_eq!(code(broken.send().await.unwrap(), 400).await, "InvalidRequestContent");
    assert_eq!(code(lab.patch(&json!([])).await, 400).await, "InvalidRequestContent");
    assert_eq!(code(patch().send().await.unwrap(), 411).await, "LengthRequired");
}

#[tokio::test]
async fn a_second_change_is_refused_while_one_is_in_progress() {
    let lab = Lab::paced().await;
    let (_, answer) = lab.roll_out("v1.1.0", "v1-1-0").await;
    let change = json!({"properties": {"configuration": {"maxInactiveRevisions": 5}}});
    let again = || lab.patch(&change);
    assert_eq!(code(again().await, 409).await, "ContainerAppOperationInProgress");
    assert_eq!(
        code(lab.app_call(Method::DELETE, "").send().await.unwrap(), 409).await,
        "ContainerAppOperationInProgress"
    );
    lab.azure.skip(std::time::Duration::from_secs(30));
    assert_eq!(again().await.status(), 202);
    assert_eq!(lab.finish_operation(&answer).await["status"], "Succeeded");
}

#[tokio::test]
async fn a_failed_update_keeps_its_suffix_and_its_template() {
    let lab = Lab::open().await;
    let template = lab.template("v9.9.9", "v9-9-9").await;
    let body = json!({"properties": {"template": template}});
    let answer = lab.patch(&body).await;
    assert_eq!(lab.finish_operation(&answer).await["status"], "Failed");
    assert_eq!(lab.app().await["properties"]["template"]["revisionSuffix"], "v9-9-9");
    assert_eq!(code(lab.patch(&body).await, 400).await, "InvalidParameterValueInContainerTemplate");
    assert_eq!(
        lab.configure(json!({"maxInactiveRevisions": 7})).await["status"],
        "Succeeded",
        "no new suffix is asked for"
    );
    let template = lab.template("v1.0.0", "v1-0-0-back").await;
    let answer = lab.patch(&json!({"properties": {"template": template}})).await;
    assert_eq!(lab.finish_operation(&answer).await["status"], "Succeeded");
    assert_eq!(lab.app().await["properties"]["provisioningState"], "Succeeded");
}

#[tokio::test]
async fn without_its_registry_entry_the_app_may_not_pull() {
    let lab = Lab::open().await;
    lab.configure(json!({"registries": null})).await;
    let (_, answer) = lab.roll_out("v1.1.0", "v1-1-0").await;
    let told = lab.finish_operation(&answer).await;
    assert!(told["error"]["message"].as_str().unwrap().contains("UNAUTHORIZED"), "{told}");
}
