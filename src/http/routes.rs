//! The one table of what is served over HTTP: a function for the host, and the paths that the router serves under it.
//!
//! The start and the status of each pipeline are functions of their own, so that they are counted, limited and switched
//! off by themselves; the other routes of an area share one. The host tries the routes in the alphabetical order of the
//! functions' names and takes the first that fits, so a shared route (`…/{*rest}`) must bear a name behind those of
//! its area's narrower ones, with and without regard to underscores: `upgrade_views` comes after `upgrade_start` and
//! `upgrade_status`, where `upgrade` would swallow both. A function's name is no path that a route matches either:
//! what is posted to a name is an invocation, and nobody but the host may send one.
//!
//! Who calls is our own matter (`auth/`): `authLevel` is `anonymous` throughout.

use axum::routing::{MethodRouter, get, post};

use super::router::HttpState;
use super::{health, probe, runs, upgrade};

/// A function with an HTTP trigger.
pub struct HttpFunction {
    /// Also the name of its folder.
    pub name: &'static str,
    /// In lower case; the host answers any other with an empty 404.
    pub methods: &'static [&'static str],
    /// The host's template, without a leading slash and without route prefix.
    pub route: &'static str,
    pub serves: &'static [Endpoint],
}

/// A path of the router's, under its function's route.
pub struct Endpoint {
    /// The template.
    pub path: &'static str,
    pub handlers: fn() -> MethodRouter<HttpState>,
}

/// In the alphabetical order of names, as the host tries them.
pub const FUNCTIONS: &[HttpFunction] = &[
    HttpFunction {
        name: "health",
        methods: &["get"],
        route: "api/health",
        serves: &[Endpoint { path: "/api/health", handlers: || get(health::get) }],
    },
    HttpFunction {
        name: "probe_release",
        methods: &["post"],
        route: "api/probe/{id}/release",
        serves: &[Endpoint { path: "/api/probe/{id}/release", handlers: || post(probe::release) }],
    },
    HttpFunction {
        name: "probe_start",
        methods: &["post"],
        route: "api/probe/start",
        serves: &[Endpoint { path: "/api/probe/start", handlers: || post(probe::start) }],
    },
    HttpFunction {
        name: "probe_status",
        methods: &["get"],
        route: "api/probe/{id}/status",
        serves: &[Endpoint { path: "/api/probe/{id}/status", handlers: || get(probe::status) }],
    },
    HttpFunction {
        name: "runs",
        methods: &["get", "post"],
        route: "api/runs/{*rest}",
        serves: &[
            Endpoint { path: "/api/runs", handlers: || get(runs::list) },
            Endpoint { path: "/api/runs/{id}", handlers: || get(runs::get) },
            Endpoint { path: "/api/runs/{id}/rewind", handlers: || post(runs::rewind) },
            Endpoint { path: "/api/runs/{id}/terminate", handlers: || post(runs::terminate) },
        ],
    },
    HttpFunction {
        name: "upgrade_rollback",
        methods: &["post"],
        route: "api/upgrade/rollback",
        serves: &[Endpoint { path: "/api/upgrade/rollback", handlers: || post(upgrade::rollback) }],
    },
    HttpFunction {
        name: "upgrade_start",
        methods: &["post"],
        route: "api/upgrade/start",
        serves: &[Endpoint { path: "/api/upgrade/start", handlers: || post(upgrade::start) }],
    },
    HttpFunction {
        name: "upgrade_status",
        methods: &["get"],
        route: "api/upgrade/status",
        serves: &[Endpoint { path: "/api/upgrade/status", handlers: || get(upgrade::status) }],
    },
    HttpFunction {
        name: "upgrade_views",
        methods: &["get", "post"],
        route: "api/upgrade/{*rest}",
        serves: &[
            Endpoint { path: "/api/upgrade/candidates", handlers: || get(upgrade::candidates) },
            Endpoint { path: "/api/upgrade/check", handlers: || post(upgrade::check) },
            Endpoint { path: "/api/upgrade/settings", handlers: || post(upgrade::settings) },
            Endpoint { path: "/api/upgrade/plan", handlers: || post(upgrade::plan) },
            Endpoint { path: "/api/upgrade/history", handlers: || get(upgrade::history) },
            Endpoint { path: "/api/upgrade/rollback-preflight", handlers: || get(upgrade::rollback_preflight) },
            Endpoint { path: "/api/upgrade/escape-hatch", handlers: || get(upgrade::escape_hatch) },
            Endpoint { path: "/api/upgrade/jobs/{job_id}/approve", handlers: || post(upgrade::approve) },
            Endpoint { path: "/api/upgrade/jobs/{job_id}/verdict", handlers: || post(upgrade::verdict) },
            Endpoint { path: "/api/upgrade/jobs/{job_id}/retry", handlers: || post(upgrade::retry) },
            Endpoint { path: "/api/upgrade/jobs/{job_id}/build-log/{component}", handlers: || get(upgrade::build_log) },
        ],
    },
];

/// The templates of all paths.
pub fn paths() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().flat_map(|function| function.serves).map(|endpoint| endpoint.path)
}
