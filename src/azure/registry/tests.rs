use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::azure::Cloud;
use crate::azure::testing::{Canned, FakeCredential, PLANTED, Server};

const PATH: &str = "/subscriptions/4385cf00-2d3a-425a-832f-f4285b1c9dce/resourceGroups/myResourceGroup/providers/\
                    Microsoft.ContainerRegistry/registries/myRegistry";
const SIGNATURE: &str = "sv=2015-04-05&st=2015-04-29T22%3A18%3A26Z&se=2015-04-30T02%3A23%3A26Z&sr=b&sp=rw&sip=168.1.5.60-168.1.5.70&spr=https&sig=Z%2FRHIX5Xcg0Mq2rqI3OlWTjEg2tYkboXr1P9ZUXDtkk%3D";

fn client(server: &Server) -> RegistryClient {
    let cloud = Cloud::custom(&server.url(""), "https://login.invalid", "local").unwrap();
    let arm = ArmClient::new(&cloud, Arc::new(FakeCredential)).unwrap();
    RegistryClient::new(arm, "4385cf00-2d3a-425a-832f-f4285b1c9dce", "myResourceGroup", "myRegistry")
}

fn run(id: &str, status: &str, created: &str) -> Value {
    json!({
        "type": "Microsoft.ContainerRegistry/registries/runs",
        "properties": {
            "runId": id, "status": status, "lastUpdatedTime": "2026-03-24T00:29:09+00:00", "runType": "QuickRun",
            "createTime": created, "platform": {"os": "linux", "architecture": "amd64"},
            "agentConfiguration": {"cpu": 2}, "provisioningState": "Succeeded", "isArchiveEnabled": false
        },
        "id": format!("{PATH}/runs/{id}"), "name": id
    })
}

#[tokio::test]
async fn the_registry_tells_its_login_server() {
    let body = json!({
        "id": PATH, "name": "myRegistry", "type": "Microsoft.ContainerRegistry/registries", "location": "westus",
        "sku": {"name": "Standard", "tier": "Standard"},
        "properties": {
            "loginServer": "myregistry-abc123.azurecr.io", "provisioningState": "Succeeded", "adminUserEnabled": false,
            "status": null, "policies": {"quarantinePolicy": {"status": "disabled"}}
        }
    });
    let server = Server::start([Canned::json(200, body)]).await;
    let registry = client(&server).get().await.unwrap();
    assert_eq!((registry.login_server.as_str(), registry.sku.as_str()), ("myregistry-abc123.azurecr.io", "Standard"));
    assert_eq!(server.only().target, format!("{PATH}?api-version=2023-07-01"));
}

#[tokio::test]
async fn a_place_for_the_context_is_asked_for_with_an_empty_post() {
    let upload = format!("https://r.blob.core.windows.net/c/source/1.tar.gz?{SIGNATURE}");
    let body = json!({"relativePath": "source/1.tar.gz", "uploadUrl": upload});
    let server = Server::start([Canned::json(200, body)]).await;
    let place = client(&server).source_upload_url().await.unwrap();
    assert_eq!(place.relative_path, "source/1.tar.gz");
    assert_eq!(place.upload_url, SasUrl::new(upload));
    assert!(!format!("{place:?}").contains("Z%2FRHIX5"));
    let seen = server.only();
    assert_eq!(seen.target, format!("{PATH}/listBuildSourceUploadUrl?api-version=2019-06-01-preview"));
    assert_eq!((seen.method.as_str(), seen.header("content-length")), ("POST", "0"));
}

#[tokio::test]
async fn the_context_is_uploaded_with_the_signature_byte_for_byte_and_without_our_token() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let content = vec![7_u8; 600_000];
    std::fs::write(file.path(), &content).unwrap();
    let server = Server::start([Canned::empty(201)]).await;
    let to = SasUrl::new(server.url(&format!("/c/source/1.tar.gz?{SIGNATURE}")));
    client(&server).upload_source(&to, file.path(), 600_000, Duration::from_secs(30)).await.unwrap();
    let seen = server.only();
    assert_eq!(seen.target, format!("/c/source/1.tar.gz?{SIGNATURE}"));
    assert_eq!((seen.method.as_str(), seen.header("x-ms-blob-type")), ("PUT", "BlockBlob"));
    assert_eq!((seen.header("content-length"), seen.header("transfer-encoding")), ("600000", ""));
    assert_eq!(seen.header("authorization"), "");
    assert_eq!(seen.body, content);
}

#[tokio::test]
async fn an_upload_that_is_refused_says_whether_a_new_address_helps() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "x").unwrap();
    let expired = "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>AuthenticationFailed</Code>\
                   <Message>Server failed to authenticate the request.</Message></Error>";
    let busy = Canned::empty(503).with_header("x-ms-error-code", "ServerBusy").with_header("retry-after", "3");
    let server = Server::start([Canned::text(403, expired), busy]).await;
    let to = SasUrl::new(server.url(&format!("/c?{SIGNATURE}")));
    let upload = async |length| client(&server).upload_source(&to, file.path(), length, Duration::from_secs(30)).await;
    let error = upload(1).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::LinkExpired, "AuthenticationFailed"));
    let error = upload(1).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.retry_after), ("ServerBusy", Some(Duration::from_secs(3))));
    assert!(error.is_retryable());
    // A file that is not the one that was packed is not sent at all.
    assert_eq!(upload(2).await.unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(server.seen().len(), 2);
    assert!(!format!("{error} {error:?}").contains("sig"));
}

