//! `infra/app/registry.json`: what the infrastructure has to know of the code, generated from it. Bicep loads it, so that a
//! pipeline is added to the code alone.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::app::stores;
use crate::config::SETTINGS;
use crate::engine::PipelineSpec;
use crate::http::routes;
use crate::triggers::Function;

pub const FILE: &str = "infra/app/registry.json";

/// Which settings a family reads that others do not, by the beginning of their names.
const OWNED: &[(&str, &str)] = &[("UPGRADE_", "upgrade"), ("PLATFORM_", "upgrade")];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Registry {
    pub table: String,
    pub containers: Vec<&'static str>,
    /// Those of them that hold logs of runs.
    pub log_containers: BTreeSet<&'static str>,
    /// Functions that all families need.
    pub functions: Vec<String>,
    pub families: Vec<Family>,
    pub settings: Vec<Entry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Family {
    pub name: &'static str,
    pub pipelines: Vec<&'static str>,
    pub functions: Vec<String>,
    pub queues: Vec<String>,
    pub poison_queues: Vec<String>,
    pub containers: BTreeSet<&'static str>,
    /// The settings that it reads and others do not.
    pub settings: Vec<&'static str>,
}

#[derive(Serialize)]
pub struct Entry {
    pub name: &'static str,
    pub secret: bool,
}

impl Registry {
    pub fn of(specs: &[&'static PipelineSpec]) -> Self {
        let families: BTreeSet<_> = specs.iter().map(|spec| spec.family).collect();
        let families: Vec<_> = families.into_iter().map(|name| Family::of(name, specs)).collect();
        let shared = http_functions(None)
            .chain(others(specs).filter(|name| !families.iter().any(|family| family.functions.contains(name))));
        Self {
            table: default("WINDLASS_TABLE"),
            containers: stores::containers(specs),
            log_containers: specs.iter().map(|spec| spec.logs).collect(),
            functions: shared.collect(),
            settings: SETTINGS.iter().map(|setting| Entry { name: setting.name, secret: setting.secret }).collect(),
            families,
        }
    }

    pub fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("a registry is plain data");
        text.push('\n');
        text
    }
}

impl Family {
    fn of(name: &'static str, specs: &[&'static PipelineSpec]) -> Self {
        let specs: Vec<_> = specs.iter().copied().filter(|spec| spec.family == name).collect();
        // The sweep is nobody's own: it is there without a pipeline, too.
        let shared: Vec<_> = others(&[]).collect();
        let own = others(&specs).filter(|name| !shared.contains(name));
        let functions: BTreeSet<_> = http_functions(Some(name)).chain(own).collect();
        let listening = |poison: bool| {
            let listeners = Function::of(&specs).into_iter().map(|(_, function)| function);
            listeners
                .filter(move |function| matches!(function, Function::Poison { .. }) == poison)
                .filter_map(|function| function.queue())
                .collect()
        };
        let owned = |setting: &str| OWNED.iter().any(|(prefix, family)| *family == name && setting.starts_with(prefix));
        Self {
            name,
            pipelines: specs.iter().map(|spec| spec.name).collect(),
            functions: functions.into_iter().collect(),
            queues: listening(false),
            poison_queues: listening(true),
            containers: specs.iter().map(|spec| spec.logs).collect(),
            settings: SETTINGS.iter().map(|setting| setting.name).filter(|name| owned(name)).collect(),
        }
    }
}

fn http_functions(family: Option<&'static str>) -> impl Iterator<Item = String> {
    routes::FUNCTIONS.iter().filter(move |function| function.family == family).map(|function| function.name.to_owned())
}

fn others(specs: &[&PipelineSpec]) -> impl Iterator<Item = String> + use<> {
    Function::of(specs).into_iter().map(|(name, _)| name)
}

fn default(name: &str) -> String {
    let setting = SETTINGS.iter().find(|setting| setting.name == name);
    setting.and_then(|setting| setting.default).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipelines::{SPECS, probe, upgrade};

    #[test]
    fn every_function_is_in_one_place() {
        let registry = Registry::of(SPECS);
        let listed: Vec<_> =
            registry.families.iter().flat_map(|family| &family.functions).chain(&registry.functions).collect();
        let distinct: BTreeSet<_> = listed.iter().map(|name| name.as_str()).collect();
        let all = others(SPECS).chain(routes::FUNCTIONS.iter().map(|function| function.name.to_owned()));
        assert_eq!(distinct, all.collect::<Vec<_>>().iter().map(String::as_str).collect());
        assert_eq!(listed.len(), distinct.len(), "one stands in two places");
        assert_eq!(registry.functions, ["health", "runs", "windlass_sweep"], "these are never switched off");
    }

    #[test]
    fn pipelines_of_one_family_are_in_use_together() {
        let registry = Registry::of(SPECS);
        let family = registry.families.iter().find(|family| family.name == "upgrade").unwrap();
        assert_eq!(family.pipelines, ["upgrade", "rollback", "retention"]);
        for name in ["rollback_rolling_back", "retention_pruning_poison", "upgrade_check", "upgrade_views"] {
            assert!(family.functions.iter().any(|function| function == name), "{name}");
        }
        assert!(family.settings.contains(&"PLATFORM_ACR_NAME") && !family.settings.contains(&"WINDLASS_TABLE"));
    }

    #[test]
    fn a_route_of_a_family_without_a_pipeline_is_nobodys() {
        let known: BTreeSet<_> = [probe::SPEC.family, upgrade::SPEC.family].into();
        let families: BTreeSet<_> = routes::FUNCTIONS.iter().filter_map(|function| function.family).collect();
        assert!(families.is_subset(&known), "{families:?}");
    }
}
