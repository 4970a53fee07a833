//! What the host reads, and what it refuses to start with.

use serde_json::json;

use crate::rig::{Setup, answer, http, queue, success};

async fn refusal(setup: Setup) -> String {
    match setup.try_start().await {
        Ok(_) => panic!("the host started"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_of_every_file_is_told_at_once_with_what_to_do() {
    let mut setup = Setup::new(|_| success())
        .function("good", http("good"))
        .function("twice", http("GOOD/"))
        .function("9digits", http("x"))
        .function("none", json!([]))
        .function("odd", json!([{"type": "blobTrigger", "direction": "in", "name": "b"}]))
        .function("typo", json!([{"type": "queueTrigger", "direction": "in", "name": "m", "queuename": "jobs"}]))
        .function("caps", json!([{"type": "queueTrigger", "direction": "in", "name": "m", "queueName": "Jobs"}]))
        .function("never", json!([{"type": "timerTrigger", "direction": "in", "name": "t", "schedule": "* * *"}]))
        .function("unset", queue("%NO_SUCH_SETTING%"))
        .function("brace", http("api/{id"))
        .function("admin", http("admin/x"))
        .function("nodirection", json!([{"type": "httpTrigger", "name": "req"}]));
    setup.host_json["extensions"]["queues"]["batchSize"] = json!(64);
    setup.functions.push(("broken".to_owned(), json!("no object")));
    let error = refusal(setup).await;
    for parts in [
        ["host.json", "batchSize is 64", "1 to 32"],
        ["twice/function.json", "route of", "'good'"],
        ["9digits/function.json", "no function name", "beginning with a letter"],
        ["none/function.json", "no bindings", "one trigger"],
        ["odd/function.json", "'blobtrigger'", "httpTrigger"],
        ["typo/function.json", "queuename", "queueName"],
        ["caps/function.json", "'Jobs'", "a-z"],
        ["never/function.json", "3 fields", "six"],
        ["unset/function.json", "NO_SUCH_SETTING", "local.settings.json"],
        ["brace/function.json", "api/{id", "not closed"],
        ["admin/function.json", "/admin", "host"],
        ["nodirection/function.json", "direction", "\"in\""],
        ["broken/function.json", "no JSON object", "bindings"],
    ] {
        assert!(error.lines().any(|line| parts.iter().all(|part| line.contains(part))), "{parts:?} in {error}");
    }
    assert!(!error.contains("/good/function.json"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_function_is_loaded_and_not_triggered() {
    let mut rig = Setup::new(|_| success())
        .function("jobs", queue("jobs"))
        .function("more_jobs", queue("more"))
        .function("web", http("web"))
        .function("other", http("other"))
        .function("zrest", http("{*rest}"))
        .set("AzureWebJobs.Jobs.Disabled", "true")
        .set("AzureWebJobs_more_jobs_Disabled", "1")
        .set("AzureWebJobs.web.Disabled", "True")
        .set("AzureWebJobs.other.Disabled", "false")
        .set("AzureWebJobs__other__Disabled", "true")
        .set("AzureWebJobs.zrest.Disabled", "yes")
        .queues(json!({"messageEncoding": "none"}))
        .start()
        .await;
    rig.store.enqueue("jobs", "x", std::time::Duration::ZERO);
    rig.store.enqueue("more", "y", std::time::Duration::ZERO);
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let refused = rig.exchange(&get("/web"), false).await;
    assert!(refused.starts_with("HTTP/1.1 404 "), "no other function takes its route: {refused}");
    assert!(rig.exchange(&get("/other"), false).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(rig.next().await.target(), "/other");
    assert!(rig.nothing_came());
    assert_eq!((rig.store.texts("jobs"), rig.store.texts("more")), (vec!["x".to_owned()], vec!["y".to_owned()]));
    let listed = rig.exchange(&get("/admin/functions"), false).await;
    for (name, off) in [("jobs", true), ("more_jobs", true), ("web", true), ("other", false), ("zrest", false)] {
        assert!(listed.contains(&format!("{{\"name\":\"{name}\",\"isDisabled\":{off}}}")), "{name}: {listed}");
    }
    let by_hand = "POST /admin/functions/jobs HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    assert!(rig.exchange(by_hand, false).await.starts_with("HTTP/1.1 202 "));
    assert_eq!(rig.next().await.target(), "/jobs", "somebody wants it done now");
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queues_name_may_be_a_setting_and_host_json_may_be_overridden() {
    let mut rig = Setup::new(|_| success())
        .function("jobs", queue("%THE_QUEUE%-1"))
        .function("web", http("{*rest}"))
        .set("THE_QUEUE", "mine")
        .set("AzureFunctionsJobHost__extensions__queues__messageEncoding", "none")
        .set("AzureFunctionsJobHost__extensions__http__routePrefix", "v1")
        .start()
        .await;
    rig.store.enqueue("mine-1", "plain text!", std::time::Duration::ZERO);
    assert!(rig.next().await.body.contains("plain text!"));
    let got = rig.exchange("GET /other HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false).await;
    assert!(got.starts_with("HTTP/1.1 404 "), "{got}");
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_told() {
    let rig = Setup::new(|_| answer("200 OK", "")).catch_all().start().await;
    let options = windlass::dev::host::HostOptions {
        script_root: rig.root.path().to_owned(),
        functions_dir: rig.root.path().to_owned(),
        handler: std::env::current_exe().unwrap(),
        port: rig.host.address().port(),
        environment: Vec::new(),
        http: windlass::dev::host::HttpMode::Forwarding,
        queues: rig.store.clone(),
        timers_dir: rig.path("timers"),
        voice: windlass::dev::host::Voice::new(|_, _| {}),
    };
    let error = windlass::dev::host::start(options).await.err().unwrap().to_string();
    assert!(error.contains("cannot listen") && error.contains("another port"), "{error}");
    rig.host.shutdown().await;
}
