//! What the builder gets: contexts, Dockerfiles and what is left out of them.

use windlass::pipelines::upgrade::Component;

use crate::platform::{Plan, Platform, component, files, files_with};

/// A platform with one component.
async fn platform(component: Component, files: Vec<(&'static str, String)>) -> Platform {
    Platform::of(Plan { components: vec![component], files, ..Plan::default() }).await
}

#[tokio::test]
async fn a_component_may_build_from_a_folder_of_its_own() {
    let dockerfile = "FROM alpine:3.20\nCOPY server.py /app/\nCOPY Dockerfile /app/\n";
    let api = Component { context: "api".into(), ..component("api") };
    let plan = Plan {
        components: vec![api, component("frontend")],
        files: files_with("api/Dockerfile", dockerfile),
        ..Plan::default()
    };
    let platform = Platform::of(plan).await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_succeeded().expect_whole_logs(&platform).await;
    let builds = platform.azure.runs();
    let of = |image: &str| builds.iter().find(|build| build.images == [image]).expect("the build");
    let (api, frontend) = (of("elb-api:v1.2.3"), of("elb-frontend:v1.2.3"));
    assert_eq!((api.dockerfile.as_str(), frontend.dockerfile.as_str()), ("Dockerfile", "frontend/Dockerfile"));
    assert_ne!(api.source, frontend.source, "each context is uploaded by itself");
    assert_eq!(upgrade.log("fetch").lines().count(), 3, "{}", upgrade.log("fetch"));
}

#[tokio::test]
async fn a_dockerfile_may_have_any_name_and_any_place() {
    let mut files = files();
    files.push(("deploy/images/Service.dockerfile", "FROM alpine:3.20\nCOPY api/server.py /\n".into()));
    let api = Component { dockerfile: "deploy/images/Service.dockerfile".into(), ..component("api") };
    let platform = platform(api, files).await;
    platform.start("1.2.3").await.drain().await.expect_succeeded();
    assert_eq!(platform.azure.runs()[0].dockerfile, "deploy/images/Service.dockerfile");
}

#[tokio::test]
async fn what_dockerignore_names_is_not_sent() {
    let mut files = files_with("api/Dockerfile", "FROM alpine:3.20\nCOPY api/server.py /\nCOPY api/notes.md /\n");
    files.push(("api/notes.md", "for ourselves".into()));
    let with_notes = platform(component("api"), files.clone()).await;
    with_notes.start("1.2.3").await.drain().await.expect_succeeded();
    files.push((".dockerignore", "**/*.md\n".into()));
    let without = platform(component("api"), files).await;
    let upgrade = without.start("1.2.3").await.drain().await;
    upgrade.expect_failed("build_failed");
    assert!(upgrade.log("build-api").contains("COPY failed: file not found in build context"));
}

#[tokio::test]
async fn a_dockerfile_that_dockerignore_names_is_found_all_the_same() {
    let mut files = files();
    files.push((".dockerignore", "**/Dockerfile\n".into()));
    let platform = platform(component("api"), files).await;
    let upgrade = platform.start("1.2.3").await.drain().await;
    upgrade.expect_succeeded().expect_whole_logs(&platform).await;
    let sent_as = &platform.azure.runs()[0].dockerfile;
    assert!(sent_as.ends_with("_Dockerfile") && !sent_as.contains('/'), "{sent_as}");
}

#[tokio::test]
async fn a_dockerfile_outside_its_context_is_sent_along() {
    let mut files = files();
    files.push(("deploy/Dockerfile", "FROM alpine:3.20\nCOPY server.py /\n".into()));
    let api = Component { context: "api".into(), dockerfile: "deploy/Dockerfile".into(), ..component("api") };
    let platform = platform(api, files).await;
    platform.start("1.2.3").await.drain().await.expect_succeeded();
}

#[tokio::test]
async fn what_the_repository_does_not_have_is_named() {
    for (component, code, name) in [
        (
            Component { dockerfile: "api/Containerfile".into(), ..component("api") },
            "archive_dockerfile_not_found",
            "api/Containerfile",
        ),
        (Component { context: "backend".into(), ..component("api") }, "archive_context_not_found", "backend"),
        (Component { context: "../..".into(), ..component("api") }, "archive_path_invalid", "../.."),
    ] {
        let platform = platform(component, files()).await;
        let upgrade = platform.start("1.2.3").await.drain().await;
        let failure = upgrade.expect_failed(code);
        assert!(failure.message.contains(name) && failure.message.contains("UPGRADE_COMPONENTS"), "{failure}");
        assert!(platform.azure.requests().is_empty(), "nothing was asked of the registry");
    }
}

#[tokio::test]
async fn ignore_rules_that_cannot_be_followed_are_told_apart() {
    let mut own = files();
    own.push(("api/Dockerfile.dockerignore", "docs\n".into()));
    let mut broken = files();
    broken.push((".dockerignore", "[a-\n".into()));
    for (files, code) in [(own, "archive_dockerignores_differ"), (broken, "archive_dockerignore_invalid")] {
        let platform = Platform::of(Plan { files, ..Plan::default() }).await;
        platform.start("1.2.3").await.drain().await.expect_failed(code);
    }
}
