use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::azure::Cloud;
use crate::azure::testing::{Canned, FakeCredential, PLANTED, Server};
use crate::model::Timestamp;

const PATH: &str = "/subscriptions/34adfa4f-cedf-4dc0-ba29-b6d1a69ab345/resourceGroups/rg/providers/Microsoft.App/\
                    containerApps/testcontainerapp0";
const VERSION: &str = "?api-version=2024-03-01";

fn client(server: &Server) -> ContainerAppsClient {
    let cloud = Cloud::custom(&server.url(""), "https://login.invalid", "local").unwrap();
    let arm = ArmClient::new(&cloud, Arc::new(FakeCredential)).unwrap();
    ContainerAppsClient::new(arm, "34adfa4f-cedf-4dc0-ba29-b6d1a69ab345", "rg", "testcontainerapp0")
}

fn documented() -> Value {
    json!({
        "id": PATH, "name": "testcontainerapp0", "type": "Microsoft.App/containerApps", "location": "East US",
        "properties": {
            "provisioningState": "Succeeded",
            "latestRevisionFqdn": "testcontainerapp0-pjxhsye.demokube-t24clv0g.eastus.containerApps.k4apps.io",
            "latestReadyRevisionName": "testcontainerapp0-pjxhsye",
            "configuration": {
                "activeRevisionsMode": "multiple",
                "ingress": {
                    "fqdn": "testcontainerapp0.demokube-t24clv0g.eastus.containerApps.k4apps.io", "external": true,
                    "targetPort": 3000, "transport": "auto",
                    "traffic": [
                        {"weight": 80, "revisionName": "testcontainerapp0-ab1234"},
                        {"weight": 20, "revisionName": "testcontainerapp0-ab4321", "label": "staging"}
                    ]
                },
                "maxInactiveRevisions": 10
            },
            "template": {
                "containers": [{
                    "image": "repo/testcontainerapp0:v4", "name": "testcontainerapp0",
                    "env": [{"name": "KEY", "value": PLANTED}], "resources": {"cpu": 0.5, "memory": "1Gi"}
                }],
                "initContainers": [{"image": "repo/init:v4", "name": "testinitcontainerApp0"}],
                "scale": {"minReplicas": 1, "maxReplicas": 5}
            }
        }
    })
}

fn recorded() -> Value {
    json!({
        "id": "/subscriptions/9e22/resourceGroups/a5hfaey/providers/Microsoft.App/containerapps/aba9y",
        "name": "aba9y", "location": "East US", "identity": {"type": "None"},
        "systemData": {"createdAt": "2023-10-30T10:27:23.1"},
        "properties": {
            "provisioningState": "InProgress", "runningStatus": "Running", "latestRevisionName": "",
            "latestReadyRevisionName": "", "latestRevisionFqdn": "",
            "configuration": {
                "secrets": [{"name": "redis-config"}], "activeRevisionsMode": "Single",
                "ingress": {
                    "fqdn": "aba9y.internal.victoriousground-d454dbe5.eastus.azurecontainerapps.io",
                    "transport": "Tcp", "traffic": [{"weight": 100, "latestRevision": true}], "customDomains": null
                },
                "registries": null, "dapr": null, "maxInactiveRevisions": null
            },
            "template": {"revisionSuffix": "", "containers": [], "initContainers": null, "volumes": null}
        }
    })
}

#[tokio::test]
async fn an_app_is_read_with_all_that_a_rollout_needs() {
    let server = Server::start([Canned::json(200, documented())]).await;
    let app = client(&server).get().await.unwrap();
    assert_eq!(server.only().target, format!("{PATH}{VERSION}"));
    assert_eq!((app.location.as_str(), &app.provisioning_state), ("East US", &AppState::Succeeded));
    assert_eq!(app.latest_revision, None);
    assert_eq!(app.latest_ready_revision.as_deref(), Some("testcontainerapp0-pjxhsye"));
    assert_eq!((app.mode, app.max_inactive_revisions), (RevisionMode::Multiple, Some(10)));
    assert_eq!(app.template, documented()["properties"]["template"]);
    assert_eq!(json!(app.traffic), documented()["properties"]["configuration"]["ingress"]["traffic"]);
    let images: Vec<_> = app.images().into_iter().map(|found| (found.image, found.is_init)).collect();
    assert_eq!(images, [("repo/testcontainerapp0:v4".to_owned(), false), ("repo/init:v4".to_owned(), true)]);
    assert!(!format!("{app:?}").contains(PLANTED));
}

