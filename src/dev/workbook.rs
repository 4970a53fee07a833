//! `infra/workbook.json`: what people look at in the portal, made of the queries in `infra/queries/`, so that none of them is
//! written twice.

use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};
use uuid::Uuid;

pub const FILE: &str = "infra/workbook.json";
pub const QUERIES: &str = "infra/queries";

/// The name of the parameter that a click on a run sets, and that the query of one run asks for.
const RUN: &str = "Run";
const TIME: &str = "TimeRange";
const INSIGHTS: &str = "Insights";
const COMPONENTS: &str = "microsoft.insights/components";
const SCHEMA: &str = "https://github.com/Microsoft/Application-Insights-Workbooks/blob/master/schema/workbook.json";
/// Milliseconds.
const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// How the answer of a query is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum View {
    Bars,
    Lines,
    Table,
    /// A table of runs, of which one can be chosen.
    Runs,
    /// What is told of the chosen run; not there until one is chosen.
    OneRun,
}

/// A query's place in the workbook.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Panel {
    /// Its file's name, without the ending.
    pub query: &'static str,
    pub view: View,
    /// In percent.
    pub width: u8,
    /// What no rows mean.
    pub nothing: &'static str,
}

/// From above to below.
pub const PANELS: [Panel; 14] = [
    panel("sweep-silence", View::Table, 50, "The sweep comes round."),
    panel("stuck-runs", View::Table, 50, "No run is stuck, and none is unreadable."),
    panel("failed-runs", View::Runs, 100, "No run has failed."),
    panel("one-run", View::OneRun, 100, "Nothing is told of this run in this time."),
    panel("runs-by-outcome", View::Bars, 50, "No run has ended."),
    panel("live-runs", View::Lines, 50, "No sweep has come round."),
    panel("phase-duration", View::Table, 50, "No phase has worked."),
    panel("phase-answers", View::Table, 50, "No phase has answered."),
    panel("slowest-phases", View::Runs, 100, "No phase has worked."),
    panel("queue-age", View::Table, 50, "No ticket was delivered."),
    panel("retries", View::Table, 50, "Nothing was tried again."),
    panel("poison", View::Table, 50, "No message was delivered too often."),
    panel("storage-operations", View::Table, 50, "The storage was not asked."),
    panel("telemetry-dropped", View::Bars, 100, "All telemetry was sent."),
];

const fn panel(query: &'static str, view: View, width: u8, nothing: &'static str) -> Panel {
    Panel { query, view, width, nothing }
}

/// The text of the workbook, of the queries below `root`.
pub fn workbook(root: &Path) -> anyhow::Result<String> {
    let mut items = vec![parameters()];
    for panel in PANELS {
        let file = root.join(QUERIES).join(panel.query).with_extension("kql");
        let query = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let title = question(&query).with_context(|| format!("{} does not begin with its question", file.display()))?;
        items.push(shown(&panel, title, &query));
    }
    let workbook = json!({"version": "Notebook/1.0", "items": items, "fallbackResourceIds": [], "$schema": SCHEMA});
    Ok(format!("{workbook:#}\n"))
}

/// Writes the workbook below `root`.
pub fn write(root: &Path) -> anyhow::Result<()> {
    std::fs::write(root.join(FILE), workbook(root)?).context(FILE)
}

/// Fails unless the workbook below `root` is what its queries make of it.
pub fn check(root: &Path) -> anyhow::Result<()> {
    let found = std::fs::read_to_string(root.join(FILE)).context(FILE)?;
    let same = found.replace("\r\n", "\n") == workbook(root)?;
    anyhow::ensure!(same, "{FILE} is not what its queries make of it; run `windlass-dev workbook --write`");
    Ok(())
}

/// What a query answers, as its first line asks it.
pub fn question(query: &str) -> Option<&str> {
    query.lines().next()?.strip_prefix("// ").filter(|line| line.contains('?'))
}

