//! Commands that need Azure are not run. They are commands that a shell can read, and every `az` in them has that
//! subcommand and those options: `tests/fixtures/az.txt` holds what az 2.91 itself tells of the ones that are used.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::page::Block;
use crate::pages;

const KNOWN: &str = include_str!("../fixtures/az.txt");

/// Options by subcommand.
fn known() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let lines = KNOWN.lines().filter(|line| !line.starts_with('#'));
    let entries = lines.filter_map(|line| line.split_once(':'));
    entries.map(|(command, options)| (command, options.split_whitespace().collect())).collect()
}

#[derive(PartialEq, Debug)]
struct Call {
    command: String,
    options: Vec<String>,
}

/// Every call of az, wherever a command may stand.
fn calls(text: &str) -> Vec<Call> {
    let mut found = Vec::new();
    let text = text.replace("\\\n", " ").replace("$(", "\n").replace(" | ", "\n").replace(" && ", "\n");
    for line in text.lines() {
        let Some(rest) = line.trim_start().trim_start_matches(['"', '{', '[', ' ']).strip_prefix("az ") else {
            continue;
        };
        let words = words(rest);
        let options = words.iter().filter(|word| word.len() > 1 && word.starts_with('-'));
        found.push(Call {
            command: words.iter().take_while(|word| !word.starts_with('-')).cloned().collect::<Vec<_>>().join(" "),
            options: options.map(|word| word.split('=').next().unwrap_or(word).to_owned()).collect(),
        });
    }
    found
}

/// Words up to the end of the command; what stands in quotes is part of one.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => quote = Some(c),
            (')' | ';', None) => break,
            (c, None) if c.is_whitespace() => words.push(std::mem::take(&mut word)),
            (c, _) => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

fn unreadable(block: &Block) -> Option<String> {
    let checked = Command::new("bash").args(["-n", "-c", &block.text]).output().expect("bash runs");
    (!checked.status.success()).then(|| String::from_utf8_lossy(&checked.stderr).into_owned())
}

#[test]
fn commands_that_need_azure_can_be_read_and_az_has_them_with_their_options() {
    let known = known();
    let mut used = BTreeSet::new();
    for page in pages() {
        for block in page.for_azure() {
            let place = format!("{}:{}", page.name, block.line);
            assert_eq!(unreadable(block), None, "{place}");
            for Call { command, options } in calls(&block.text) {
                let has = known.get(command.as_str()).unwrap_or_else(|| panic!("{place}: az has no {command}"));
                for option in &options {
                    assert!(has.contains(option.as_str()), "{place}: az {command} has no option {option}");
                }
                used.insert(command);
            }
        }
    }
    let unused: Vec<_> = known.keys().filter(|command| !used.contains(**command)).collect();
    assert!(unused.is_empty(), "nobody calls {unused:?}");
}

#[test]
fn calls_are_found_wherever_a_command_may_stand() {
    let text = "a=$(az ad app create --display-name x --query appId -o tsv)\naz group create -n \"$rg\" \\\n    -l here\n\
                for q in $(az storage queue list --account-name \"$a\" -o tsv); do\n    az rest --body \"{-x}\"\ndone\n\
                me=\"Bearer $(az account get-access-token --query 'a -b')\"\nblaz x -y\n";
    let call = |command: &str, options: &[&str]| Call {
        command: command.to_owned(),
        options: options.iter().map(|option| (*option).to_owned()).collect(),
    };
    let expected = [
        call("ad app create", &["--display-name", "--query", "-o"]),
        call("group create", &["-n", "-l"]),
        call("storage queue list", &["--account-name", "-o"]),
        call("rest", &["--body"]),
        call("account get-access-token", &["--query"]),
    ];
    assert_eq!(calls(text), expected);
}
