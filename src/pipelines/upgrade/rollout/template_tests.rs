use serde_json::json;

use super::*;

const REGISTRY: &str = "windlassdev.azurecr.io";

fn components() -> Vec<Component> {
    let component = |name: &str| Component {
        name: name.to_owned(),
        image: format!("elb-{name}"),
        dockerfile: format!("{name}/Dockerfile"),
        context: String::new(),
    };
    ["api", "frontend"].map(component).to_vec()
}

fn template() -> Value {
    json!({
        "revisionSuffix": "v1-0-0-seed",
        "terminationGracePeriodSeconds": null,
        "containers": [
            {"name": "api", "image": "windlassdev.azurecr.io/elb-api:v1.0.0", "env": [{"name": "A", "secretRef": "a"}],
             "command": null},
            {"name": "worker", "image": "WindlassDev.azurecr.io/elb-api:v1.0.0", "args": ["work"]},
            {"name": "web", "image": "windlassdev.azurecr.io/elb-frontend:v1.0.0"},
            {"name": "proxy", "image": "mcr.microsoft.com/proxy:1"},
        ],
        "scale": {"minReplicas": 1, "rules": null},
    })
}

#[test]
fn every_container_of_a_component_gets_the_versions_image_and_keeps_all_else() {
    let target = retargeted(&template(), &components(), REGISTRY, "v1.2.3");
    let images: Vec<_> = images(&target).into_iter().collect();
    let expected = [
        ("api", "windlassdev.azurecr.io/elb-api:v1.2.3"),
        ("proxy", "mcr.microsoft.com/proxy:1"),
        ("web", "windlassdev.azurecr.io/elb-frontend:v1.2.3"),
        ("worker", "windlassdev.azurecr.io/elb-api:v1.2.3"),
    ];
    assert_eq!(images, expected.map(|(name, image)| (name.to_owned(), image.to_owned())));
    assert_eq!(target["containers"][0]["env"], template()["containers"][0]["env"]);
    assert_eq!(target["containers"][1]["args"], json!(["work"]));
}

#[test]
fn a_change_sends_lists_whole_and_no_null_that_was_not_meant() {
    let target = retargeted(&template(), &components(), REGISTRY, "v1.2.3");
    let change = change(&template(), &target, "v1-2-3-abcdef");
    assert_eq!(change["revisionSuffix"], "v1-2-3-abcdef");
    assert_eq!(change["containers"].as_array().map(Vec::len), Some(4));
    assert_eq!(change["scale"], json!({"minReplicas": 1}));
    assert!(!change.to_string().contains("null"), "{change}");
}

#[test]
fn what_has_to_go_is_sent_as_a_null() {
    let (from, to) =
        (json!({"scale": {"minReplicas": 1, "rules": [1]}, "volumes": []}), json!({"scale": {"minReplicas": 2}}));
    assert_eq!(
        change(&from, &to, "s"),
        json!({"scale": {"minReplicas": 2, "rules": null}, "volumes": null, "revisionSuffix": "s"})
    );
}

#[test]
fn a_version_is_what_all_components_agree_on() {
    assert_eq!(version(&template(), &components(), REGISTRY).as_deref(), Some("1.0.0"));
    let mut mixed = template();
    mixed["containers"][1]["image"] = json!("windlassdev.azurecr.io/elb-api:v0.9.0");
    assert_eq!(version(&mixed, &components(), REGISTRY), None);
    assert_eq!(version(&json!({}), &components(), REGISTRY), None);
}

#[test]
fn a_component_that_nobody_runs_is_told_of() {
    let mut template = template();
    template["containers"].as_array_mut().unwrap().remove(2);
    assert_eq!(unused(&template, &components(), REGISTRY), ["frontend"]);
}

#[test]
fn differences_are_named_by_container() {
    let target = retargeted(&template(), &components(), REGISTRY, "v1.2.3");
    let paths: Vec<_> = differences(&template(), &target).into_iter().map(|each| each.path).collect();
    assert_eq!(
        paths,
        ["/template/containers/api/image", "/template/containers/web/image", "/template/containers/worker/image"]
    );
    assert_eq!(differences(&template(), &template()), []);
}

#[test]
fn a_name_of_an_image_is_taken_apart() {
    let parts = |name| ImageName::parse(name).map(|it| (it.registry, it.repository, it.reference));
    assert_eq!(parts("a.io/team/api:v1"), Some(("a.io", "team/api", "v1")));
    assert_eq!(parts("127.0.0.1:5000/api:v1"), Some(("127.0.0.1:5000", "api", "v1")));
    assert_eq!(parts("a.io/api@sha256:00"), Some(("a.io", "api", "sha256:00")));
    assert_eq!(parts("a.io/api:v1@sha256:00"), Some(("a.io", "api", "sha256:00")));
    assert_eq!(parts("a.io/api"), Some(("a.io", "api", "latest")));
    assert_eq!(parts("library/redis:7"), None);
    assert_eq!(parts("redis"), None);
}
