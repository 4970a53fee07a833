//! The sums in the operations guide add up, and its counts and prices are those of the code.

use std::collections::BTreeMap;

use windlass::model::Receipt;
use windlass::pipelines::{SPECS, probe};

use crate::OPERATIONS;
use crate::page::tables;

type Values = BTreeMap<String, f64>;

/// Numbers have commas between thousands.
fn number(text: &str) -> Option<f64> {
    text.replace(',', "").parse().ok()
}

/// `month / sweep_every × 2`, with values by their names; `×`, `/`, `+`, `-` and brackets.
fn evaluate(text: &str, values: &Values) -> Result<f64, String> {
    let spaced =
        ["(", ")", "×", "/", "+"].iter().fold(text.to_owned(), |text, mark| text.replace(mark, &format!(" {mark} ")));
    let mut words = spaced.split_whitespace().collect::<Vec<_>>();
    words.reverse();
    let sum = sum(&mut words, values)?;
    match words.pop() {
        None => Ok(sum),
        Some(word) => Err(format!("'{word}' is too much")),
    }
}

fn sum(words: &mut Vec<&str>, values: &Values) -> Result<f64, String> {
    let mut total = product(words, values)?;
    while let Some(sign) = words.pop_if(|word| matches!(*word, "+" | "-")) {
        let next = product(words, values)?;
        total += if sign == "+" { next } else { -next };
    }
    Ok(total)
}

fn product(words: &mut Vec<&str>, values: &Values) -> Result<f64, String> {
    let mut total = value(words, values)?;
    while let Some(sign) = words.pop_if(|word| matches!(*word, "×" | "/")) {
        let next = value(words, values)?;
        total = if sign == "×" { total * next } else { total / next };
    }
    Ok(total)
}

fn value(words: &mut Vec<&str>, values: &Values) -> Result<f64, String> {
    match words.pop() {
        Some("(") => {
            let inner = sum(words, values)?;
            words.pop_if(|word| *word == ")").map(|_| inner).ok_or_else(|| "a bracket is not closed".to_owned())
        }
        Some(word) => {
            number(word).or_else(|| values.get(word).copied()).ok_or_else(|| format!("'{word}' has no value"))
        }
        None => Err("something is missing at the end".to_owned()),
    }
}

/// Whether a figure is the value, rounded to the digits that it shows.
fn shows(figure: &str, value: f64) -> bool {
    let digits = figure.split_once('.').map_or(0, |(_, digits)| digits.len());
    let half = 0.5 / 10_f64.powi(digits.try_into().expect("few digits"));
    number(figure).is_some_and(|shown| (shown - value).abs() <= half * 1.000_001)
}

/// The values of the guide, and what is wrong with its sums.
fn computed(text: &str) -> (Values, Vec<String>) {
    let (mut values, mut wrong) = (Values::new(), Vec::new());
    for row in tables(text, &["name", "value", "what and where from"]) {
        match number(&row[1]) {
            Some(value) => drop(values.insert(row[0].clone(), value)),
            None => wrong.push(format!("{} is no number: {}", row[0], row[1])),
        }
    }
    for row in tables(text, &["name", "arithmetic", "comes to"]) {
        match evaluate(&row[1], &values) {
            Ok(value) if shows(&row[2], value) => drop(values.insert(row[0].clone(), value)),
            Ok(value) => wrong.push(format!("{} is {value}, not {}", row[0], row[2])),
            Err(why) => wrong.push(format!("{}: {why}", row[0])),
        }
    }
    (values, wrong)
}

#[test]
fn every_sum_of_the_costs_adds_up() {
    let (values, wrong) = computed(OPERATIONS);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(values.contains_key("idle_usd") && values.contains_key("upgrade_usd"), "{values:#?}");
}

#[test]
fn a_sum_that_does_not_add_up_is_found() {
    let page = |rows: &str| {
        format!(
            "| name | value | what and where from |\n|---|---|---|\n| a | 1,000 | x |\n| b | 0.5 | x |\n\n\
             | name | arithmetic | comes to |\n|---|---|---|\n{rows}\n"
        )
    };
    for good in
        ["| c | a × b + 1 | 501 |", "| c | a × (b + 1) | 1,500 |", "| c | a / 3 | 333.33 |", "| c | 2 - b - 1 | 0.5 |"]
    {
        assert_eq!(computed(&page(good)).1, Vec::<String>::new(), "{good}");
    }
    for bad in [
        "| c | a × b | 501 |",
        "| c | a / 3 | 333.34 |",
        "| c | a × d | 1 |",
        "| c | (a | 1 |",
        "| c | a b | 1 |",
        "| c | a + | 1 |",
    ] {
        assert_eq!(computed(&page(bad)).1.len(), 1, "{bad}");
    }
}

fn function(name: &str) -> String {
    let path = format!("{}/functions/{name}/function.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_counts_of_the_costs_are_those_of_the_code() {
    let (values, _) = computed(OPERATIONS);
    let phases: usize = SPECS.iter().map(|spec| spec.phases.len()).sum();
    for (name, count) in [
        ("pipelines", SPECS.len()),
        // A poison queue is polled like any other.
        ("queues", 2 * phases),
        ("probe_queues", 2 * probe::SPEC.phases.len()),
    ] {
        assert_eq!(values[name], count as f64, "{name}");
    }
    assert!(function("windlass_sweep").contains(&format!("\"*/{} * * * * *\"", values["sweep_every"])));
    assert!(function("upgrade_check").contains(&format!("\"0 */{} * * * *\"", values["check_every"] / 60.0)));
    assert!(function("upgrade_retention").contains("\"0 17 * * * *\"") && values["retention_every"] == 3_600.0);
    let host = std::fs::read_to_string(format!("{}/host.json", env!("CARGO_MANIFEST_DIR"))).expect("host.json");
    assert!(host.contains("\"maxPollingInterval\": \"00:00:01\""), "a queue is polled once a second");
}

#[test]
fn the_prices_of_the_costs_are_those_of_a_receipt() {
    let (values, _) = computed(OPERATIONS);
    let million = 1_000_000;
    for (name, receipt) in [
        ("execution", Receipt { executions: million, ..Receipt::default() }),
        ("queue_operation", Receipt { queue_operations: million, ..Receipt::default() }),
        ("table_operation", Receipt { table_operations: million, ..Receipt::default() }),
        ("blob_write", Receipt { blob_operations: million, ..Receipt::default() }),
    ] {
        assert!((values[name] * 1e6 - receipt.cost_usd()).abs() < 1e-9, "{name}");
    }
    let count = |name: &str| values[name] as u64;
    let upgrade = Receipt {
        executions: count("upgrade_executions"),
        table_operations: count("upgrade_tables"),
        queue_operations: count("upgrade_queues"),
        blob_operations: count("upgrade_blobs"),
        log_bytes: 0,
    };
    assert!((values["upgrade_receipt_usd"] - upgrade.cost_usd()).abs() < 1e-9);
}
