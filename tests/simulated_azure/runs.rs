use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use windlass::dev::azure::{BuildEffect, Fault};

use crate::lab::{Lab, archive, code, request, storage_code};

const ONE: [(&str, &str); 1] = [("Dockerfile", "FROM scratch\nRUN one\nRUN two\n")];

fn hindered(effect: BuildEffect) -> Fault {
    Fault::Build { image: "elb-api".into(), effect, count: 1 }
}

#[tokio::test]
async fn a_log_grows_and_is_read_by_ranges() {
    let lab = Lab::open().await;
    lab.azure.fault(hindered(BuildEffect::LogLag { beats: 0 }));
    let run = lab.build("elb-api:v1", &ONE).await;
    let link = lab.log_link(&run).await;
    let head = || lab.http.head(&link).send();
    let range = |from: usize| lab.http.get(&link).header("x-ms-range", format!("bytes={from}-{}", from + 99)).send();
    let (mut collected, mut lengths) = (Vec::new(), Vec::new());
    loop {
        let told = head().await.unwrap();
        assert_eq!(told.headers()["x-ms-blob-type"], "AppendBlob");
        let length: usize = told.headers()["content-length"].to_str().unwrap().parse().unwrap();
        lengths.push(length);
        while collected.len() < length {
            let part = range(collected.len()).await.unwrap();
            assert_eq!(part.status(), 206);
            let span = part.headers()["content-range"].to_str().unwrap().to_owned();
            assert!(span.starts_with(&format!("bytes {}-", collected.len())), "{span}");
            collected.extend_from_slice(&part.bytes().await.unwrap());
        }
        if told.headers().contains_key("x-ms-meta-complete") {
            assert_eq!(told.headers()["x-ms-meta-complete"], "successful");
            break;
        }
    }
    assert!(lengths.windows(2).any(|pair| pair[0] < pair[1]), "{lengths:?}");
    assert_eq!(String::from_utf8(collected.clone()).unwrap(), lab.log(&run).await);
    assert_eq!(storage_code(range(collected.len()).await.unwrap(), 416).await, "InvalidRange");
}

#[tokio::test]
async fn there_is_no_log_before_there_is_an_agent() {
    let lab = Lab::open().await;
    lab.azure.fault(hindered(BuildEffect::StuckQueued));
    let run = lab.build("elb-api:v1", &ONE).await;
    let link = lab.log_link(&run).await;
    for _ in 0..3 {
        assert_eq!(storage_code(lab.http.get(&link).send().await.unwrap(), 404).await, "BlobNotFound");
        assert_eq!(lab.get(&format!("/runs/{run}")).await["properties"]["status"], "Queued");
    }
}

#[tokio::test]
async fn a_log_may_lag_behind_its_run() {
    let lab = Lab::open().await;
    lab.azure.fault(hindered(BuildEffect::LogLag { beats: 3 }));
    let run = lab.build("elb-api:v1", &ONE).await;
    assert_eq!(lab.finish(&run).await["status"], "Succeeded");
    let link = lab.log_link(&run).await;
    let told = lab.http.get(&link).send().await.unwrap();
    assert!(!told.headers().contains_key("x-ms-meta-complete"));
    assert!(!told.text().await.unwrap().contains("was successful after"));
    assert!(lab.log(&run).await.contains("was successful after"));
}

#[tokio::test]
async fn a_run_goes_by_the_clock_when_it_has_a_pace() {
    let lab = Lab::paced().await;
    lab.azure.fault(hindered(BuildEffect::LogLag { beats: 0 }));
    let run = lab.build("elb-api:v1", &ONE).await;
    let status = async || lab.get(&format!("/runs/{run}")).await["properties"]["status"].clone();
    assert_eq!((status().await, status().await), (json!("Queued"), json!("Queued")));
    lab.azure.skip(Duration::from_secs(10));
    assert_eq!(status().await, "Started");
    lab.azure.skip(Duration::from_secs(10));
    assert_eq!(status().await, "Running");
    lab.azure.skip(Duration::from_secs(100));
    assert_eq!(lab.pushed().len(), 1);
    assert_eq!(status().await, "Succeeded");
    let log = lab.log(&run).await;
    assert!(log.contains("was successful after 1m30s"), "{log}");
}

#[tokio::test]
async fn a_run_that_passes_its_time_limit_times_out() {
    let lab = Lab::paced().await;
    let steps: String = (0..60).map(|n| format!("RUN step {n}\n")).collect();
    let source = lab.upload(archive(&[("Dockerfile", &format!("FROM scratch\n{steps}"))])).await;
    let mut body = request("elb-api:v1", &source);
    body["timeout"] = json!(300);
    let run = lab.queue(&body).await;
    lab.azure.skip(Duration::from_secs(1000));
    assert_eq!(lab.finish(&run).await["status"], "Timeout");
}

#[tokio::test]
async fn a_cancelled_run_stops_a_little_later_and_only_once() {
    let lab = Lab::open().await;
    let run = lab.build("elb-api:v1", &ONE).await;
    lab.get(&format!("/runs/{run}")).await;
    let cancel = || lab.post_empty(&format!("/runs/{run}/cancel")).send();
    let accepted = cancel().await.unwrap();
    assert_eq!((accepted.status().as_u16(), accepted.content_length()), (200, Some(0)));
    assert_eq!(lab.azure.runs()[0].status, "Started");
    let ended = lab.finish(&run).await;
    assert_eq!(ended["status"], "Canceled");
    assert!(ended["finishTime"].is_string());
    assert_eq!(code(cancel().await.unwrap(), 409).await, "RunNotCancelable");
    assert!(lab.pushed().is_empty());
}