#[tokio::test]
async fn nulls_empty_texts_and_odd_casing_are_what_the_service_really_sends() {
    let mut bare = recorded();
    bare["properties"]["configuration"] = Value::Null;
    bare["properties"]["provisioningState"] = Value::Null;
    bare["properties"]["template"] = Value::Null;
    let mut stored = recorded();
    stored["properties"]["configuration"]["ingress"] = Value::Null;
    stored["properties"]["provisioningState"] = json!("Upgrading");
    stored["properties"]["template"]["revisionSuffix"] = json!("v1-2-3-abc123");
    let server = Server::start([recorded(), bare, stored].map(|body| Canned::json(200, body))).await;
    let client = client(&server);

    let app = client.get().await.unwrap();
    assert_eq!((&app.latest_revision, &app.latest_ready_revision, &app.revision_suffix), (&None, &None, &None));
    assert_eq!((&app.provisioning_state, app.mode), (&AppState::InProgress, RevisionMode::Single));
    assert_eq!(json!(app.traffic), json!([{"latestRevision": true, "weight": 100}]));
    assert_eq!((app.max_inactive_revisions, app.running_status.as_deref()), (None, Some("Running")));

    let app = client.get().await.unwrap();
    assert_eq!((&app.provisioning_state, app.mode, app.fqdn), (&AppState::Succeeded, RevisionMode::Single, None));

    let app = client.get().await.unwrap();
    assert_eq!(
        (&app.provisioning_state, app.provisioning_state.is_ended()),
        (&AppState::Other("Upgrading".into()), false)
    );
    assert_eq!((app.revision_suffix.as_deref(), app.traffic.len()), (Some("v1-2-3-abc123"), 0));
}

#[tokio::test]
async fn a_change_is_sent_as_it_is_and_its_operation_comes_from_the_headers() {
    let statuses = "https://management.azure.com/subscriptions/s/providers/Microsoft.App/locations/eastus/\
                    containerappOperationStatuses/62e4?api-version=2024-03-01&azureAsyncOperation=true&t=1";
    let results = statuses.replace("Statuses", "Results");
    let accepted = Canned::empty(202).with_header("location", &results).with_header("retry-after", "5");
    let server = Server::start([
        accepted.clone(),
        accepted.with_header("azure-asyncoperation", statuses),
        Canned::json(200, documented()),
    ])
    .await;
    let client = client(&server);
    let body = json!({"properties": {"template": {"revisionSuffix": null, "containers": [{"name": "a"}]}}});
    let after = Some(Duration::from_secs(5));
    let begun = Update { operation: Some(Operation::Location(results)), after };
    assert_eq!(client.update(&body).await, Ok(begun));
    let begun = Update { operation: Some(Operation::AsyncOperation(statuses.into())), after };
    assert_eq!(client.update(&body).await, Ok(begun));
    assert_eq!(client.update(&body).await, Ok(Update { operation: None, after: None }));
    let seen = &server.seen()[0];
    assert_eq!((seen.method.as_str(), seen.header("content-type")), ("PATCH", "application/json"));
    assert_eq!(seen.target, format!("{PATH}{VERSION}"));
    assert_eq!(serde_json::from_slice::<Value>(&seen.body).unwrap(), body);
}

#[tokio::test]
async fn a_change_that_fails_says_whether_to_wait_to_look_or_to_give_up() {
    let busy = json!({"error": {
        "code": "NotVerified",
        "message": "Cannot modify a container app 'a' because there is an active provisioning operation in progress. …"
    }});
    let taken = json!({"error": {"code": "ContainerAppInvalidRevisionSuffix", "message":
        "Field 'template.revisionsuffix' is invalid with details: 'Invalid value: \"v1\": revision with suffix v1 \
         already exists.'"
    }});
    let mut failed = documented();
    failed["properties"]["provisioningState"] = json!("Failed");
    let server = Server::start([
        Canned::json(409, busy),
        Canned::json(400, taken),
        Canned::empty(429).with_header("retry-after", "17"),
        Canned::empty(500),
        Canned::json(200, failed),
    ])
    .await;
    let client = client(&server);
    let update = async || client.update(&json!({})).await.unwrap_err();
    let error = update().await;
    assert_eq!((error.kind, error.is_retryable()), (ErrorKind::Conflict, true));
    let error = update().await;
    assert_eq!((error.is_retryable(), says_suffix_is_taken(&error.message)), (false, true));
    let error = update().await;
    assert_eq!((error.is_retryable(), error.retry_after), (true, Some(Duration::from_secs(17))));
    assert!(!says_suffix_is_taken(&error.message));
    assert!(update().await.is_ambiguous());
    // A failure that comes as a success.
    assert_eq!(update().await.kind, ErrorKind::Invalid);
    // None of them was sent twice.
    assert_eq!(server.seen().len(), 5);
}

