//! Which room may know which. An arrow that is not here does not exist.

use super::source::{PathKind, Source};

/// A room and those that it may name.
type Arrows = &'static [(&'static str, &'static [&'static str])];

pub const ARROWS: Arrows = &[
    ("model", &[]),
    ("engine", &["model"]),
    ("storage", &["engine", "model"]),
    ("azure", &["model"]),
    ("git", &["model"]),
    ("pipelines", &["engine", "azure", "git", "model"]),
    ("config", &["model"]),
    ("http", &["engine", "pipelines", "config", "model"]),
    ("triggers", &["engine", "model"]),
    ("app", &["http", "triggers", "pipelines", "storage", "azure", "git", "config", "engine", "model"]),
    ("dev", &["app", "http", "triggers", "pipelines", "storage", "azure", "git", "config", "engine", "model"]),
    ("main", &["app", "config"]),
    ("bin", &["dev"]),
    ("lib", &[]),
];

/// Parts of a room that another room may name, where it may not name all of it.
pub const DOORS: &[(&str, &str, &[&str])] = &[
    ("storage", "engine", &["ports"]),
    ("config", "model", &["redact"]),
    ("main", "app", &["App", "orphan", "telemetry"]),
];

/// Names the room as a binary sees it.
const LIBRARY: &str = "windlass";

pub fn check(source: &Source, arrows: &[(&str, &[&str])], doors: &[(&str, &str, &[&str])]) -> Vec<String> {
    let room = source.room();
    let Some((_, allowed)) = arrows.iter().find(|(known, _)| *known == room) else {
        return vec![format!("{}: {room} is no room; give it its arrows in tests/architecture/arrows.rs", source.file)];
    };
    let mut found = Vec::new();
    for path in &source.paths {
        let Some((target, rest)) = inside(&path.segments, path.kind) else { continue };
        if target == room || !arrows.iter().any(|(known, _)| *known == target) {
            continue;
        }
        let place = format!("{}:{}", source.file, path.line);
        if !allowed.contains(&target) {
            found.push(format!("{place}: {room} may not know {target}"));
            continue;
        }
        let door = doors.iter().find(|(from, to, _)| *from == room && *to == target);
        if let Some((_, _, names)) = door
            && !path.in_tests
            && !rest.is_some_and(|name| names.contains(&name))
        {
            found.push(format!("{place}: {room} may know nothing of {target} but {}", names.join(", ")));
        }
    }
    found
}

/// The room that a path leads to, and the next name in it.
fn inside(segments: &[String], kind: PathKind) -> Option<(&str, Option<&str>)> {
    let mut names = segments.iter().map(String::as_str);
    if kind == PathKind::Named && names.next() != Some(LIBRARY) {
        return None;
    }
    Some((names.next()?, names.next()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::tree;

    fn found(file: &str, text: &str) -> Vec<String> {
        check(&Source::parse(file, text, false), ARROWS, DOORS)
    }

    #[test]
    fn every_room_knows_only_those_that_its_arrows_lead_to() {
        tree::hold(tree::production().iter().flat_map(|source| check(source, ARROWS, DOORS)).collect());
    }

    #[test]
    fn the_arrows_lead_one_way() {
        for (room, allowed) in ARROWS {
            for other in *allowed {
                let back = ARROWS.iter().find(|(known, _)| known == other).map(|(_, allowed)| *allowed);
                assert!(back.is_some_and(|back| !back.contains(room)), "{room} and {other} know each other");
            }
        }
    }

    #[test]
    fn every_arrow_is_walked() {
        // What nobody needs is not permitted; dev is there to know everything.
        let mut unused = Vec::new();
        for (room, allowed) in ARROWS.iter().filter(|(room, _)| *room != "dev") {
            for target in *allowed {
                let walked = tree::production().iter().filter(|source| source.room() == *room).any(|source| {
                    source.paths.iter().any(|path| inside(&path.segments, path.kind).is_some_and(|to| to.0 == *target))
                });
                if !walked {
                    unused.push(format!("{room} -> {target} is permitted, but nothing goes there"));
                }
            }
        }
        tree::hold(unused);
    }

    #[test]
    fn the_engine_may_not_reach_for_what_stands_on_it() {
        for room in ["http", "pipelines", "storage", "azure", "git", "config", "app", "triggers", "dev"] {
            assert_eq!(found("src/engine/x.rs", &format!("use crate::{room}::X;")).len(), 1, "{room}");
        }
        assert!(found("src/engine/x.rs", "use crate::model::Run; use super::rows;").is_empty());
    }

    #[test]
    fn http_and_triggers_may_not_know_each_other() {
        assert_eq!(found("src/http/x.rs", "fn f() { crate::triggers::router() }").len(), 1);
        assert_eq!(found("src/triggers/mod.rs", "use super::http::error;").len(), 1);
    }

    #[test]
    fn nothing_may_know_dev() {
        for room in ["app", "http", "engine", "storage", "config"] {
            assert_eq!(found(&format!("src/{room}/x.rs"), "use crate::dev::host;").len(), 1, "{room}");
        }
        assert_eq!(found("src/main.rs", "use windlass::dev::host;").len(), 1);
        assert!(found("src/bin/windlass-dev.rs", "use windlass::dev::host;").is_empty());
    }

    #[test]
    fn storage_sees_the_engines_ports_and_no_more_of_it() {
        assert!(found("src/storage/x.rs", "use crate::engine::ports::RunStore;").is_empty());
        assert_eq!(found("src/storage/x.rs", "use crate::engine::transition::apply;").len(), 1);
    }

    #[test]
    fn a_client_of_an_outside_system_knows_nothing_of_ours_but_the_model() {
        for room in ["azure", "git"] {
            assert!(found(&format!("src/{room}/x.rs"), "use crate::model::redact;").is_empty());
            assert_eq!(found(&format!("src/{room}/x.rs"), "use crate::engine::PhaseError;").len(), 1);
        }
    }

    #[test]
    fn a_new_room_must_be_given_its_arrows() {
        assert_eq!(found("src/kitchen/mod.rs", "use crate::model::Run;").len(), 1);
    }
}
