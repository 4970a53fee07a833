//! What the Functions host is given: the checked-in files, and the rules that the host has for them.
#![cfg(feature = "dev")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use regex::Regex;
use serde_json::Value;
use support::nowhere;
use support::world::{Chaos, World};
use tower::ServiceExt;
use windlass::config::AuthConfig;
use windlass::dev::functions;
use windlass::engine::Registry;
use windlass::engine::ports::Clock;
use windlass::http::auth::Authenticator;
use windlass::http::routes::{FUNCTIONS, HttpFunction};
use windlass::http::{Check, HttpState, Readiness, UpgradeHttp, router};
use windlass::model::Timestamp;
use windlass::pipelines::{self, probe};
use windlass::triggers::Function;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every checked-in function: its name and its bindings.
fn checked_in() -> BTreeMap<String, Vec<Value>> {
    let folders = std::fs::read_dir(root().join("functions")).unwrap();
    let read = |folder: std::fs::DirEntry| {
        let text = std::fs::read_to_string(folder.path().join("function.json")).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        (folder.file_name().into_string().unwrap(), json["bindings"].as_array().unwrap().clone())
    };
    folders.map(|folder| read(folder.unwrap())).collect()
}

fn bindings_of_type(kind: &str) -> BTreeMap<String, Value> {
    let of = |bindings: Vec<Value>| bindings.into_iter().find(|binding| binding["type"] == kind);
    checked_in().into_iter().filter_map(|(name, bindings)| Some((name, of(bindings)?))).collect()
}

#[test]
fn the_checked_in_functions_are_what_the_code_says() {
    assert_eq!(
        functions::check(root()),
        Ok(()),
        "run `cargo run --features dev --bin windlass-dev -- functions --write`"
    );
}

#[test]
fn there_is_a_function_for_every_route_phase_and_timer_and_no_other() {
    let http = FUNCTIONS.iter().map(|function| function.name.to_owned());
    let all: Vec<_> = http.chain(Function::of(pipelines::SPECS).into_iter().map(|(name, _)| name)).collect();
    let unique: BTreeSet<_> = all.iter().cloned().collect();
    assert_eq!(unique.len(), all.len(), "two functions share a name: {all:?}");
    assert_eq!(checked_in().into_keys().collect::<BTreeSet<_>>(), unique);
}

#[test]
fn every_function_obeys_the_hosts_rules() {
    // A dash is allowed, but a function with one cannot be switched off on Linux: settings there have no dash in their names.
    let function_name = Regex::new("^[a-z][a-z0-9_]{0,127}$").unwrap();
    let binding_name = Regex::new("^[a-zA-Z][a-zA-Z0-9]{0,127}$").unwrap();
    for (name, bindings) in checked_in() {
        assert!(function_name.is_match(&name) && name != "host", "{name}");
        let triggers = bindings.iter().filter(|binding| binding["type"].as_str().unwrap().ends_with("Trigger"));
        assert_eq!(triggers.count(), 1, "{name}");
        for binding in &bindings {
            let text = |field: &str| binding[field].as_str().unwrap_or_default();
            assert!(binding_name.is_match(text("name")), "{name}: {binding}");
            assert_eq!(text("direction"), if text("type") == "http" { "out" } else { "in" }, "{name}: {binding}");
        }
    }
}

#[test]
fn every_queue_obeys_the_rules_of_storage_and_is_called_like_its_function() {
    let queue_name = Regex::new("^[a-z0-9]+(-[a-z0-9]+)*$").unwrap();
    let queues = bindings_of_type("queueTrigger");
    for (name, binding) in &queues {
        let queue = name.replace('_', "-");
        assert_eq!(binding["queueName"], queue.as_str());
        assert_eq!(binding["connection"], "AzureWebJobsStorage", "{name}");
        assert!((3..=63).contains(&queue.len()) && queue_name.is_match(&queue), "{queue}");
    }
    for (pipeline, phase) in pipelines::SPECS.iter().flat_map(|spec| spec.phases.iter().map(move |phase| (spec, phase)))
    {
        let function = pipeline.queue(phase.name).replace('-', "_");
        assert!(queues.contains_key(&function) && queues.contains_key(&format!("{function}_poison")), "{function}");
    }
}

#[test]
fn every_timer_has_six_fields_and_needs_no_setting() {
    let timers = bindings_of_type("timerTrigger");
    assert!(timers.contains_key("windlass_sweep"));
    for timer in timers.values() {
        let schedule = timer["schedule"].as_str().unwrap();
        assert_eq!(schedule.split(' ').count(), 6, "{schedule}");
        assert!(!schedule.contains('%'), "{schedule}");
    }
}

#[test]
fn http_functions_have_one_trigger_and_one_output_so_that_requests_are_forwarded() {
    for (name, bindings) in checked_in() {
        if !bindings.iter().any(|binding| binding["type"] == "httpTrigger") {
            continue;
        }
        let kinds: Vec<_> = bindings.iter().map(|binding| (&binding["type"], &binding["name"])).collect();
        assert_eq!(
            kinds,
            [(&"httpTrigger".into(), &"request".into()), (&"http".into(), &"response".into())] as [(&Value, &Value); 2],
            "{name}"
        );
        assert_eq!(bindings[0]["authLevel"], "anonymous", "{name}");
    }
}