fn revision(name: &str) -> Value {
    json!({
        "id": format!("{PATH}/revisions/{name}"), "name": name, "type": "Microsoft.App/containerapps/revisions",
        "properties": {
            "createdTime": "2023-10-30T10:23:13+00:00",
            "fqdn": format!("{name}.internal.victoriousground-d454dbe5.eastus.azurecontainerapps.io"),
            "template": {
                "revisionSuffix": null,
                "containers": [{"image": "mcr.microsoft.com/redis:7.0.12-alpine", "name": "redis", "probes": []}],
                "initContainers": null, "scale": {"minReplicas": 0, "maxReplicas": 1, "rules": null}
            },
            "active": true, "replicas": 1, "trafficWeight": 100,
            "provisioningError": "Failed:redisContainerCrashing", "healthState": "Unhealthy",
            "provisioningState": "Failed", "runningState": "Failed",
            "runningStateDetails": format!("1/1 Failed:redisContainerCrashing password={PLANTED}")
        }
    })
}

#[tokio::test]
async fn a_sick_revision_tells_its_reason_without_the_secrets_in_it() {
    let server = Server::start([Canned::json(200, revision("a1ujx--7f979gk"))]).await;
    let found = client(&server).revision("a1ujx--7f979gk").await.unwrap().unwrap();
    assert_eq!(server.only().target, format!("{PATH}/revisions/a1ujx--7f979gk{VERSION}"));
    assert_eq!((found.name.as_str(), found.active, found.replicas), ("a1ujx--7f979gk", true, Some(1)));
    assert_eq!((found.traffic_weight, found.min_replicas), (Some(100), Some(0)));
    assert_eq!(found.created, Timestamp::parse("2023-10-30T10:23:13Z"));
    assert_eq!((&found.provisioning_state, &found.health_state), (&ProvisioningState::Failed, &HealthState::Unhealthy));
    assert_eq!((found.is_running(), found.is_failed()), (false, true));
    assert_eq!(found.provisioning_error.as_deref(), Some("Failed:redisContainerCrashing"));
    assert_eq!(found.images[0].image, "mcr.microsoft.com/redis:7.0.12-alpine");
    let details = found.running_state_details.unwrap();
    assert!(details.starts_with("1/1 Failed:redisContainerCrashing") && !details.contains(PLANTED), "{details}");
}

#[tokio::test]
async fn states_that_nobody_documented_are_kept_and_understood_as_far_as_they_go() {
    let state = |text: Value| {
        let mut body = revision("r");
        body["properties"]["provisioningState"] = json!("Provisioned");
        body["properties"]["healthState"] = json!("None");
        body["properties"]["runningState"] = text;
        Canned::json(200, body)
    };
    let states = ["Running", "RunningAtMaxScale", "runningSlowly", "Activating", "ScaledToZero", "ActivationFailed"];
    let server = Server::start(states.map(|text| state(json!(text))).into_iter().chain([state(Value::Null)])).await;
    let client = client(&server);
    let mut seen = Vec::new();
    for _ in 0..=states.len() {
        let found = client.revision("r").await.unwrap().unwrap();
        seen.push((found.is_running(), found.is_failed()));
        assert_eq!(found.health_state, HealthState::None);
        if seen.len() == 4 {
            assert_eq!(found.running_state, RunningState::Other("Activating".into()));
        }
        if seen.len() == 7 {
            assert_eq!(found.running_state, RunningState::Unknown);
        }
    }
    let (running, waiting, failed) = ((true, false), (false, false), (false, true));
    assert_eq!(seen, [running, running, running, waiting, waiting, failed, waiting]);
}

#[tokio::test]
async fn a_revision_that_says_little_is_neither_running_nor_failed() {
    let server = Server::start([Canned::json(200, json!({"name": "r", "properties": {"active": null}}))]).await;
    let found = client(&server).revision("r").await.unwrap().unwrap();
    assert_eq!((found.active, found.replicas, found.traffic_weight), (false, None, None));
    assert_eq!(found.provisioning_state, ProvisioningState::Other(String::new()));
    assert_eq!((found.is_running(), found.is_failed()), (false, false));
}

#[tokio::test]
async fn a_missing_revision_is_nothing_and_a_missing_app_is_an_error() {
    let missing = |code: &str| Canned::json(404, json!({"error": {"code": code, "message": "not found"}}));
    let server = Server::start([
        missing("RevisionNotFound"),
        // A name of the cause that nobody has verified: the app is there.
        missing("ContainerAppRevisionNotFound"),
        Canned::json(200, documented()),
        missing("ResourceNotFound"),
        missing("ResourceNotFound"),
    ])
    .await;
    let client = client(&server);
    assert_eq!(client.revision("r").await, Ok(None));
    assert_eq!(client.revision("r").await, Ok(None));
    let error = client.revision("r").await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::NotFound, "ResourceNotFound"));
    let seen = server.seen();
    let targets: Vec<_> = seen.iter().map(|seen| &seen.target).collect();
    let [of_revision, of_app] = [format!("{PATH}/revisions/r{VERSION}"), format!("{PATH}{VERSION}")];
    assert_eq!(targets, [&of_revision, &of_revision, &of_app, &of_revision, &of_app]);
}

