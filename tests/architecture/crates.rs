//! What each room may be made of: which foreign crates it may name.

use std::collections::BTreeMap;

use super::source::{PathKind, Source};

/// The only rooms, or parts of one, in which production code names a crate. Crates that are not here are everybody's.
pub const HOMES: &[(&str, &[&str])] = &[
    ("anyhow", &["main", "app"]),
    ("axum", &["http", "triggers", "app"]),
    ("azure_core", &["azure", "storage", "app"]),
    ("azure_identity", &["azure"]),
    ("azure_storage_blob", &["storage"]),
    ("azure_storage_queue", &["storage"]),
    ("flate2", &["git"]),
    ("gix", &["git"]),
    ("gix_transport", &["git"]),
    ("globset", &["git"]),
    ("jsonwebtoken", &["http"]),
    ("reqwest", &["azure", "git", "storage", "http", "app"]),
    ("opentelemetry", &["src/app/telemetry/"]),
    ("opentelemetry_application_insights", &["src/app/telemetry/"]),
    ("opentelemetry_http", &["src/app/telemetry/"]),
    ("opentelemetry_proto", &["src/app/telemetry/"]),
    ("opentelemetry_sdk", &["src/app/telemetry/"]),
    ("prost", &["src/app/telemetry/"]),
    ("rusqlite", &["storage"]),
    ("tar", &["git"]),
    ("tower", &["http", "app"]),
    ("tracing_subscriber", &["app", "config"]),
];

/// All that the engine and what it decides about may be made of. No protocol, no vendor, no file.
pub const PLAIN: &[(&str, &[&str])] = &[
    ("model", &["std", "hex", "regex", "serde", "serde_json", "sha2", "thiserror", "time"]),
    (
        "engine",
        &[
            "std",
            "async_trait",
            "bytes",
            "futures",
            "hex",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "tokio",
            "tracing",
        ],
    ),
];

/// Parts of `std` and `tokio` that reach the world, time and chance past the engine's ports.
const WORLD: &[(&str, &str)] = &[
    ("std", "env"),
    ("std", "fs"),
    ("std", "net"),
    ("std", "process"),
    ("std", "thread"),
    ("tokio", "fs"),
    ("tokio", "net"),
    ("tokio", "process"),
];
const WORLDLY_WORDS: &[&str] = &["SystemTime", "Instant", "now_utc", "fastrand"];

/// Code of `dev` may use what it likes, and so may tests.
pub fn check(source: &Source, crates: &[String]) -> Vec<String> {
    let room = source.room();
    let mut found = BTreeMap::new();
    if matches!(room, "dev" | "bin") {
        return Vec::new();
    }
    for path in source.paths.iter().filter(|path| path.kind == PathKind::Named && !path.in_tests) {
        let (head, next) = (path.segments.first().map_or("", String::as_str), path.segments.get(1));
        let place = format!("{}:{}", source.file, path.line);
        if let Some((_, homes)) = HOMES.iter().find(|(name, _)| *name == head)
            && !homes.iter().any(|home| *home == room || (home.ends_with('/') && source.file.starts_with(home)))
        {
            found.insert(place.clone(), format!("{place}: {head} belongs to {}", homes.join(", ")));
        }
        let Some((_, plain)) = PLAIN.iter().find(|(plain, _)| *plain == room) else { continue };
        if crates.iter().any(|known| known == head) && !plain.contains(&head) {
            found.insert(place.clone(), format!("{place}: {room} is not made of {head}"));
        }
        if WORLD.iter().any(|(name, part)| *name == head && next.is_some_and(|next| next == part)) {
            found.insert(place.clone(), format!("{place}: {room} reaches the world through its ports alone"));
        }
    }
    if PLAIN.iter().any(|(plain, _)| *plain == room) {
        for word in source.words.iter().filter(|word| !word.in_tests && WORLDLY_WORDS.contains(&word.text.as_str())) {
            let place = format!("{}:{}", source.file, word.line);
            found.insert(place.clone(), format!("{place}: {room} takes time and chance from the Clock"));
        }
    }
    found.into_values().collect()
}

/// The names under which code sees the dependencies of a Cargo.toml.
pub fn dependencies(manifest: &str) -> Vec<String> {
    let mut found = vec!["std".to_owned()];
    let mut listed = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            listed = line.ends_with("dependencies]");
        } else if let Some((name, _)) = line.split_once('=').filter(|_| listed) {
            found.push(name.trim().replace('-', "_"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::tree;

    fn known() -> Vec<String> {
        dependencies(include_str!("../../Cargo.toml"))
    }

    fn found(file: &str, text: &str) -> Vec<String> {
        check(&Source::parse(file, text, false), &known())
    }

    #[test]
    fn every_room_is_made_of_what_it_may_be_made_of() {
        tree::hold(tree::production().iter().flat_map(|source| check(source, &known())).collect());
    }

    #[test]
    fn every_crate_with_a_home_is_one_of_ours() {
        let known = known();
        for name in HOMES.iter().map(|(name, _)| *name).chain(PLAIN.iter().flat_map(|(_, names)| *names).copied()) {
            assert!(known.iter().any(|known| known == name), "{name} is no dependency");
        }
    }

    #[test]
    fn the_engine_may_not_speak_a_protocol_or_know_a_vendor() {
        for name in ["axum", "reqwest", "azure_core", "rusqlite", "gix", "hyper", "tower", "url"] {
            assert_eq!(found("src/engine/x.rs", &format!("use {name}::X;")).len(), 1, "{name}");
        }
    }

    #[test]
    fn the_engine_may_not_reach_for_files_time_or_chance() {
        for text in ["use std::fs::File;", "fn f() { std::env::args() }", "use tokio::net::TcpStream;"] {
            assert_eq!(found("src/engine/x.rs", text).len(), 1, "{text}");
        }
        for text in ["fn f() { SystemTime::now() }", "fn f() { fastrand::u64(..) }", "use tokio::time::Instant;"] {
            assert_eq!(found("src/model/x.rs", text).len(), 1, "{text}");
        }
        assert!(found("src/engine/x.rs", "use tokio::time::sleep; use std::sync::Arc;").is_empty());
    }

    #[test]
    fn a_crate_stays_in_its_home() {
        for (file, text) in [
            ("src/http/x.rs", "use rusqlite::Connection;"),
            ("src/pipelines/x.rs", "use azure_core::Url;"),
            ("src/azure/x.rs", "fn f() -> axum::Router { axum::Router::new() }"),
            ("src/storage/x.rs", "use anyhow::Context;"),
            ("src/app/x.rs", "use opentelemetry_sdk::Resource;"),
            ("src/engine/x.rs", "use opentelemetry::Value;"),
        ] {
            assert_eq!(found(file, text).len(), 1, "{file}");
        }
        assert!(found("src/azure/x.rs", "#[cfg(test)] mod tests { use axum::Router; }").is_empty());
    }

    #[test]
    fn dependencies_are_read_from_every_section() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\na-b = \"1\"\n[dev-dependencies]\nc = { version = \"1\" }\n[lints.rust]\nd = 1";
        assert_eq!(dependencies(manifest), ["std", "a_b", "c"]);
    }
}
