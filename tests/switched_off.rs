//! Functions that a setting switches off, through a host that does not trigger them and the handler that it tells.

#[path = "support/azurite.rs"]
mod azurite;
#[path = "support/local.rs"]
mod local;

use local::{Caller, Local, Start};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_in_part_is_refused_by_name_and_a_route_that_is_off_is_not_there() {
    let data = tempfile::tempdir().expect("a folder");
    let open = Local::start(&Start::embedded(data.path())).await;
    let warned_of_anyway = Caller::of(&open.base).get("/api/health").await.1["warnings"].as_u64().expect("a number");
    open.stop().await;
    let start = Start::embedded(data.path())
        .setting("AzureWebJobs.probe_build.Disabled", "true")
        .setting("AzureWebJobs_upgrade_check_Disabled", "1")
        .setting("AzureWebJobs.upgrade_status.Disabled", "True")
        .setting("AzureWebJobs.upgrade_bulding.Disabled", "true");
    let local = Local::start(&start).await;
    let caller = Caller::of(&local.base);
    let (status, refused) = caller.post("/api/probe/start", &json!({})).await;
    assert_eq!((status, &refused["code"]), (409, &json!("pipeline_disabled")), "{refused}");
    let message = refused["message"].as_str().expect("a message");
    for word in ["probe_build", "AzureWebJobs.probe_build.Disabled"] {
        assert!(message.contains(word), "no '{word}' in: {message}");
    }
    let gone = caller.request(reqwest::Method::GET, "/api/upgrade/status").send().await.expect("an answer");
    let (status, body) = (gone.status().as_u16(), gone.text().await.expect("a body"));
    assert_eq!((status, body.as_str()), (404, ""), "it does not come to the function with the rest of the routes");
    let (_, health) = caller.get("/api/health").await;
    assert_eq!((&health["status"], &health["disabled"]), (&json!("ready"), &json!(["probe"])), "{health}");
    assert_eq!(health["warnings"], warned_of_anyway + 2, "a pipeline in part, and a function that is none: {health}");
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_stays_where_it_is_while_its_function_is_off_and_goes_on_afterwards() {
    let data = tempfile::tempdir().expect("a folder");
    let open = Start::embedded(data.path());
    let local = Local::start(&open).await;
    let caller = Caller::of(&local.base);
    let body = json!({"drill": {"phase": "build", "action": "block"}});
    let (_, started) = caller.post("/api/probe/start", &body).await;
    let path = format!("/api/runs/{}", started["id"].as_str().expect("an id"));
    caller.until(&path, |run| run["customStatus"]["waiting_for"].is_string()).await;
    local.stop().await;

    let off = Start::embedded(data.path()).setting("AzureWebJobs.probe_build.Disabled", "true");
    let local = Local::start(&off).await;
    let caller = Caller::of(&local.base);
    let release = format!("/api/probe/{}/release", started["id"].as_str().expect("an id"));
    assert_eq!(caller.post(&release, &json!({})).await.0, 202, "it hears what it is told");
    let (_, run) = caller.get(&path).await;
    assert_eq!((&run["why"]["kind"], &run["runtimeStatus"]), (&json!("disabled"), &json!("Running")), "{run}");
    let reason = run["why"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("AzureWebJobs.probe_build.Disabled"), "{reason}");
    local.stop().await;

    let local = Local::start(&open).await;
    let ended = Caller::of(&local.base).until(&path, |run| run["runtimeStatus"] == "Completed").await;
    assert_eq!((&ended["verdict"], &ended["historyIntact"]), (&json!("succeeded"), &json!(true)));
    local.stop().await;
}