#[test]
fn the_host_file_has_what_the_engine_counts_on() {
    let host: Value = serde_json::from_str(&std::fs::read_to_string(root().join("host.json")).unwrap()).unwrap();
    assert_eq!(host["version"], "2.0");
    let handler = &host["customHandler"];
    assert_eq!(handler["description"]["defaultExecutablePath"], env!("CARGO_PKG_NAME"));
    assert_eq!(
        (&handler["enableForwardingHttpRequest"], &handler["enableProxyingHttpRequest"]),
        (&true.into(), &true.into())
    );
    assert_eq!(host["extensions"]["http"]["routePrefix"], "");
    let queues = &host["extensions"]["queues"];
    assert_eq!((&queues["messageEncoding"], &queues["maxDequeueCount"]), (&"none".into(), &5.into()));
    // A delivery must end itself before the host ends the whole handler.
    assert_eq!(host["functionTimeout"], "00:05:00");
    for phase in pipelines::SPECS.iter().flat_map(|spec| spec.phases) {
        assert!(phase.delivery.as_secs() < 240, "{}", phase.name);
    }
}

/// Whether a host would hand this path to the route. Segments are compared without regard to case.
fn route_takes(route: &str, path: &str) -> bool {
    let mut given = path.trim_matches('/').split('/');
    for wanted in route.split('/') {
        if wanted.starts_with("{*") {
            return true;
        }
        match given.next() {
            Some(found) if wanted.starts_with('{') && !found.is_empty() => {}
            Some(found) if wanted.eq_ignore_ascii_case(found) => {}
            _ => return false,
        }
    }
    given.next().is_none()
}

#[test]
fn routes_are_taken_as_the_host_takes_them() {
    for (route, path, taken) in [
        ("api/runs/{*rest}", "/api/runs", true),
        ("api/runs/{*rest}", "/API/Runs/x/y", true),
        ("api/runs/{*rest}", "/api/run", false),
        ("api/probe/{id}/status", "/api/probe/x/status", true),
        ("api/probe/{id}/status", "/api/probe/x/y/status", false),
        ("api/probe/start", "/api/probe/start/x", false),
    ] {
        assert_eq!(route_takes(route, path), taken, "{route} {path}");
    }
}

#[test]
fn no_route_takes_an_invocation_or_what_belongs_to_the_host() {
    for function in FUNCTIONS {
        let first = function.route.split('/').next().unwrap();
        assert!(!first.starts_with('{') && !first.is_empty(), "{} takes everything", function.name);
        assert!(!["admin", "runtime"].contains(&first), "{} is the host's", function.name);
        assert!(!function.route.starts_with('/') && !function.route.ends_with('/'), "{}", function.name);
        assert_eq!(function.route.matches('{').count(), function.route.matches('}').count(), "{}", function.name);
        for name in checked_in().keys() {
            assert!(!route_takes(function.route, name), "{} takes POST /{name}", function.name);
        }
    }
}

#[test]
fn no_route_is_given_twice() {
    let routes: BTreeSet<_> = FUNCTIONS.iter().map(|function| function.route.to_ascii_lowercase()).collect();
    assert_eq!(routes.len(), FUNCTIONS.len());
}

/// A path that fits the template, with something for every value.
fn example(path: &str) -> String {
    path.replace("{id}", "0123456789-01234567890123456789")
        .replace("{job_id}", "0123456789-01234567890123456789")
        .replace("{component}", "api")
}

/// The function that a host would call: it tries them in the order of their names.
fn found<'a>(order: &[&'a HttpFunction], method: &str, path: &str) -> Option<&'a str> {
    let takes = |function: &&&HttpFunction| function.methods.contains(&method) && route_takes(function.route, path);
    order.iter().find(takes).map(|function| function.name)
}

#[test]
fn every_path_is_found_under_its_own_function_however_the_host_sorts() {
    let mut by_characters: Vec<_> = FUNCTIONS.iter().collect();
    by_characters.sort_by_key(|function| function.name);
    let mut by_letters = by_characters.clone();
    by_letters.sort_by_key(|function| function.name.replace('_', ""));
    for order in [by_characters, by_letters] {
        for function in FUNCTIONS {
            for (method, path) in function.serves.iter().flat_map(|e| function.methods.iter().map(move |m| (m, e.path)))
            {
                assert_eq!(found(&order, method, &example(path)), Some(function.name), "{method} {path}");
            }
        }
    }
}

struct Ready;

#[async_trait]
impl Readiness for Ready {
    async fn checks(&self) -> Vec<Check> {
        Vec::new()
    }
}

struct NoClock;

impl Clock for NoClock {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }

    fn random(&self) -> u64 {
        4
    }
}

/// A platform of which nothing is configured.
fn served() -> Router {
    let world = World::new(1, Chaos::none(), Registry::new(vec![probe::pipeline()]));
    let nowhere = "http://127.0.0.1:9".parse().unwrap();
    let authenticator = Authenticator::new(AuthConfig::default(), nowhere, reqwest::Client::new(), Arc::new(NoClock));
    router(HttpState {
        engine: world.engine("packaging"),
        authenticator: Arc::new(authenticator),
        upgrade: Arc::new(UpgradeHttp {
            admin_oids: Vec::new(),
            components: Vec::new(),
            platform: nowhere::platform(),
        }),
        readiness: Arc::new(Ready),
    })
}

#[tokio::test]
async fn functions_take_exactly_the_methods_that_their_paths_serve() {
    let served = served();
    for function in FUNCTIONS {
        let mut methods = BTreeSet::new();
        for endpoint in function.serves {
            assert!(route_takes(function.route, &example(endpoint.path)), "{} {}", function.name, endpoint.path);
            for method in ["get", "post", "put", "patch", "delete"] {
                let request = Request::builder().method(method.to_uppercase().as_str()).uri(example(endpoint.path));
                let answer = served.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
                assert_ne!(answer.status(), 404, "{method} {}", endpoint.path);
                if answer.status() != 405 {
                    methods.insert(method);
                }
            }
        }
        assert_eq!(methods, function.methods.iter().copied().collect(), "{}", function.name);
    }
}