#[tokio::test]
async fn a_build_is_scheduled_as_a_docker_build_request() {
    let server = Server::start([Canned::json(200, run("cf2", "Queued", "2026-03-24T00:30:29+00:00"))]).await;
    let build = DockerBuild {
        source_location: "source/1.tar.gz".into(),
        docker_file_path: "0a_Dockerfile".into(),
        image_names: vec!["elb-api:v1.2.3".into()],
        arguments: vec![
            BuildArgument { name: "APP_VERSION".into(), value: "1.2.3".into(), is_secret: false },
            BuildArgument { name: "NPM".into(), value: PLANTED.into(), is_secret: true },
        ],
        timeout: Duration::from_secs(10),
        no_cache: false,
    };
    assert!(!format!("{build:?}").contains(PLANTED));
    let scheduled = client(&server).schedule_build(&build).await.unwrap();
    assert_eq!((scheduled.run_id.as_str(), &scheduled.status), ("cf2", &RunStatus::Queued));
    let seen = server.only();
    assert_eq!(seen.target, format!("{PATH}/scheduleRun?api-version=2019-06-01-preview"));
    let expected = json!({
        "type": "DockerBuildRequest", "sourceLocation": "source/1.tar.gz", "dockerFilePath": "0a_Dockerfile",
        "imageNames": ["elb-api:v1.2.3"], "isPushEnabled": true, "noCache": false, "timeout": 300,
        "platform": {"os": "Linux", "architecture": "amd64"},
        "arguments": [
            {"name": "APP_VERSION", "value": "1.2.3", "isSecret": false},
            {"name": "NPM", "value": PLANTED, "isSecret": true}
        ]
    });
    assert_eq!(serde_json::from_slice::<Value>(&seen.body).unwrap(), expected);
}

#[tokio::test]
async fn a_refused_schedule_names_the_cause_and_one_without_a_run_is_ambiguous() {
    let body =
        json!({"error": {"code": "TasksOperationsNotAllowed", "message": "ACR Tasks requests are not permitted."}});
    let server = Server::start([Canned::json(403, body), Canned::empty(202)]).await;
    let build = DockerBuild {
        source_location: String::new(),
        docker_file_path: String::new(),
        image_names: vec![],
        arguments: vec![],
        timeout: Duration::ZERO,
        no_cache: false,
    };
    let error = client(&server).schedule_build(&build).await.unwrap_err();
    assert_eq!((error.kind, error.is_retryable(), error.is_ambiguous()), (ErrorKind::Forbidden, false, false));
    assert!(error.has_code("TasksOperationsNotAllowed"));
    let error = client(&server).schedule_build(&build).await.unwrap_err();
    assert_eq!((error.kind, error.is_ambiguous()), (ErrorKind::Unreadable, true));
}

