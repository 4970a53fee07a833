//! Queues, tables and containers: those of the code, no more and no fewer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::bicep::{Expression, File};
use super::evaluate::Scope;
use super::{Infrastructure, MAIN, STORAGE};
use crate::app::stores;
use crate::pipelines::SPECS;

const PACKAGE: &str = "the-package";

/// A name for what is made, the type that makes it.
const KINDS: &[(&str, &str)] = &[
    ("queue", "Microsoft.Storage/storageAccounts/queueServices/queues"),
    ("table", "Microsoft.Storage/storageAccounts/tableServices/tables"),
    ("container", "Microsoft.Storage/storageAccounts/blobServices/containers"),
];

pub fn faults(infrastructure: &Infrastructure) -> Vec<String> {
    let file = infrastructure.file(STORAGE);
    let mut faults = families(infrastructure);
    for (what, kind) in KINDS {
        match made(infrastructure, file, kind) {
            Ok(made) => faults.extend(differences(what, &made, &needed(infrastructure, what))),
            Err(fault) => faults.push(fault),
        }
    }
    faults
}

/// What the code needs.
fn needed(infrastructure: &Infrastructure, what: &str) -> Vec<String> {
    match what {
        "queue" => stores::queues(SPECS),
        "table" => vec![infrastructure.registry.table.clone()],
        _ => stores::containers(SPECS).into_iter().chain([PACKAGE]).map(str::to_owned).collect(),
    }
}

/// The names that the resources of a type come to.
pub fn made(infrastructure: &Infrastructure, file: &File, kind: &str) -> Result<Vec<String>, String> {
    let given = BTreeMap::from([("packageContainer".to_owned(), json!(PACKAGE))]);
    let scope = Scope { root: &infrastructure.root, file, given };
    let mut names = Vec::new();
    for resource in file.of_type(kind) {
        let one = &resource.declared;
        let plain = one.body.property("name").and_then(Expression::as_text);
        match (&one.each, one.body.property("name"), &one.condition) {
            (Some(each), Some(Expression::Name(name)), None) if each.names.first() == Some(name) => {
                names.extend(scope.texts(&each.over)?);
            }
            (None, _, None) if plain.is_some() => names.extend(plain),
            _ => return Err(format!("{}: it cannot be told what {} makes", file.path, one.name)),
        }
    }
    Ok(names)
}

fn differences(what: &str, made: &[String], needed: &[String]) -> Vec<String> {
    let (distinct, wanted): (BTreeSet<_>, BTreeSet<_>) = (made.iter().collect(), needed.iter().collect());
    let missing = wanted.difference(&distinct).map(|name| format!("{STORAGE}: the {what} {name} is not made"));
    let extra = distinct.difference(&wanted).map(|name| format!("{STORAGE}: the code knows no {what} {name}"));
    let twice = distinct.iter().filter(|name| made.iter().filter(|one| one == *name).count() > 1);
    missing.chain(extra).chain(twice.map(|name| format!("{STORAGE}: the {what} {name} is made twice"))).collect()
}

/// The families that may be named, and those that are in use unless somebody says otherwise.
fn families(infrastructure: &Infrastructure) -> Vec<String> {
    let known: Vec<_> = infrastructure.registry.families.iter().map(|family| family.name).collect();
    let parameter = infrastructure.file(MAIN).parameters.iter().find(|parameter| parameter.name == "pipelines");
    let names = |list: Option<&Expression>| {
        let Some(Expression::Array(list)) = list else { return BTreeSet::new() };
        list.iter().filter_map(Expression::as_text).collect::<BTreeSet<_>>()
    };
    let allowed = names(parameter.and_then(|parameter| parameter.allowed.as_ref()));
    let default = names(parameter.and_then(|parameter| parameter.default.as_ref()));
    let wanted: BTreeSet<_> = known.iter().map(|name| (*name).to_owned()).collect();
    let mut faults = Vec::new();
    if allowed != wanted {
        faults.push(format!("{MAIN}: pipelines may be {allowed:?}, but the families are {wanted:?}"));
    }
    faults.extend(
        default
            .difference(&wanted)
            .map(|name| format!("{MAIN}: by default there is a family {name}, which the code does not know")),
    );
    faults
}
