//! What the guides name is there: tests, files, settings, routes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use windlass::config::SETTINGS;
use windlass::http::routes;

use crate::page::quoted;
use crate::pages;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn texts_below(folder: &Path, into: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts_below(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&std::fs::read_to_string(&path).expect("a text"));
        }
    }
}

static SOURCES: LazyLock<String> = LazyLock::new(|| {
    let mut all = String::new();
    texts_below(&root().join("src"), &mut all);
    texts_below(&root().join("tests"), &mut all);
    all
});

/// Prose, without blocks.
fn names() -> Vec<(&'static str, &'static str)> {
    let prose = |text: &'static str| text.split("\n```").step_by(2);
    pages().into_iter().flat_map(|page| prose(page.text).flat_map(quoted).map(move |name| (page.name, name))).collect()
}

fn is_identifier(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[test]
fn every_test_that_a_guide_calls_as_witness_is_there() {
    let witnesses: BTreeSet<_> =
        names().into_iter().filter(|(_, name)| is_identifier(name) && name.matches('_').count() >= 4).collect();
    assert!(witnesses.len() > 20, "{witnesses:#?}");
    let missing: Vec<_> = witnesses.iter().filter(|(_, name)| !SOURCES.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_file_that_a_guide_names_is_there() {
    let ours = ["src/", "tests/", "docs/", "functions/", "infra/", "host.json", "deny.toml"];
    let missing: Vec<_> = names()
        .into_iter()
        .filter(|(_, name)| ours.iter().any(|folder| name.starts_with(folder)))
        .filter(|(_, name)| !root().join(name).exists())
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
}

/// `[text](address)`, relative to the page.
#[test]
fn every_link_of_a_guide_leads_somewhere() {
    let links = pages().into_iter().flat_map(|page| {
        let targets = page.text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        targets.map(move |(target, _)| (page.name, target))
    });
    let dead: BTreeSet<_> = links.filter(|(_, target)| !root().join("docs").join(target).exists()).collect();
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn every_setting_that_a_guide_names_exists() {
    let ours = ["WINDLASS_", "UPGRADE_", "PLATFORM_"];
    let name = |text: &str| text.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let wanted = names().into_iter().filter(|(_, text)| name(text) && ours.iter().any(|own| text.starts_with(own)));
    let unknown: Vec<_> = wanted.filter(|(_, text)| !SETTINGS.iter().any(|setting| setting.name == *text)).collect();
    // Those of the replaced system are named in the column of what was before, and begin otherwise.
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn every_code_field_and_function_that_a_guide_names_is_one_that_there_is() {
    let is_function = |name: &str| root().join("functions").join(name).is_dir();
    let words: BTreeSet<_> =
        names().into_iter().filter(|(_, name)| is_identifier(name) && name.contains('_')).collect();
    let unknown: Vec<_> = words.iter().filter(|(_, word)| !SOURCES.contains(word) && !is_function(word)).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn every_route_that_a_guide_calls_is_served() {
    let called = pages().into_iter().flat_map(|page| {
        let text = page.text.replace(['"', '\'', '`', '?', ' ', '|', '&'], "\n");
        let paths = text.lines().filter_map(|word| Some(&word[word.find("/api/")?..])).map(str::to_owned);
        paths.collect::<Vec<_>>()
    });
    let fits = |path: &str| routes::paths().any(|template| same(template, path));
    let unknown: BTreeSet<_> = called.filter(|path| !fits(path)).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// A segment in braces is whatever a page has in its place.
fn same(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.trim_end_matches(['.', ',', ';', ')']).split('/').collect());
    template.len() == path.len() && template.iter().zip(&path).all(|(a, b)| a == b || a.starts_with('{'))
}
