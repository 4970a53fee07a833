//! What the real host wants of a script root, measured on it: where it stops, hangs, or leaves a function out, this
//! complains.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use regex::Regex;
use serde_json::{Map, Value};
use windlass::config::SETTINGS;

const HOST: &str = "host.json";
const SETTINGS_FILE: &str = "local.settings.json";
/// Settings of others: the tools' own, and the one that the identity client reads by itself.
const FOREIGN: [&str; 2] = ["FUNCTIONS_WORKER_RUNTIME", "IDENTITY_HEADER"];

/// The file that host.json names as the handler.
pub fn program(dist: &Path) -> Option<String> {
    let host = json(&dist.join(HOST)).ok()?;
    host["customHandler"]["description"]["defaultExecutablePath"].as_str().map(str::to_owned)
}

/// Everything that is wrong with the folder.
pub fn faults(dist: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    host(dist, &mut faults);
    let values = settings(dist, &mut faults);
    functions(dist, &values, &mut faults);
    faults
}

fn json(file: &Path) -> Result<Value, String> {
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", file.display()))
}

fn host(dist: &Path, faults: &mut Vec<String>) {
    let host = match json(&dist.join(HOST)) {
        Ok(host) => host,
        Err(fault) => return faults.push(fault),
    };
    let mut check = |fine: bool, fault: &str| {
        if !fine {
            faults.push(format!("{HOST}: {fault}"));
        }
    };
    check(host["version"] == "2.0", "version is not \"2.0\"");
    let queues = &host["extensions"]["queues"];
    check(["none", "base64"].iter().any(|known| queues["messageEncoding"] == *known), "messageEncoding is unknown");
    check(queues["batchSize"].as_u64().is_some_and(|size| (1..=32).contains(&size)), "batchSize is not 1 to 32");
    check(queues["maxDequeueCount"].as_u64().is_some_and(|count| count > 0), "maxDequeueCount is not 1 or more");
    let span = Regex::new(r"^\d\d:\d\d:\d\d(\.\d+)?$").unwrap();
    for value in [&host["functionTimeout"], &queues["maxPollingInterval"], &queues["visibilityTimeout"]] {
        check(value.as_str().is_some_and(|text| span.is_match(text)), &format!("{value} is no time span"));
    }
    check(host["extensions"]["http"]["routePrefix"].is_string(), "routePrefix is no text");
    let program = program(dist).unwrap_or_default();
    check(!program.is_empty() && !program.contains('/'), "defaultExecutablePath is no bare file name");
    match std::fs::metadata(dist.join(&program)) {
        Ok(file) if file.is_file() => {
            check(file.permissions().mode() & 0o111 == 0o111, &format!("{program} cannot be run by everybody"));
        }
        _ => check(false, &format!("{program} is missing")),
    }
}

/// The settings, which hold nothing but what the product or the tools read.
fn settings(dist: &Path, faults: &mut Vec<String>) -> Map<String, Value> {
    let file = match json(&dist.join(SETTINGS_FILE)) {
        Ok(file) => file,
        Err(fault) => {
            faults.push(fault);
            return Map::new();
        }
    };
    let mut check = |fine: bool, fault: String| {
        if !fine {
            faults.push(format!("{SETTINGS_FILE}: {fault}"));
        }
    };
    check(file["IsEncrypted"] == false, "is encrypted".into());
    let values = file["Values"].as_object().cloned().unwrap_or_default();
    for (name, value) in &values {
        check(value.is_string(), format!("{name} is no text"));
        let known = SETTINGS.iter().any(|setting| setting.name == name) || FOREIGN.contains(&name.as_str());
        check(known, format!("{name} is read by nobody"));
    }
    check(
        values.get("FUNCTIONS_WORKER_RUNTIME").is_some_and(|kind| kind == "custom"),
        "FUNCTIONS_WORKER_RUNTIME is not \"custom\"".into(),
    );
    check(values.contains_key("AzureWebJobsStorage"), "AzureWebJobsStorage is missing".into());
    values
}

fn functions(dist: &Path, values: &Map<String, Value>, faults: &mut Vec<String>) {
    let name_form = Regex::new("^[a-z][a-z0-9_-]{0,127}$").unwrap();
    let mut routes = BTreeMap::new();
    let mut count = 0;
    for entry in std::fs::read_dir(dist).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.path().is_dir() {
            if ![HOST, SETTINGS_FILE].contains(&name.as_str()) && program(dist).is_some_and(|program| program != name) {
                faults.push(format!("{name}: is no part of an app"));
            }
            continue;
        }
        let mut complain = |fault: String| faults.push(format!("{name}: {fault}"));
        // Only the folders right below the root are looked into.
        let Ok(function) = json(&entry.path().join("function.json")) else {
            complain("holds no function.json".into());
            continue;
        };
        count += 1;
        if !name_form.is_match(&name) || name == "host" {
            complain("is no function name".into());
        }
        let bindings = function["bindings"].as_array().cloned().unwrap_or_default();
        let is_trigger = |binding: &&Value| binding["type"].as_str().is_some_and(|kind| kind.ends_with("Trigger"));
        let triggers = bindings.iter().filter(is_trigger).count();
        if triggers != 1 {
            complain(format!("has {triggers} triggers"));
        }
        for binding in &bindings {
            faults_of(binding, values).into_iter().for_each(&mut complain);
            let route = binding["route"].as_str().map(|route| (route.to_ascii_lowercase(), name.clone()));
            if let Some((route, name)) = route
                && let Some(other) = routes.insert(route, name)
            {
                complain(format!("has the route of {other}"));
            }
        }
    }
    if count == 0 {
        faults.push("there is no function".into());
    }
}

fn faults_of(binding: &Value, values: &Map<String, Value>) -> Vec<String> {
    let text = |field: &str| binding[field].as_str().unwrap_or_default();
    let matches = |form: &str, field: &str| Regex::new(form).unwrap().is_match(text(field));
    let mut faults = Vec::new();
    let mut check = |fine: bool, fault: String| {
        if !fine {
            faults.push(fault);
        }
    };
    check(
        matches(r"^([a-zA-Z][a-zA-Z0-9]{0,127}|\$return)$", "name"),
        format!("'{}' is no binding name", text("name")),
    );
    let direction = if text("type").ends_with("Trigger") { "in" } else { "out" };
    check(text("direction") == direction, format!("the direction of {} is not {direction}", text("type")));
    match text("type") {
        "httpTrigger" => {
            let route = text("route");
            check(route.matches('{').count() == route.matches('}').count(), format!("{route} has an unclosed brace"));
            let own = ["admin", "runtime"].iter().any(|own| route.split('/').next() == Some(own));
            check(!own, format!("{route} is the host's own"));
        }
        "queueTrigger" => {
            let fits = matches("^[a-z0-9]+(-[a-z0-9]+)*$", "queueName") && (3..=63).contains(&text("queueName").len());
            check(fits, format!("'{}' is no queue name", text("queueName")));
            let connection = text("connection");
            let set = values.keys().any(|name| name == connection || name.starts_with(&format!("{connection}__")));
            check(set && !connection.is_empty(), format!("the connection '{connection}' is set nowhere"));
        }
        "timerTrigger" => {
            let fields = text("schedule").split_whitespace().count();
            check(fields == 6, format!("the schedule '{}' has {fields} fields, not 6", text("schedule")));
        }
        "http" => {}
        other => check(false, format!("'{other}' is no type of binding that we use")),
    }
    faults
}