#[tokio::test]
async fn a_cancel_may_come_too_late() {
    let lab = Lab::open().await;
    let run = lab.build("elb-api:v1", &[("Dockerfile", "FROM scratch\n")]).await;
    // Agent, docker, scan, step, built, pushed; the end is next.
    for _ in 0..6 {
        assert_ne!(lab.get(&format!("/runs/{run}")).await["properties"]["status"], "Succeeded");
    }
    assert_eq!(lab.post_empty(&format!("/runs/{run}/cancel")).send().await.unwrap().status(), 200);
    assert_eq!(lab.finish(&run).await["status"], "Succeeded");
}

#[tokio::test]
async fn runs_are_listed_newest_first_and_filtered() {
    let lab = Lab::open().await;
    let first = lab.build("elb-api:v1", &ONE).await;
    let digest = lab.finish(&first).await["outputImages"][0]["digest"].as_str().unwrap().to_owned();
    let second = lab.build("elb-web:v1", &ONE).await;
    let names = async |query: &str| -> Vec<String> {
        let list = lab.get(&format!("/runs{query}")).await;
        list["value"].as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("").await, [second.clone(), first.clone()]);
    assert_eq!(names("?$top=1").await.as_slice(), std::slice::from_ref(&second));
    for (filter, wanted) in [
        ("Status%20eq%20'Succeeded'", vec![&first]),
        ("Status%20eq%20'Queued'%20and%20RunType%20eq%20'QuickRun'", vec![&second]),
        ("CreateTime%20ge%202020-01-01T00:00:00Z", vec![&second, &first]),
        ("CreateTime%20gt%202099-01-01T00:00:00Z", vec![]),
        // A run is known by its image only once it has succeeded.
        (&format!("contains(OutputImageManifests,'elb-api@{digest}')"), vec![&first]),
        ("contains(OutputImageManifests,'elb-web@')", vec![]),
    ] {
        let wanted: Vec<String> = wanted.into_iter().cloned().collect();
        assert_eq!(names(&format!("?$filter={filter}")).await, wanted, "{filter}");
    }
    let refused = lab.arm(Method::GET, "/runs?$filter=ImageName%20eq%20'x'").send().await.unwrap();
    assert_eq!(code(refused, 400).await, "InvalidFilter");
    let refused = lab.arm(Method::GET, "/runs?$top=many").send().await.unwrap();
    assert_eq!(code(refused, 400).await, "InvalidQueryParameter");
}

#[tokio::test]
async fn a_long_list_of_runs_has_pages() {
    let lab = Lab::open().await;
    let source = lab.upload(archive(&ONE)).await;
    for _ in 0..102 {
        lab.queue(&request("elb-api:v1", &source)).await;
    }
    let first = lab.get("/runs").await;
    assert_eq!(first["value"].as_array().unwrap().len(), 100);
    let next = first["nextLink"].as_str().unwrap().strip_prefix(&lab.base()).unwrap().to_owned();
    let rest: Value = lab.arm_at(Method::GET, &next).send().await.unwrap().json().await.unwrap();
    assert_eq!(rest["value"].as_array().unwrap().len(), 2);
    assert!(rest.get("nextLink").is_none());
}

#[tokio::test]
async fn a_task_run_builds_once_however_often_it_is_put() {
    let lab = Lab::open().await;
    let source = lab.upload(archive(&ONE)).await;
    let mut body = json!({"properties": {"runRequest": request("elb-api:v1", &source)}});
    body["properties"]["runRequest"]["arguments"][0]["isSecret"] = json!(true);
    let put = async |body: &Value| {
        let answer = lab.arm(Method::PUT, "/taskRuns/elb-api-abc").json(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap())
    };
    let (created, first) = put(&body).await;
    let (again, second) = put(&body).await;
    assert_eq!((created, again), (201, 200));
    assert_eq!(first["properties"]["provisioningState"], "Creating");
    assert_eq!(first["properties"]["runResult"]["name"], second["properties"]["runResult"]["name"]);
    assert!(!first.to_string().contains("1.2.3"));
    assert_eq!(lab.azure.runs().len(), 1);
    let run = first["properties"]["runResult"]["name"].as_str().unwrap();
    lab.finish(run).await;
    let told = lab.get("/taskRuns/ELB-API-ABC").await;
    assert_eq!(told["properties"]["provisioningState"], "Succeeded");
    assert_eq!(told["properties"]["runResult"]["properties"]["outputImages"][0]["repository"], "elb-api");
    body["properties"]["forceUpdateTag"] = json!("again");
    assert_eq!(put(&body).await.0, 200);
    assert_eq!(lab.azure.runs().len(), 2);
    assert_eq!(lab.get("/taskRuns").await["value"].as_array().unwrap().len(), 1);
    let delete = || lab.arm(Method::DELETE, "/taskRuns/elb-api-abc").send();
    assert_eq!(delete().await.unwrap().status(), 200);
    assert_eq!(delete().await.unwrap().status(), 204);
}
