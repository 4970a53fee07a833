use serde_json::json;

use crate::lab::{Lab, archive, request};

const DOCKERFILE: &str = "\
# syntax is not asked for
ARG NODE=20
FROM node:$NODE AS build
ARG APP_VERSION
WORKDIR /src
COPY package*.json ./
RUN npm ci && \\
    # and then
    npm run build
COPY . .

FROM scratch
LABEL version=$APP_VERSION
COPY --from=build /src/dist /app
CMD [\"/app/run\"]
";
const FILES: [(&str, &str); 3] = [("Dockerfile", DOCKERFILE), ("package.json", "{}"), ("src/index.js", "1")];

#[tokio::test]
async fn a_build_goes_from_queued_to_an_image_with_a_digest() {
    let lab = Lab::open().await;
    let run = lab.build("elb-api:v1.2.3", &FILES).await;
    assert_eq!(run, "cf1");
    let mut seen = Vec::new();
    let ended = loop {
        let run = lab.get(&format!("/runs/{run}")).await["properties"].clone();
        let status = run["status"].as_str().unwrap().to_owned();
        assert_eq!(run.get("finishTime").is_some(), status == "Succeeded");
        assert_eq!(run.get("outputImages").is_some(), status == "Succeeded");
        assert!(run.get("imageNames").is_none());
        if seen.last() != Some(&status) {
            seen.push(status.clone());
        }
        if status == "Succeeded" {
            break run;
        }
    };
    assert_eq!(seen, ["Started", "Running", "Succeeded"]);
    assert_eq!(ended["runType"], "QuickRun");
    let image = &ended["outputImages"][0];
    assert_eq!(image["registry"], lab.login_server());
    assert_eq!((&image["repository"], &image["tag"]), (&json!("elb-api"), &json!("v1.2.3")));
    let digest = image["digest"].as_str().unwrap();
    assert_eq!(digest.len(), "sha256:".len() + 64);
    assert_eq!(lab.azure.images().get("elb-api:v1.2.3").map(String::as_str), Some(digest));
}

#[tokio::test]
async fn the_log_tells_every_instruction_then_the_push_then_the_verdict() {
    let lab = Lab::open().await;
    let run = lab.build("elb-api:v1.2.3", &FILES).await;
    lab.finish(&run).await;
    let log = lab.log(&run).await;
    assert_eq!(log.matches('\n').count(), log.matches("\r\n").count());
    let login = lab.login_server();
    let mut rest = log.as_str();
    for line in [
        "Downloading source code...",
        &format!("Logging in to registry: {login}"),
        "--build-arg APP_VERSION=1.2.3",
        "Step 1/11 : ARG NODE=20",
        "Step 2/11 : FROM node:$NODE AS build",
        "20: Pulling from library/node",
        "Step 5/11 : COPY package*.json ./",
        "Step 6/11 : RUN npm ci &&     npm run build",
        "Step 10/11 : COPY --from=build /src/dist /app",
        "Step 11/11 : CMD [\"/app/run\"]",
        &format!("Successfully tagged {login}/elb-api:v1.2.3"),
        &format!("Pushing image: {login}/elb-api:v1.2.3, attempt 1"),
        "v1.2.3: digest: sha256:",
        "Run ID: cf1 was successful after ",
    ] {
        let at = rest.find(line).unwrap_or_else(|| panic!("no '{line}' in {rest}"));
        rest = &rest[at + line.len()..];
    }
}

#[tokio::test]
async fn the_digest_follows_sources_and_arguments() {
    let lab = Lab::open().await;
    let mut digests = Vec::new();
    for (version, content) in [("1", "a"), ("1", "a"), ("2", "a"), ("1", "b")] {
        let source = lab.upload(archive(&[("Dockerfile", "FROM scratch\nCOPY x /\n"), ("x", content)])).await;
        let mut body = request("elb-api:v1", &source);
        body["arguments"][0]["value"] = json!(version);
        let run = lab.queue(&body).await;
        digests.push(lab.finish(&run).await["outputImages"][0]["digest"].as_str().unwrap().to_owned());
    }
    assert_eq!(digests[0], digests[1]);
    assert_ne!(digests[0], digests[2]);
    assert_ne!(digests[0], digests[3]);
}

#[tokio::test]
async fn a_secret_argument_is_shown_nowhere() {
    const SECRET: &str = "pl4nted-s3cret";
    let lab = Lab::open().await;
    let dockerfile = "FROM scratch\nARG TOKEN\nRUN echo \"with $TOKEN\"\n";
    let source = lab.upload(archive(&[("Dockerfile", dockerfile)])).await;
    let mut body = request("elb-api:v1", &source);
    body["arguments"] = json!([{"name": "TOKEN", "value": SECRET, "isSecret": true}]);
    let run = lab.queue(&body).await;
    let ended = lab.finish(&run).await;
    let log = lab.log(&run).await;
    assert!(log.contains("--build-arg TOKEN=***") && log.contains("with ***"), "{log}");
    assert!(!log.contains(SECRET));
    assert!(!ended.to_string().contains(SECRET));
    assert!(!format!("{:?}{:?}", lab.azure.runs(), lab.azure.requests()).contains(SECRET));
}

#[tokio::test]
async fn a_missing_dockerfile_fails_the_run_and_says_which() {
    let lab = Lab::open().await;
    let run = lab.build("elb-api:v1", &[("api/Dockerfile", "FROM scratch\n")]).await;
    let ended = lab.finish(&run).await;
    assert_eq!(
        (&ended["status"], &ended["runErrorMessage"]),
        (&json!("Failed"), &json!("failed during run, err: exit status 1"))
    );
    let log = lab.log(&run).await;
    assert!(log.contains("open Dockerfile: no such file or directory"), "{log}");
    assert!(log.contains("failed to run step ID: build: failed to scan dependencies: exit status 1"));
    assert!(lab.pushed().is_empty());
}

#[tokio::test]
async fn a_dockerfile_in_a_folder_is_found_by_its_path() {
    let lab = Lab::open().await;
    let source = lab.upload(archive(&[("api/Dockerfile", "FROM scratch\nCOPY api/x /\n"), ("api/x", "")])).await;
    let mut body = request("elb-api:v1", &source);
    body["dockerFilePath"] = json!("./api/Dockerfile");
    let run = lab.queue(&body).await;
    assert_eq!(lab.finish(&run).await["status"], "Succeeded");
}

#[tokio::test]
async fn builds_fail_where_docker_and_the_scan_would_fail_them() {
    let lab = Lab::open().await;
    for (dockerfile, line) in [
        ("FROM scratch\nCOPY nothing /\n", "COPY failed: file not found in build context"),
        ("FROM scratch\nCOPY *.none /\n", "COPY failed: no source files were specified"),
        ("FROM scratch\nCOPY ../x /\n", "COPY failed: forbidden path outside the build context"),
        ("FROM scratch\nCOPY Dockerfile x /to\n", "the destination must be a directory"),
        ("FROM scratch\nCOPY --from=build /a /\n", "invalid from flag value build"),
        ("FROM scratch\nFETCH x\n", "dockerfile parse error line 2: unknown instruction: FETCH"),
        ("FROM scratch\nRUN --mount=type=cache,target=/c x\n", "the --mount option requires BuildKit"),
        ("FROM --platform=linux/amd64 scratch\n", "unable to understand line FROM --platform=linux/amd64 scratch"),
        ("RUN x\n", "unexpected dockerfile format"),
    ] {
        let run = lab.build("elb-api:v1", &[("Dockerfile", dockerfile), ("x", "1")]).await;
        assert_eq!(lab.finish(&run).await["status"], "Failed", "{dockerfile}");
        let log = lab.log(&run).await;
        assert!(log.contains(line), "{line} is not in {log}");
        assert!(log.contains(&format!("Run ID: {run} failed after ")));
    }
    assert!(lab.pushed().is_empty());
}

#[tokio::test]
async fn a_target_ends_the_build_at_its_stage() {
    let lab = Lab::open().await;
    let source = lab.upload(archive(&FILES)).await;
    let mut body = request("elb-api:v1", &source);
    body["target"] = json!("build");
    let run = lab.queue(&body).await;
    assert_eq!(lab.finish(&run).await["status"], "Succeeded");
    let log = lab.log(&run).await;
    assert!(log.contains("Step 7/7 : COPY . .") && !log.contains("CMD"), "{log}");
}

#[tokio::test]
async fn a_build_without_a_push_leaves_no_image() {
    let lab = Lab::open().await;
    let source = lab.upload(archive(&FILES)).await;
    let mut body = request("elb-api:v1", &source);
    body["isPushEnabled"] = json!(false);
    let run = lab.queue(&body).await;
    let ended = lab.finish(&run).await;
    assert_eq!(ended["status"], "Succeeded");
    assert!(ended.get("outputImages").is_none());
    assert!(lab.pushed().is_empty());
}
