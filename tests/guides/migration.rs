//! The migration page has every route, every state and every setting of the upgrade, and makes none up.

use std::collections::BTreeSet;

use reqwest::{Client, Method, StatusCode};
use windlass::config::SETTINGS;
use windlass::http::routes;

use crate::MIGRATION;
use crate::page::{quoted, tables};

const STATES: &str = include_str!("../../src/http/upgrade/status/state.rs");

/// Method and path.
fn listed(text: &str) -> Vec<(String, String)> {
    let rows = tables(text, &["route", "before", "with Windlass"]);
    let routes = rows.iter().filter_map(|row| row.first()?.trim_matches('`').split_once(' '));
    routes.map(|(method, path)| (method.to_owned(), path.to_owned())).collect()
}

#[test]
fn every_route_is_on_the_page_and_none_is_made_up() {
    let listed: BTreeSet<String> = listed(MIGRATION).into_iter().map(|(_, path)| path).collect();
    let served: BTreeSet<String> = routes::paths().map(str::to_owned).collect();
    assert_eq!(listed, served);
}

/// Whether the product takes that method there: an unknown caller is turned away by the route itself.
pub async fn routes_are_served(base: &str, text: &str) {
    let client = Client::new();
    for (method, path) in listed(text) {
        let url = format!("{base}{}", path.replace(['{', '}'], ""));
        let method: Method = method.parse().expect("a method");
        let status =
            client.request(method.clone(), url).header("content-length", "0").send().await.expect("an answer").status();
        let expected = if path == "/api/health" { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        assert_eq!(status, expected, "{method} {path}");
    }
}

#[test]
fn every_setting_of_the_upgrade_is_on_the_page_and_none_is_made_up() {
    let rows = tables(MIGRATION, &["before", "setting", "how"]);
    let listed: BTreeSet<&str> = rows.iter().flat_map(|row| quoted(&row[1])).collect();
    let ours = |name: &&str| name.starts_with("UPGRADE_") || name.starts_with("PLATFORM_");
    let known: BTreeSet<&str> = SETTINGS.iter().map(|setting| setting.name).filter(ours).collect();
    assert_eq!(listed, known);
}

#[test]
fn every_state_of_an_upgrade_is_on_the_page_and_none_is_made_up() {
    let rows = tables(MIGRATION, &["state", "before", "with Windlass"]);
    let listed: BTreeSet<&str> = rows.iter().flat_map(|row| quoted(&row[0])).collect();
    let arms = STATES.lines().filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \""));
    let known: BTreeSet<&str> = arms.filter_map(|(_, name)| name.strip_suffix("\",")).collect();
    assert_eq!(listed, known);
    assert_eq!(known.len(), 15, "{known:?}");
}
