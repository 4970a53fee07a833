//! The handler's process: how it is started, watched, restarted and ended.

use serde_json::json;
use windlass::dev::host::{Level, StopReason};

use crate::handler::{Report, Step};
use crate::rig::{Rig, Setup, answer, queue, success, within};

async fn get(rig: &Rig, path: &str) -> String {
    rig.exchange(&format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), false).await
}

fn lives(pid: u32) -> bool {
    // A zombie is dead.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_handler_starts_in_the_script_root_with_its_port_and_ids() {
    let mut rig = Setup::new(|_| answer("200 OK", "")).catch_all().set("MY_SETTING", "mine").start().await;
    let Report::Started { environment, folder, arguments } = within("a start", rig.starts.recv()).await.unwrap() else {
        panic!("that is no start")
    };
    let get = |name: &str| {
        environment
            .iter()
            .find(|(known, _)| known == name)
            .map_or_else(|| panic!("{name}"), |(_, value)| value.as_str())
    };
    let root = rig.root.path().canonicalize().unwrap().display().to_string();
    assert_eq!(std::path::Path::new(&folder).canonicalize().unwrap().display().to_string(), root);
    assert_eq!(
        std::path::Path::new(get("FUNCTIONS_APP_ROOT_PATH")).canonicalize().unwrap().display().to_string(),
        root
    );
    assert_eq!(get("FUNCTIONS_CUSTOMHANDLER_PORT"), get("FUNCTIONS_HTTPWORKER_PORT"));
    assert_eq!(get("FUNCTIONS_CUSTOMHANDLER_WORKER_ID"), get("FUNCTIONS_HTTPWORKER_ID"));
    assert_eq!(get("MY_SETTING"), "mine");
    assert_eq!(arguments[1..], ["handler_process", "--exact", "--nocapture"], "arguments are split at blanks");
    assert!(rig.host.address().ip().is_loopback());
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_messages_wait_until_the_handler_answers() {
    let mut setup = Setup::new(|request| if request.method() == "GET" { answer("200 OK", "up") } else { success() })
        .catch_all()
        .function("jobs", queue("jobs"))
        .queues(json!({"messageEncoding": "none"}));
    setup.starts = std::sync::Arc::new(|_| vec![Step::Pause(400)]);
    setup.store.enqueue("jobs", "x", std::time::Duration::ZERO);
    let mut rig = setup.start().await;
    assert!(get(&rig, "/early").await.ends_with("up"));
    let mut came = [rig.next().await.target().to_owned(), rig.next().await.target().to_owned()];
    came.sort();
    assert_eq!(came, ["/early", "/jobs"], "and nothing but the bare question came before");
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_handler_prints_is_passed_on() {
    let mut setup = Setup::new(|_| answer("200 OK", "")).catch_all();
    setup.starts =
        std::sync::Arc::new(|_| vec![Step::Print("an ordinary line".into()), Step::PrintError("a bad line".into())]);
    let rig = setup.start().await;
    assert_eq!(rig.said(&["[handler] an ordinary line"]).await.0, Level::Information);
    assert_eq!(rig.said(&["[handler] a bad line"]).await.0, Level::Error);
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_exits_with_0_is_never_restarted_and_that_is_said() {
    let mut rig = Setup::new(|_| vec![Step::Exit(0)])
        .catch_all()
        .function("jobs", queue("jobs"))
        .queues(json!({"messageEncoding": "none", "maxDequeueCount": 1}))
        .start()
        .await;
    let first = get(&rig, "/x").await;
    assert!(first.starts_with("HTTP/1.1 500 "), "{first}");
    rig.said(&["exited with code 0", "never restarts"]).await;
    assert!(get(&rig, "/x").await.contains("\r\nContent-Length: 0\r\n"));
    within("the first start", rig.starts.recv()).await;
    assert!(rig.starts.try_recv().is_err());
    assert_eq!(rig.host.child_pid(), None);
    rig.store.enqueue("jobs", "kept", std::time::Duration::ZERO);
    // Many round trips, and more than a poll: time enough for a listener that still listened.
    for _ in 0..300 {
        assert!(get(&rig, "/x").await.starts_with("HTTP/1.1 500 "));
    }
    let store = rig.store.clone();
    rig.host.shutdown().await;
    assert_eq!((store.texts("jobs"), store.texts("jobs-poison")), (vec!["kept".to_owned()], Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_code_200_is_a_restart_that_does_not_count() {
    let mut setup = Setup::new(|_| answer("200 OK", "up")).catch_all();
    setup.starts = std::sync::Arc::new(|nth| if nth <= 4 { vec![Step::Exit(200)] } else { Vec::new() });
    let rig = setup.start().await;
    assert!(get(&rig, "/x").await.ends_with("up"));
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_survived_twice_and_the_third_ends_the_host() {
    let mut rig =
        Setup::new(|request| if request.target() == "/die" { vec![Step::Abort] } else { answer("200 OK", "up") })
            .catch_all()
            .start()
            .await;
    for crash in 1..=2 {
        assert!(get(&rig, "/die").await.starts_with("HTTP/1.1 500 "));
        rig.said(&[&format!("crash {crash} of 3")]).await;
        assert!(get(&rig, "/x").await.ends_with("up"), "after crash {crash}");
    }
    assert!(get(&rig, "/die").await.starts_with("HTTP/1.1 500 "));
    assert_eq!(within("the end", rig.host.stopped()).await, StopReason::HandlerCrashed);
    rig.said(&["gives up"]).await;
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_does_not_listen_in_time_is_restarted_and_told_how() {
    let mut setup = Setup::new(|_| answer("200 OK", "up")).catch_all();
    setup.host_json["customHandler"]["initializationTimeout"] = json!("00:00:00.300");
    setup.starts = std::sync::Arc::new(|nth| if nth == 1 { vec![Step::Hang] } else { Vec::new() });
    let rig = setup.start().await;
    assert!(get(&rig, "/x").await.ends_with("up"));
    rig.said(&["has not answered", "FUNCTIONS_CUSTOMHANDLER_PORT"]).await;
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_takes_too_long_has_the_handler_killed() {
    let mut setup =
        Setup::new(|request| if request.target() == "/slow" { vec![Step::Hang] } else { answer("200 OK", "up") })
            .catch_all();
    setup.host_json["functionTimeout"] = json!("00:00:00.200");
    let rig = setup.start().await;
    assert!(get(&rig, "/x").await.ends_with("up"));
    let before = rig.host.child_pid().unwrap();
    assert!(get(&rig, "/slow").await.starts_with("HTTP/1.1 500 "));
    rig.said(&["'web'", "functionTimeout"]).await;
    rig.said(&["crash 1 of 3"]).await;
    assert!(get(&rig, "/x").await.ends_with("up"));
    assert!(!lives(before));
    rig.host.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_awaits_running_invocations_and_takes_the_handler_with_it() {
    let mut rig = Setup::new(|_| {
        let mut steps = vec![Step::Pause(300)];
        steps.extend(success());
        steps
    })
    .function("jobs", queue("jobs"))
    .catch_all()
    .queues(json!({"messageEncoding": "none"}))
    .start()
    .await;
    rig.store.enqueue("jobs", "x", std::time::Duration::ZERO);
    let address = rig.host.address();
    let mut client = rig.connect().await;
    client.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n").await;
    rig.next().await;
    rig.next().await;
    let pid = rig.host.child_pid().unwrap();
    let store = rig.store.clone();
    rig.host.shutdown().await;
    assert!(
        client.rest().await.contains("Connection: close"),
        "the client was still answered, and told that it was the last"
    );
    assert!(store.texts("jobs").is_empty(), "the message's result still counted");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the port is closed");
    assert!(!lives(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_that_does_not_end_is_cut_off_at_the_end() {
    let mut rig = Setup::new(|_| vec![Step::Hang])
        .function("jobs", queue("jobs"))
        .queues(json!({"messageEncoding": "none"}))
        .start()
        .await;
    rig.store.enqueue("jobs", "x", std::time::Duration::ZERO);
    rig.next().await;
    let pid = rig.host.child_pid().unwrap();
    within("the end of the host", rig.host.shutdown()).await;
    assert!(!lives(pid));
    assert_eq!(rig.store.texts("jobs"), ["x"], "the message was not deleted");
}
