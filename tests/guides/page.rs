//! A guide: its blocks of commands, each with the answers that are shown behind it, and its tables.

use serde_json::Value;

/// The first line of a block that needs a subscription.
const MARK: &str = "# needs Azure";

pub struct Page {
    pub name: &'static str,
    pub text: &'static str,
    blocks: Vec<Block>,
    /// Blocks of no kind that there is.
    pub faults: Vec<String>,
}

#[derive(Clone)]
pub struct Block {
    pub line: usize,
    pub text: String,
    pub needs_azure: bool,
    /// What the page shows of the answers to it.
    pub shown: Vec<Value>,
}

impl Page {
    pub fn parse(name: &'static str, text: &'static str) -> Self {
        let mut page = Self { name, text, blocks: Vec::new(), faults: Vec::new() };
        let mut open: Option<(usize, &str, Vec<&str>)> = None;
        for (number, line) in (1..).zip(text.lines()) {
            match (line.strip_prefix("```"), &mut open) {
                (Some(info), None) => open = Some((number, info, Vec::new())),
                (Some(_), Some(_)) => {
                    if let Some((line, info, lines)) = open.take() {
                        page.add(line, info, &lines.join("\n"));
                    }
                }
                (None, Some((_, _, lines))) => lines.push(line),
                (None, None) => {}
            }
        }
        if let Some((line, ..)) = open {
            page.faults.push(format!("the block of line {line} has no end"));
        }
        page
    }

    fn add(&mut self, line: usize, info: &str, text: &str) {
        let marked = text.lines().next() == Some(MARK);
        match info {
            "sh" | "sh needs-azure" if marked != (info == "sh needs-azure") => {
                self.faults.push(format!("the block of line {line} is marked in one place of two: `{info}`, `{MARK}`"));
            }
            "sh" if text.lines().any(|line| line.trim_start().starts_with("az ") || line.contains("$(az ")) => {
                self.faults.push(format!("the block of line {line} calls az and is not marked"));
            }
            "sh" | "sh needs-azure" => {
                self.blocks.push(Block { line, text: text.to_owned(), needs_azure: marked, shown: Vec::new() });
            }
            "json" => match (serde_json::from_str(text), self.blocks.last_mut()) {
                (Ok(shown), Some(block)) if !block.needs_azure => block.shown.push(shown),
                (Ok(_), _) => self.faults.push(format!("the answer of line {line} follows no command that is run")),
                (Err(error), _) => self.faults.push(format!("the answer of line {line} is no JSON: {error}")),
            },
            _ => self.faults.push(format!("the block of line {line} is of no kind that there is: `{info}`")),
        }
    }

    /// What is run.
    pub fn commands(&self) -> Vec<Block> {
        self.blocks.iter().filter(|block| !block.needs_azure).cloned().collect()
    }

    /// What is not.
    pub fn for_azure(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(|block| block.needs_azure)
    }
}

/// The rows of every table with this head, cell by cell, without the backticks.
pub fn tables(text: &str, head: &[&str]) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Option<Vec<String>> {
        let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?.replace("\\|", "\u{0}");
        Some(inner.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect())
    };
    let (mut rows, mut inside) = (Vec::new(), false);
    for line in text.lines() {
        match cells(line) {
            None => inside = false,
            Some(row) if !inside => inside = row == head,
            Some(row) if row.iter().all(|cell| cell.starts_with("---")) => {}
            Some(row) => rows.push(row),
        }
    }
    rows
}

/// The texts between backticks.
pub fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}
