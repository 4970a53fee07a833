//! The host's view of the product, generated from the code: `functions/<name>/function.json` and `host.json`.
//!
//! HTTP functions come from the table of routes, the others from the pipelines. What is generated is checked in, so that
//! a change of it is seen in review; [`check`] finds out when the two have drifted apart.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Serialize;

use crate::engine::PipelineSpec;
use crate::http::routes;
use crate::pipelines;
use crate::triggers::Function;

const FOLDER: &str = "functions";
const FUNCTION_FILE: &str = "function.json";
const HOST_FILE: &str = "host.json";

/// The setting with the storage account of host and queues, and the prefix of its identity-based form.
const CONNECTION: &str = "AzureWebJobsStorage";

/// Every thirty seconds, which is the grace that the engine gives a ticket before it sends it again. Written out rather
/// than as `%SETTING%`: a setting that is missing puts the function in error, and without a sweep nothing would be
/// picked up again.
const SWEEP_SCHEDULE: &str = "*/30 * * * * *";

/// Why the values are what they are:
/// - both ways of handing HTTP on: hosts that cannot proxy ignore the second key;
/// - `maxPollingInterval`: between two phases lies the listener's poll, and a message that is sent wakes nobody; the
///   cloud's default is a minute;
/// - `visibilityTimeout`: a failed delivery comes again after five seconds rather than at once;
/// - `messageEncoding`: tickets are JSON text; under `base64` they would go to the poison queue unseen;
/// - `functionTimeout`: it kills every invocation of the instance, so phases end themselves long before.
const HOST: &str = r#"{
  "version": "2.0",
  "customHandler": {
    "description": {
      "defaultExecutablePath": "windlass"
    },
    "enableForwardingHttpRequest": true,
    "enableProxyingHttpRequest": true
  },
  "extensions": {
    "http": {
      "routePrefix": ""
    },
    "queues": {
      "maxPollingInterval": "00:00:01",
      "visibilityTimeout": "00:00:05",
      "batchSize": 16,
      "newBatchThreshold": 8,
      "maxDequeueCount": 5,
      "messageEncoding": "none"
    }
  },
  "functionTimeout": "00:05:00",
  "extensionBundle": {
    "id": "Microsoft.Azure.Functions.ExtensionBundle",
    "version": "[4.*, 5.0.0)"
  },
  "logging": {
    "logLevel": {
      "default": "Information"
    },
    "applicationInsights": {
      "samplingSettings": {
        "isEnabled": true,
        "excludedTypes": "Request;Exception"
      }
    }
  }
}
"#;

