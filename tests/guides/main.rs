//! The guides do what they say: every command in them is run, or is marked as one that needs Azure and checked as far as
//! that goes; their sums add up, and what they name is there.

mod azure;
#[path = "../support/azurite.rs"]
mod azurite;
#[path = "../support/local.rs"]
mod local;
mod migration;
mod page;
#[path = "../support/product.rs"]
mod product;
mod references;
mod shell;
mod shown;
mod sums;

use local::{Caller, Local, Start};
use product::{Product, STDERR};
use serde_json::json;

use crate::page::Page;
use crate::shell::Shell;

const OPERATIONS: &str = include_str!("../../docs/operations.md");
const MIGRATION: &str = include_str!("../../docs/migration.md");

fn pages() -> [Page; 2] {
    [Page::parse("docs/operations.md", OPERATIONS), Page::parse("docs/migration.md", MIGRATION)]
}

/// The product as the guides tell to practise on it.
async fn practice(name: &str, settings: &[(&str, &str)]) -> Product {
    let data = Product::folder(name);
    let mut start = Start::embedded(&data);
    start.arguments.push("--demo".to_owned());
    for (name, value) in settings {
        start = start.setting(name, value);
    }
    tokio::task::spawn_blocking(move || Product::start(start)).await.expect("it starts")
}

/// Runs a page's commands in their order, and holds each answer to what the page shows of it.
async fn follow(page: &Page, product: &Product) {
    let said = product.said();
    let azure = said.lines().find_map(|line| line.split_once("simulated, at ")).expect("a simulated Azure").1;
    let shell = Shell::run(&page.commands(), &[("base", &product.base), ("azure", azure)]).await;
    assert!(shell.fault.is_none(), "{}: {}\n{}", page.name, shell.fault.unwrap_or_default(), product.said());
    for (block, output) in page.commands().iter().zip(&shell.outputs) {
        for shown in &block.shown {
            shown::hold(page.name, block.line, shown, output);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operations_guide_works_as_it_stands_there() {
    let product = practice("guide-operations", &[("UPGRADE_APPROVAL", "required")]).await;
    product.says(&["== awaiting_approval 75%, waiting for an admin other than"]).await;
    follow(&pages()[0], &product).await;
    product.says(&[STDERR, "not_a_ticket", "kept_as", "windlass-poison/probe-build/"]).await;
    product.says(&[STDERR, "poisoned", "probe-deploy"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_migration_page_works_as_it_stands_there() {
    let product = practice("guide-migration", &[]).await;
    follow(&pages()[1], &product).await;
    migration::routes_are_served(&product.base, MIGRATION).await;
}

/// A run that does not move, and the last resort of the guide.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_function_is_off_says_so_and_is_ended_through_its_poison_function() {
    let data = tempfile::tempdir().expect("a folder");
    let local = Local::start(&Start::embedded(data.path())).await;
    let drill = json!({"drill": {"phase": "deploy", "action": "block"}});
    let caller = Caller::of(&local.base);
    let (_, started) = caller.post("/api/probe/start", &drill).await;
    let path = format!("/api/runs/{}", started["id"].as_str().expect("an id"));
    caller.until(&path, |run| run["why"]["kind"] == "condition").await;
    local.stop().await;

    let off = "AzureWebJobs.probe_deploy.Disabled";
    let local = Local::start(&Start::embedded(data.path()).setting(off, "true")).await;
    let caller = Caller::of(&local.base);
    let (status, refused) = caller.post("/api/probe/start", &json!({})).await;
    assert_eq!((status, &refused["code"]), (409, &json!("pipeline_disabled")), "{refused:#}");
    assert_eq!(caller.post(&format!("{path}/terminate"), &json!({})).await.0, 202);
    let (_, stuck) = caller.get(&path).await;
    assert_eq!(stuck["why"]["kind"], "disabled", "{stuck:#}");
    assert!(stuck["why"]["reason"].as_str().is_some_and(|reason| reason.contains(off)), "{stuck:#}");

    let ticket = json!({"run": started["id"], "phase": "deploy", "seq": stuck["seq"]}).to_string();
    let by_hand = caller.request(reqwest::Method::POST, "/admin/functions/probe_deploy_poison");
    let answer = by_hand.json(&json!({"input": ticket})).send().await.expect("an answer");
    assert_eq!(answer.status(), 202);
    let ended = caller.until(&path, |run| run["why"].is_null()).await;
    assert_eq!(ended["historyIntact"], true, "{ended:#}");
    assert_eq!((&ended["runtimeStatus"], &ended["phase"]), (&json!("Terminated"), &json!("deploy")), "{ended:#}");
    local.stop().await;
}

#[test]
fn every_block_of_a_guide_is_run_or_says_that_it_needs_azure() {
    for page in pages() {
        assert!(page.faults.is_empty(), "{}: {:#?}", page.name, page.faults);
        assert!(page.commands().len() >= 3, "{} has commands", page.name);
    }
}

#[test]
fn a_block_of_any_other_kind_is_found() {
    let faults = |text: &'static str| Page::parse("x", text).faults;
    assert_eq!(faults("```sh\nls\n```\n```json\n{}\n```\n"), Vec::<String>::new());
    assert_eq!(faults("```sh needs-azure\n# needs Azure\naz login\n```\n"), Vec::<String>::new());
    for text in [
        "```\nls\n```\n",
        "```bash\nls\n```\n",
        "```text\nls\n```\n",
        "```sh needs-azure\naz login\n```\n",
        "```sh\n# needs Azure\naz login\n```\n",
        "```sh\naz login\n```\n",
        "```json\n{}\n```\n",
        "```sh\nls\n```\n```json\n{\n```\n",
        "```sh\nls\n",
    ] {
        assert_eq!(faults(text).len(), 1, "{text}");
    }
}
