//! A page's commands in one shell, as somebody types them one after the other.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::page::Block;

/// Stands before what each block prints.
const MARK: &str = "\u{1e}block";
const PATIENCE: Duration = Duration::from_secs(300);

pub struct Shell {
    /// What each block printed.
    pub outputs: Vec<String>,
    /// The block that did not go well, and what it said.
    pub fault: Option<String>,
}

impl Shell {
    /// Begins with these variables, in a folder of its own.
    pub async fn run(blocks: &[Block], variables: &[(&str, &str)]) -> Self {
        let script: String = blocks.iter().map(|block| format!("printf '{MARK}\\n'\n{}\n", block.text)).collect();
        let folder = tempfile::tempdir().expect("a folder");
        let tools = Path::new(env!("CARGO_BIN_EXE_windlass-dev")).parent().expect("a folder");
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").expect("a path"));
        let child = Command::new("bash")
            .args(["-eu", "-c", &script])
            .current_dir(folder.path())
            .env("PATH", path)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("bash runs");
        let ended = tokio::time::timeout(PATIENCE, child.wait_with_output()).await;
        let output = ended.unwrap_or_else(|_| panic!("the commands never came to their end")).expect("an output");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let outputs: Vec<String> = printed.split(&format!("{MARK}\n")).skip(1).map(str::to_owned).collect();
        let fault = (!output.status.success()).then(|| {
            let at = outputs.len().checked_sub(1).and_then(|last| blocks.get(last));
            let (line, told) = (at.map_or(0, |block| block.line), outputs.last().cloned().unwrap_or_default());
            format!("the block of line {line} failed\n{told}\n{}", String::from_utf8_lossy(&output.stderr))
        });
        Self { outputs, fault }
    }
}