fn parameters() -> Value {
    let times = [HOUR, 4 * HOUR, DAY, 7 * DAY, 30 * DAY, 90 * DAY].map(|time| json!({"durationMs": time}));
    let parameter = |name: &str, label: &str, kind: u8, required: bool| {
        json!({
            "id": Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()), "version": "KqlParameterItem/1.0", "name": name,
            "label": label, "type": kind, "isRequired": required,
        })
    };
    let mut insights = parameter(INSIGHTS, "Application Insights", 5, true);
    insights["multiSelect"] = true.into();
    insights["quote"] = "'".into();
    insights["delimiter"] = ",".into();
    insights["typeSettings"] =
        json!({"resourceTypeFilter": {COMPONENTS: true}, "additionalResourceOptions": ["value::1"]});
    insights["value"] = json!(["value::1"]);
    let mut time = parameter(TIME, "Time", 4, true);
    time["typeSettings"] = json!({"selectableValues": times, "allowCustom": true});
    time["value"] = json!({"durationMs": DAY});
    let mut run = parameter(RUN, "Run", 1, false);
    run["value"] = "".into();
    let content = json!({
        "version": "KqlParameterItem/1.0", "parameters": [insights, time, run], "style": "pills", "queryType": 0,
        "resourceType": COMPONENTS,
    });
    json!({"type": 9, "name": "parameters", "content": content})
}

fn shown(panel: &Panel, title: &str, query: &str) -> Value {
    let mut content = json!({
        "version": "KqlItem/1.0", "query": query, "size": 0, "title": title, "noDataMessage": panel.nothing,
        "timeContextFromParameter": TIME, "queryType": 0, "resourceType": COMPONENTS,
        "crossComponentResources": [format!("{{{INSIGHTS}}}")],
    });
    content["visualization"] = match panel.view {
        View::Bars => "barchart",
        View::Lines => "timechart",
        View::Table | View::Runs | View::OneRun => "table",
    }
    .into();
    if panel.view == View::Runs {
        content["exportFieldName"] = "run".into();
        content["exportParameterName"] = RUN.into();
    }
    let mut item = json!({"type": 3, "name": panel.query, "customWidth": panel.width.to_string(), "content": content});
    if panel.view == View::OneRun {
        item["conditionalVisibility"] = json!({"parameterName": RUN, "comparison": "isNotEqualTo", "value": ""});
    }
    item
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::dev::generated::is_up_to_date;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn the_workbook_is_what_the_queries_make_of_it() {
        is_up_to_date(FILE, &workbook(root()).unwrap());
        check(root()).unwrap();
    }

    #[test]
    fn every_query_has_its_place_in_the_workbook() {
        let files = std::fs::read_dir(root().join(QUERIES)).unwrap().map(|entry| entry.unwrap().path());
        let there: BTreeSet<String> = files.map(|file| file.file_stem().unwrap().to_str().unwrap().into()).collect();
        let shown: BTreeSet<String> = PANELS.iter().map(|panel| panel.query.to_owned()).collect();
        assert_eq!((&there, shown.len()), (&shown, PANELS.len()));
    }

    #[test]
    fn a_run_that_is_clicked_on_is_the_one_that_is_told_of() {
        let workbook: Value = serde_json::from_str(&workbook(root()).unwrap()).unwrap();
        let items = workbook["items"].as_array().unwrap();
        let named = |name: &str| items.iter().find(|item| item["name"] == name).unwrap();
        for runs in ["failed-runs", "slowest-phases"] {
            assert_eq!(named(runs)["content"]["exportParameterName"], RUN);
            assert_eq!(named(runs)["content"]["exportFieldName"], "run");
        }
        let one = named("one-run");
        assert_eq!(one["conditionalVisibility"]["parameterName"], RUN);
        assert!(one["content"]["query"].as_str().unwrap().contains(&format!("\"{{{RUN}}}\"")));
        let parameters = named("parameters")["content"]["parameters"].as_array().unwrap();
        let names: Vec<_> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(names, [INSIGHTS, TIME, RUN]);
    }

    #[test]
    fn a_query_that_was_changed_behind_the_workbook_is_found() {
        let copy = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(copy.path().join(QUERIES)).unwrap();
        for panel in PANELS {
            let file = format!("{QUERIES}/{}.kql", panel.query);
            std::fs::copy(root().join(&file), copy.path().join(&file)).unwrap();
        }
        write(copy.path()).unwrap();
        check(copy.path()).unwrap();
        let file = copy.path().join(QUERIES).join("retries.kql");
        let query = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, query.replace("desc", "asc")).unwrap();
        let refused = check(copy.path()).unwrap_err().to_string();
        assert!(refused.contains("workbook --write"), "{refused}");
        std::fs::write(&file, "customMetrics").unwrap();
        let refused = workbook(copy.path()).unwrap_err().to_string();
        assert!(refused.contains("retries.kql"), "{refused}");
    }
}