#[tokio::test]
async fn a_runs_state_is_read_with_its_images_and_its_error() {
    let mut succeeded = run("cf2", "Succeeded", "2026-03-24T00:30:29.1272003+00:00");
    succeeded["properties"]["outputImages"] =
        json!([{"registry": "r.azurecr.io", "repository": "myimage", "tag": "tag", "digest": "sha256:ccbb"}]);
    let mut failed = run("cf1", "Failed", "2026-03-24T00:29:09Z");
    failed["properties"]["runErrorMessage"] = json!(format!("failed, password={PLANTED}"));
    let server = Server::start([
        Canned::json(200, succeeded),
        Canned::json(200, failed),
        Canned::json(200, json!({"properties": {"runId": "cf3", "status": "Rebalancing", "createTime": "?"}})),
        Canned::json(200, json!({"properties": {"runId": "cf4"}})),
        Canned::json(404, json!({"error": {"code": "RunNotFound", "message": "no such run"}})),
    ])
    .await;
    let client = client(&server);
    let first = client.run("cf2").await.unwrap();
    assert!(first.status.is_ended() && first.output_images[0].digest == "sha256:ccbb");
    assert_eq!(first.create_time, Timestamp::parse("2026-03-24T00:30:29.127Z"));
    let second = client.run("../cf1").await.unwrap();
    assert_eq!(second.status, RunStatus::Failed);
    assert!(!second.error_message.unwrap().contains(PLANTED));
    let third = client.run("cf3").await.unwrap();
    assert_eq!((third.status.is_ended(), third.create_time), (false, None));
    assert_eq!(client.run("cf4").await.unwrap().status, RunStatus::Queued);
    assert_eq!(client.run("cf5").await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(server.seen()[1].target, format!("{PATH}/runs/..%2Fcf1?api-version=2019-06-01-preview"));
}

#[tokio::test]
async fn a_run_whose_schedule_reply_was_lost_is_among_the_runs_since_then() {
    let mut triggered = run("auto", "Running", "2026-03-24T00:31:00Z");
    triggered["properties"]["runType"] = json!("AutoRun");
    let value = json!({"value": [
        run("cf9", "Queued", "2026-03-24T00:30:05Z"), triggered, run("cf3", "Running", "2026-03-24T00:29:59Z"),
        run("cf10", "Queued", "2026-03-24T00:30:07Z"), run("cf1", "Failed", "2026-03-23T00:00:00Z"),
    ], "nextLink": null});
    let server = Server::start([Canned::json(200, value)]).await;
    let since = Timestamp::parse("2026-03-24T00:30:00Z").unwrap();
    let found = client(&server).find_runs(since).await.unwrap();
    let found: Vec<_> = found.iter().map(|run| run.run_id.as_str()).collect();
    assert_eq!(found, ["cf10", "cf9"]);
    assert_eq!(server.only().target, format!("{PATH}/runs?api-version=2019-06-01-preview&%24top=100"));
}

#[tokio::test]
async fn a_cancel_is_accepted_and_one_that_comes_too_late_is_no_error() {
    let late = Canned::json(409, json!({"error": {"code": "RunNotCancelable", "message": "it has ended"}}));
    let server = Server::start([Canned::empty(200), Canned::empty(202), late, Canned::empty(500)]).await;
    let client = client(&server);
    for _ in 0..3 {
        client.cancel("cf1").await.unwrap();
    }
    assert_eq!(client.cancel("cf1").await.unwrap_err().kind, ErrorKind::Unavailable);
    assert_eq!(server.seen()[0].target, format!("{PATH}/runs/cf1/cancel?api-version=2019-06-01-preview"));
}

fn grown(length: u64) -> Canned {
    Canned::text(200, &"x".repeat(usize::try_from(length).unwrap())).with_header("x-ms-blob-type", "AppendBlob")
}

fn range(body: &str, from: u64, total: u64) -> Canned {
    let end = from + body.len() as u64 - 1;
    Canned::text(206, body).with_header("content-range", &format!("bytes {from}-{end}/{total}"))
}

fn chunk(bytes: &'static str, next: u64, complete: Option<&str>) -> LogChunk {
    LogChunk { bytes: bytes.into(), next, complete: complete.map(str::to_owned) }
}

#[tokio::test]
async fn a_log_is_read_in_pieces_until_it_is_complete() {
    let finished = |length| grown(length).with_header("x-ms-meta-Complete", "successful");
    let server = Server::start([
        Canned::json(200, json!({"logLink": "http://placeholder"})),
        Canned::empty(404).with_header("x-ms-error-code", "BlobNotFound"),
        grown(5),
        range("line\n", 0, 5),
        grown(5),
        finished(9),
        range("la", 5, 9),
        finished(9),
        range("st", 7, 9),
        finished(9),
    ])
    .await;
    let client = client(&server);
    client.log_link("cf1").await.unwrap();
    let link = SasUrl::new(server.url(&format!("/logs/cf1/rawtext.log?{SIGNATURE}")));
    let tail = async |from, max| client.log_tail(&link, from, max).await.unwrap();
    assert_eq!(tail(0, 100).await, chunk("", 0, None));
    assert_eq!(tail(0, 100).await, chunk("line\n", 5, None));
    assert_eq!(tail(5, 100).await, chunk("", 5, None));
    assert_eq!(tail(5, 2).await, chunk("la", 7, None));
    assert_eq!(tail(7, 100).await, chunk("st", 9, Some("successful")));
    assert_eq!(tail(9, 100).await, chunk("", 9, Some("successful")));
    let seen = server.seen();
    assert_eq!(seen[0].target, format!("{PATH}/runs/cf1/listLogSasUrl?api-version=2019-06-01-preview"));
    for seen in &seen[1..] {
        assert_eq!(seen.target, format!("/logs/cf1/rawtext.log?{SIGNATURE}"));
        assert_eq!(seen.header("authorization"), "");
    }
    let ranges: Vec<_> = seen.iter().map(|seen| seen.header("range")).filter(|range| !range.is_empty()).collect();
    assert_eq!(ranges, ["bytes=0-4", "bytes=5-6", "bytes=7-8"]);
}

#[tokio::test]
async fn a_log_that_has_nothing_new_or_ignores_ranges_or_has_expired_is_told_apart() {
    let server = Server::start([
        grown(4),
        Canned::empty(416),
        grown(4),
        Canned::text(200, "abcdef"),
        Canned::empty(403).with_header("x-ms-error-code", "AuthenticationFailed"),
        grown(4),
        range("zz", 0, 4),
    ])
    .await;
    let client = client(&server);
    let link = SasUrl::new(server.url(&format!("/log?{SIGNATURE}")));
    assert_eq!(client.log_tail(&link, 2, 100).await.unwrap(), chunk("", 2, None));
    assert_eq!(client.log_tail(&link, 2, 100).await.unwrap(), chunk("cd", 4, None));
    let error = client.log_tail(&link, 2, 100).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::LinkExpired, "AuthenticationFailed"));
    // A piece of another place must not get into the log.
    assert!(client.log_tail(&link, 2, 100).await.is_err());
}