#[derive(Serialize)]
struct FunctionJson {
    bindings: Vec<Binding>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
enum Binding {
    #[serde(rename = "httpTrigger")]
    HttpTrigger {
        direction: &'static str,
        name: &'static str,
        methods: &'static [&'static str],
        route: &'static str,
        auth_level: &'static str,
    },
    #[serde(rename = "http")]
    Http { direction: &'static str, name: &'static str },
    #[serde(rename = "queueTrigger")]
    QueueTrigger { direction: &'static str, name: &'static str, queue_name: String, connection: &'static str },
    #[serde(rename = "timerTrigger")]
    TimerTrigger { direction: &'static str, name: &'static str, schedule: &'static str },
}

/// Writes the files under `root`, and removes generated ones of functions that are no more.
pub fn write(root: &Path) -> io::Result<()> {
    let wanted = files();
    for found in present(root)?.iter().filter(|found| found.ends_with(FUNCTION_FILE) && !wanted.contains_key(*found)) {
        fs::remove_file(root.join(found))?;
        // Whatever else lies in the folder is not ours to remove.
        let _ = found.parent().map(|folder| fs::remove_dir(root.join(folder)));
    }
    for (path, text) in wanted {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}

/// Compares what is under `root` with what the code says.
///
/// # Errors
/// Every difference, in words.
pub fn check(root: &Path) -> Result<(), Vec<String>> {
    let wanted = files();
    let present = present(root).map_err(|error| vec![format!("{FOLDER} cannot be read: {error}")])?;
    let mut differences: Vec<_> = present
        .iter()
        .filter(|found| !wanted.contains_key(*found))
        .map(|found| format!("{} is extra: the code knows no such file", found.display()))
        .collect();
    for (path, text) in &wanted {
        match fs::read_to_string(root.join(path)) {
            Ok(found) if found == *text => {}
            Ok(_) => differences.push(format!("{} is not what the code says", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                differences.push(format!("{} is missing", path.display()));
            }
            Err(error) => differences.push(format!("{} cannot be read: {error}", path.display())),
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(differences) }
}

/// What is to be, by path relative to the root.
fn files() -> BTreeMap<PathBuf, String> {
    files_of(pipelines::SPECS)
}

fn files_of(specs: &[&PipelineSpec]) -> BTreeMap<PathBuf, String> {
    let http = routes::FUNCTIONS.iter().map(|function| {
        let trigger = Binding::HttpTrigger {
            direction: "in",
            name: "request",
            methods: function.methods,
            route: function.route,
            auth_level: "anonymous",
        };
        (function.name.to_owned(), vec![trigger, Binding::Http { direction: "out", name: "response" }])
    });
    let others = Function::of(specs).into_iter().map(|(name, function)| {
        let trigger = match (function.queue(), function) {
            (Some(queue_name), _) => {
                Binding::QueueTrigger { direction: "in", name: "ticket", queue_name, connection: CONNECTION }
            }
            (None, Function::Timer { schedule, .. }) => timer(schedule),
            (None, _) => timer(SWEEP_SCHEDULE),
        };
        (name, vec![trigger])
    });
    let functions =
        http.chain(others).map(|(name, bindings)| (Path::new(FOLDER).join(name).join(FUNCTION_FILE), text(bindings)));
    functions.chain([(PathBuf::from(HOST_FILE), HOST.to_owned())]).collect()
}

fn timer(schedule: &'static str) -> Binding {
    Binding::TimerTrigger { direction: "in", name: "timer", schedule }
}

fn text(bindings: Vec<Binding>) -> String {
    let mut text = serde_json::to_string_pretty(&FunctionJson { bindings }).expect("a binding is plain data");
    text.push('\n');
    text
}

/// The files in and below the folder of functions, relative to the root.
fn present(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(FOLDER)];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::TimerSpec;

    #[test]
    fn every_difference_is_named_and_writing_mends_it() {
        let root = tempfile::tempdir().unwrap();
        let missing = check(root.path()).unwrap_err();
        assert_eq!(missing.len(), files().len());
        assert!(missing.contains(&"host.json is missing".to_owned()), "{missing:?}");

        write(root.path()).unwrap();
        assert_eq!(check(root.path()), Ok(()));

        let path = |file: &str| root.path().join(file);
        fs::write(path("functions/health/function.json"), "{}").unwrap();
        fs::remove_file(path("functions/runs/function.json")).unwrap();
        fs::create_dir(path("functions/gone")).unwrap();
        fs::write(path("functions/gone/function.json"), "{}").unwrap();
        assert_eq!(
            check(root.path()).unwrap_err(),
            [
                "functions/gone/function.json is extra: the code knows no such file",
                "functions/health/function.json is not what the code says",
                "functions/runs/function.json is missing",
            ]
        );
        write(root.path()).unwrap();
        assert_eq!(check(root.path()), Ok(()));
        assert!(!path("functions/gone").exists());
    }
    #[test]
    fn a_timer_of_a_pipeline_is_a_function_with_its_schedule() {
        const TIMER: TimerSpec = TimerSpec { name: "probe-look", schedule: "0 */30 * * * *" };
        let spec = PipelineSpec { timers: &[TIMER], ..pipelines::probe::SPEC };
        let files = files_of(&[&spec]);
        let text = &files[Path::new("functions/probe_look/function.json")];
        let written: serde_json::Value = serde_json::from_str(text).unwrap();
        let binding = serde_json::json!({
            "type": "timerTrigger", "direction": "in", "name": "timer", "schedule": "0 */30 * * * *",
        });
        assert_eq!(written["bindings"], serde_json::json!([binding]));
        let others = files_of(&[&pipelines::probe::SPEC]).len();
        assert_eq!(files.len(), others + 1);
    }
}