#[tokio::test]
async fn revisions_are_read_page_by_page_to_an_end() {
    // The first answer's link is not known before the server is.
    let server = Server::start([]).await;
    let page = |name: &str, next: Value| Canned::json(200, json!({"value": [revision(name)], "nextLink": next}));
    let next = server.url("/next?api-version=2024-03-01&$skipToken=a%2Fb");
    server.then([page("a", json!(next)), page("b", json!(next)), page("c", Value::Null)]);
    let client = client(&server);
    let names: Vec<_> = client.revisions().await.unwrap().into_iter().map(|found| found.name).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(server.seen()[0].target, format!("{PATH}/revisions{VERSION}"));
    assert_eq!(server.seen()[1].target, "/next?api-version=2024-03-01&$skipToken=a%2Fb");

    server.then([page("a", json!(""))]);
    assert_eq!(client.revisions().await.unwrap().len(), 1);
    server.then([page("a", json!("https://management.azure.com.evil.example/next"))]);
    assert_eq!(client.revisions().await.unwrap_err().kind, ErrorKind::Invalid);
    server.then((0..=MAX_PAGES).map(|_| page("a", json!(next))));
    assert_eq!(client.revisions().await.unwrap_err().kind, ErrorKind::Unreadable);
}

#[tokio::test]
async fn an_order_is_an_empty_post_and_any_friendly_answer_will_do() {
    let server = Server::start([
        Canned::text(200, "\"Activate succeeded\""),
        Canned::empty(200),
        Canned::text(200, "\"Restart succeeded\""),
        Canned::json(404, json!({"error": {"code": "RevisionNotFound", "message": "gone"}})),
    ])
    .await;
    let client = client(&server);
    client.activate("r").await.unwrap();
    client.deactivate("r").await.unwrap();
    client.restart("../r").await.unwrap();
    assert_eq!(client.restart("r").await.unwrap_err().kind, ErrorKind::NotFound);
    let seen = server.seen();
    let targets: Vec<_> = seen[..3].iter().map(|seen| (seen.method.as_str(), seen.target.as_str())).collect();
    let expected =
        ["r/activate", "r/deactivate", "..%2Fr/restart"].map(|rest| format!("{PATH}/revisions/{rest}{VERSION}"));
    assert_eq!(targets, [("POST", &*expected[0]), ("POST", &*expected[1]), ("POST", &*expected[2])]);
    assert!(seen.iter().all(|seen| seen.body.is_empty() && seen.header("content-length") == "0"));
}

#[tokio::test]
async fn replicas_tell_why_their_containers_do_not_run() {
    let container = json!({
        "name": "hello92", "containerId": "containerd://6bac", "ready": true, "started": true, "restartCount": 0,
        "runningState": "Running", "runningStateDetails": "testDetail", "execEndpoint": "testExecEndpoint"
    });
    let crashing = json!({
        "name": "api", "ready": false, "started": null, "restartCount": 4, "runningState": "Waiting",
        "runningStateDetails": format!("CrashLoopBackOff: secret={PLANTED}")
    });
    let replica = json!({
        "name": "myapp--0wlqy09-5d9774cff-5wnd8", "type": "Microsoft.Web/containerapps/revisions/replicas",
        "properties": {
            "createdTime": "2022-01-25T19:42:45Z", "runningState": "NotRunning", "runningStateDetails": null,
            "containers": [container, crashing], "initContainers": []
        }
    });
    let server =
        Server::start([Canned::json(200, json!({"value": [replica]})), Canned::json(200, json!({"value": []}))]).await;
    let client = client(&server);
    let replicas = client.replicas("myapp--0wlqy09").await.unwrap();
    assert_eq!(server.seen()[0].target, format!("{PATH}/revisions/myapp--0wlqy09/replicas{VERSION}"));
    assert_eq!(replicas[0].running_state.as_deref(), Some("NotRunning"));
    let [well, sick] = replicas[0].containers.as_slice() else { panic!("two containers") };
    assert_eq!((well.ready, well.started, well.details.as_deref()), (true, true, Some("testDetail")));
    assert_eq!((sick.ready, sick.started, sick.restart_count), (false, false, 4));
    assert_eq!((sick.name.as_str(), sick.running_state.as_deref()), ("api", Some("Waiting")));
    assert!(sick.details.as_deref().unwrap().starts_with("CrashLoopBackOff"));
    assert!(!format!("{replicas:?}").contains(PLANTED));
    assert_eq!(client.replicas("myapp--0wlqy09").await, Ok(Vec::new()));
}
