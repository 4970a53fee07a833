//! A first upgrade to watch: a sample repository, one call, and everything that follows from it as it comes.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::UpOptions;
use super::settings::Settings;
use crate::dev::repository::{GitServer, SAMPLE_VERSION, make_sample};
use crate::http::auth::DEV_BYPASS_TOKEN;

/// The name of the sample repository.
pub const REPOSITORY: &str = "platform";

const LOOK: Duration = Duration::from_millis(300);

/// The states of an upgrade that is over.
const ENDS: [&str; 5] = ["succeeded", "failed_pre", "failed_rollout", "rolled_back", "rollback_failed"];

/// Makes the sample anew and points upgrades at it.
pub async fn serve_sample(options: &UpOptions, settings: &mut Settings) -> anyhow::Result<GitServer> {
    let root = options.data.join("demo");
    if root.exists() {
        std::fs::remove_dir_all(&root).with_context(|| root.display().to_string())?;
    }
    make_sample(&root.join(REPOSITORY)).context("the sample repository")?;
    let server = GitServer::start(&root).await.context("the git server")?;
    settings.force([("UPGRADE_GIT_REMOTE".to_owned(), server.url(REPOSITORY))]);
    // The story is told by the demo itself; a line for each of its requests would bury it.
    settings.prefer("WINDLASS_LOG", "warn");
    Ok(server)
}

/// Waits for the handler and its storage.
pub async fn until_ready(base: &str) {
    let client = reqwest::Client::new();
    loop {
        if client.get(format!("{base}/api/health")).send().await.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Starts an upgrade, or joins the one in flight, and prints phases and log lines until it ends.
pub async fn tell(base: &str, settings: &Settings) -> anyhow::Result<()> {
    if !settings.get("WINDLASS_AUTH").is_some_and(|sources| sources.contains("dev_bypass")) {
        bail!("it calls with the development bypass; add dev_bypass to WINDLASS_AUTH");
    }
    let client = reqwest::Client::new();
    let body = json!({"target_version": SAMPLE_VERSION, "confirm_downtime": true, "reason": "the demo"});
    println!("\n$ curl -X POST {base}/api/upgrade/start -H 'Authorization: Bearer {DEV_BYPASS_TOKEN}' \\");
    println!("       -H 'Content-Type: application/json' -d '{body}'");
    let answer =
        client.post(format!("{base}/api/upgrade/start")).bearer_auth(DEV_BYPASS_TOKEN).json(&body).send().await?;
    let (status, started) = (answer.status(), answer.json::<Value>().await?);
    println!("{status}\n{started:#}\n");
    if !status.is_success() && status.as_u16() != 409 {
        bail!("the upgrade was refused");
    }
    let ended = follow(&client, base).await?;
    let job = ended["job_id"].as_str().unwrap_or_default().to_owned();
    println!("\nended as {}: {:#}", ended["state"], ended["components"]);
    if !ended["error"].is_null() {
        println!("{:#}", ended["error"]);
    }
    println!("\nlook at");
    println!("  {base}/api/upgrade/status");
    println!("  {base}/api/runs/{job}");
    for component in components(&ended) {
        println!("  {base}/api/upgrade/jobs/{job}/build-log/{component}");
    }
    println!("each with -H 'Authorization: Bearer {DEV_BYPASS_TOKEN}'; Ctrl-C ends everything");
    Ok(())
}

/// A person, for whom the demo would wait without a word otherwise.
fn waiting_for(status: &Value) -> String {
    let person = matches!(status["state"].as_str(), Some("awaiting_approval" | "validating"));
    let reason = status["why"]["reason"].as_str().filter(|_| person && status["why"]["kind"] == "condition");
    reason.map(|reason| format!(", waiting for {reason}")).unwrap_or_default()
}

fn components(status: &Value) -> Vec<String> {
    let listed = status["components"].as_array().into_iter().flatten();
    listed.filter_map(|component| component["name"].as_str().map(str::to_owned)).collect()
}

async fn follow(client: &reqwest::Client, base: &str) -> anyhow::Result<Value> {
    let mut shown: BTreeMap<String, u64> = BTreeMap::new();
    let mut last = String::new();
    loop {
        let get = |path: String| client.get(format!("{base}{path}")).bearer_auth(DEV_BYPASS_TOKEN).send();
        let status: Value = get("/api/upgrade/status".to_owned()).await?.json().await?;
        let state = status["state"].as_str().unwrap_or_default().to_owned();
        let line = format!("{state} {}%{}", status["progress"], waiting_for(&status));
        if line != last {
            println!("== {line}");
            last = line;
        }
        let job = status["job_id"].as_str().unwrap_or_default();
        for component in components(&status) {
            let from = shown.get(&component).copied().unwrap_or_default();
            let path = format!("/api/upgrade/jobs/{job}/build-log/{component}?offset={from}");
            let text = get(path).await?.text().await?;
            for line in text.lines() {
                println!("{component:>10} | {line}");
            }
            shown.insert(component, from + text.len() as u64);
        }
        if ENDS.contains(&state.as_str()) {
            return Ok(status);
        }
        tokio::time::sleep(LOOK).await;
    }
}
