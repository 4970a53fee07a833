//! Microsoft's own parser of the query language, run by node.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

const INSTALL: &str = "npm install --prefix target/tools/kusto @kusto/language-service-next@12.4.1";

/// What the parser makes of a query.
#[derive(Debug, Deserialize)]
pub struct Parsed {
    pub faults: Vec<String>,
    /// Of the rows that the query answers.
    pub columns: Vec<String>,
}

pub fn parse(queries: &BTreeMap<String, String>) -> BTreeMap<String, Parsed> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/queries");
    let mut node = Command::new("node")
        .arg(here.join("parse.js"))
        .arg(parser())
        .arg(here.join("tables.json"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs");
    let asked = serde_json::to_string(queries).expect("texts can be written");
    node.stdin.take().expect("a pipe").write_all(asked.as_bytes()).expect("node reads");
    let answered = node.wait_with_output().expect("node ends");
    assert!(answered.status.success(), "parse.js failed");
    serde_json::from_slice(&answered.stdout).expect("what parse.js says of each query")
}

/// `WINDLASS_KUSTO`, or what the install command puts into `target/tools`.
fn parser() -> PathBuf {
    let installed = "target/tools/kusto/node_modules/@kusto/language-service-next";
    let installed = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(installed);
    let folder = std::env::var_os("WINDLASS_KUSTO").map_or_else(installed, PathBuf::from);
    assert!(
        folder.join("bridge.min.js").is_file(),
        "the parser of queries is not at {}; install it with `{INSTALL}`, or name its folder in WINDLASS_KUSTO",
        folder.display()
    );
    folder
}
