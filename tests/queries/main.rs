//! The queries that people and alerts ask: each is understood, asks for what is sent, and is told of in docs/telemetry.md.
#![cfg(feature = "dev")]

mod parser;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use parser::parse;
use regex::Regex;
use windlass::app::telemetry::names::{
    ANSWER, ATTRIBUTES, DELIVERY, KIND, METRICS, Metric, OUTCOME, SERVICE, SERVICES, STATE, STATES,
};
use windlass::dev::workbook::{QUERIES, question};
use windlass::engine::observe::{ANSWERS, OUTCOMES, POISON_KINDS};
use windlass::model::Receipt;

const GUIDE: &str = include_str!("../../docs/telemetry.md");
/// Those that a rule asks every quarter of an hour; a row is a reason to tell somebody.
const ALERTS: [&str; 4] = ["failed-runs", "poison", "stuck-runs", "sweep-silence"];

fn queries() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(QUERIES);
    let files = std::fs::read_dir(folder).expect("queries").map(|entry| entry.expect("a file").path());
    files
        .map(|file| {
            let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(file).expect("a query"))
        })
        .collect()
}

fn found(pattern: &str, text: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).expect("a pattern");
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// The metrics that a query asks for, by their names.
fn metrics(query: &str) -> Vec<String> {
    found(r#"\bname == "([^"]*)""#, query)
}

fn attributes(query: &str) -> Vec<String> {
    found(r#"customDimensions\["([^"]*)"\]"#, query)
}

/// What a query looks for in the column of this attribute.
fn wanted(query: &str, attribute: &str) -> Vec<String> {
    let column = attribute.trim_start_matches("windlass.");
    let sets = found(&format!(r"\b{column} in \(([^)]*)\)"), query);
    let mut words: Vec<String> = sets.iter().flat_map(|set| found(r#""([^"]*)""#, set)).collect();
    words.extend(found(&format!(r#"\b{column} == "([^"]*)""#), query));
    words
}

/// What is wrong with the names in a query.
fn strange(query: &str) -> Vec<String> {
    let asked = metrics(query);
    let known: Vec<&Metric> = METRICS.iter().filter(|metric| asked.contains(&metric.name.to_owned())).collect();
    let mut strange: Vec<String> =
        asked.iter().filter(|name| !known.iter().any(|metric| metric.name == **name)).cloned().collect();
    let of_spans = query.contains("requests");
    let sent = |attribute: &String| {
        known.iter().any(|metric| metric.attributes.contains(&attribute.as_str()))
            || of_spans && DELIVERY.contains(&attribute.as_str())
    };
    strange.extend(attributes(query).into_iter().filter(|attribute| !sent(attribute)));
    let words: [(&str, &[&str]); 5] =
        [(ANSWER, &ANSWERS), (OUTCOME, &OUTCOMES), (KIND, &POISON_KINDS), (SERVICE, &SERVICES), (STATE, &STATES)];
    for (attribute, told) in words {
        strange.extend(wanted(query, attribute).into_iter().filter(|word| !told.contains(&word.as_str())));
    }
    strange
}

#[test]
fn every_query_is_understood_and_every_column_of_it_is_there() {
    let parsed = parse(&queries());
    let faults: Vec<_> = parsed
        .iter()
        .flat_map(|(name, parsed)| parsed.faults.iter().map(move |fault| format!("{name}.kql, {fault}")))
        .collect();
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
    for (name, parsed) in parsed {
        assert!(!parsed.columns.is_empty(), "{name}.kql answers nothing");
    }
}

#[test]
fn a_query_that_is_wrong_is_found() {
    let wrong = [
        ("a table", "customMetric | take 1"),
        ("a column", "customMetrics | where nam == \"a\""),
        ("an operator", "customMetrics | wher name == \"a\""),
        ("a function", "customMetrics | summarize summ(valueSum)"),
        ("a type", "customMetrics | summarize sum(name)"),
        ("a bracket", "customMetrics | where timestamp > ago(1h"),
        ("a quote", "customMetrics | where name == \"a"),
        ("a keyword as a name", "customMetrics | summarize last = max(timestamp)"),
        ("a column that was left behind", "customMetrics | project name | where valueSum > 0"),
    ];
    let queries = wrong.iter().map(|(what, query)| ((*what).to_owned(), (*query).to_owned())).collect();
    for (what, parsed) in parse(&queries) {
        assert!(!parsed.faults.is_empty(), "{what} that is wrong was not found");
    }
}

#[test]
fn every_name_in_a_query_is_one_that_is_sent() {
    for (name, query) in queries() {
        assert_eq!(strange(&query), Vec::<String>::new(), "{name}.kql");
    }
}

/// A name that is written anywhere else in the code is one of the list.
#[test]
fn the_code_sends_nothing_under_another_name() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/app")];
    let mut names = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                names.extend(found(r#""(windlass\.[a-z_.]+)""#, &std::fs::read_to_string(path).expect("a source")));
            }
        }
    }
    let listed = METRICS.iter().map(|metric| metric.name).chain(ATTRIBUTES).map(str::to_owned).collect();
    assert_eq!(names, listed);
}

#[test]
fn every_attribute_of_a_metric_or_of_a_delivery_is_listed() {
    for attribute in METRICS.iter().flat_map(|metric| metric.attributes).chain(&DELIVERY) {
        assert!(ATTRIBUTES.contains(attribute), "{attribute}");
    }
}

#[test]
fn names_that_nobody_sends_are_found() {
    let metric = |condition: &str| format!(r#"customMetrics | where name == "windlass.runs.ended" {condition}"#);
    let wrong = [
        r#"customMetrics | where name == "windlass.runs.end""#.to_owned(),
        metric(r#"and tostring(customDimensions["windlass.result"]) == "failed""#),
        // Another metric has it.
        metric(r#"and tostring(customDimensions["windlass.phase"]) == "building""#),
        metric(r#"| where outcome in ("failed", "undo")"#),
        r#"requests | extend answer = tostring(customDimensions["windlass.answer"]) | where answer == "fail""#
            .to_owned(),
        r#"requests | where isnotempty(tostring(customDimensions["windlass.code"]))"#.to_owned(),
    ];
    for query in wrong {
        assert_eq!(strange(&query).len(), 1, "{query}");
    }
}

#[test]
fn every_metric_is_asked_for_by_some_query() {
    let asked: BTreeSet<String> = queries().values().flat_map(|query| metrics(query)).collect();
    let sent: BTreeSet<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(asked, sent);
}

#[test]
fn every_query_begins_with_the_question_that_it_answers_and_the_guide_asks_it_too() {
    for (name, query) in queries() {
        let question = question(&query).unwrap_or_else(|| panic!("{name}.kql does not begin with its question"));
        assert!(GUIDE.contains(&format!("| `{name}` | {question} |")), "docs/telemetry.md: | `{name}` | {question} |");
        assert_eq!(query.lines().filter(|line| line.starts_with("//")).count(), 1, "{name}.kql");
    }
}

#[test]
fn the_guide_tells_the_columns_of_the_alerts() {
    let parsed = parse(&queries());
    for name in ALERTS {
        let columns = parsed[name].columns.iter().map(|column| format!("`{column}`")).collect::<Vec<_>>().join(", ");
        assert!(GUIDE.contains(&format!("| `{name}` | {columns} |")), "docs/telemetry.md: | `{name}` | {columns} |");
    }
}

#[test]
fn storage_is_priced_as_receipts_are() {
    let query = &queries()["storage-operations"];
    let some = 10_000;
    let receipts = [
        ("table", Receipt { table_operations: some, ..Receipt::default() }),
        ("queue", Receipt { queue_operations: some, ..Receipt::default() }),
        ("blob", Receipt { blob_operations: some, ..Receipt::default() }),
    ];
    for (service, receipt) in receipts {
        let written = found(&format!(r#""{service}", ([0-9.]+)"#), query);
        let written: f64 = written[0].parse().expect("a price");
        assert!((written - receipt.cost_usd()).abs() < 1e-9, "{service}: {written}");
    }
}

#[test]
fn the_guide_has_every_metric_with_its_kind_and_attributes_and_no_other() {
    let rows: Vec<&str> = GUIDE.lines().filter(|line| line.starts_with("| `windlass.")).collect();
    let expected = METRICS.iter().map(|metric| {
        let kind = format!("{:?}", metric.kind).to_lowercase();
        let attributes: Vec<_> = metric.attributes.iter().map(|name| format!("`{name}`")).collect();
        let attributes = attributes.join(", ");
        let cell = if attributes.is_empty() { String::new() } else { format!(" {attributes}") };
        format!("| `{}` | {kind}, `{}` |{cell} | {} |", metric.name, metric.unit, metric.about)
    });
    assert_eq!(rows, expected.collect::<Vec<_>>());
}
