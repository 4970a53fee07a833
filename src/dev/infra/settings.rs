//! The app settings that a deployment comes to, held against the configuration that reads them.
//!
//! They are evaluated for several deployments and then loaded as the handler loads them, so that a deployment does not end
//! with a handler that refuses to start.

use std::collections::{BTreeMap, BTreeSet};

use super::deployments::{AppSettings, Given, IN_THE_CLEAR, NOT_SET, OF_THE_HOST, REFERENCE};
use super::deployments::{evaluate, everything, left_out, not_to_be_given, sample, slips};
use super::{FUNCTION, Infrastructure};
use crate::app::functions;
use crate::config::{Config, Fault, SETTINGS};

pub fn faults(infrastructure: &Infrastructure) -> Vec<String> {
    let families: Vec<_> = infrastructure.registry.families.iter().map(|family| family.name).collect();
    let mut faults = Vec::new();
    let nothing = || Given { pipelines: families.clone(), ..Given::default() };
    let checks = [
        (nothing(), "with nothing given"),
        (Given { whole: true, ..nothing() }, "with callers and platform named"),
        (slips(families.clone()), "with what is not to get through"),
        (everything(families.clone()), "with everything given"),
        (Given::default(), "without pipelines"),
    ];
    for (given, when) in &checks {
        match evaluate(infrastructure, given) {
            Ok(settings) => {
                faults.extend(strange(infrastructure, &settings));
                faults.extend(disabled(infrastructure, given, &settings));
                faults.extend(arrived(given, &settings));
                faults.extend(told(infrastructure, given, &settings));
                faults.extend(refused(&settings, when));
            }
            Err(fault) => faults.push(fault),
        }
    }
    faults.extend(unreachable());
    faults.sort();
    faults.dedup();
    faults
}

/// Names that nobody reads.
fn strange(infrastructure: &Infrastructure, settings: &AppSettings) -> Vec<String> {
    let functions: BTreeSet<_> =
        infrastructure.registry.families.iter().flat_map(|family| &family.functions).map(|name| switch(name)).collect();
    let known = |name: &String| {
        SETTINGS.iter().any(|setting| setting.name == name)
            || OF_THE_HOST.iter().any(|(known, _)| known == name)
            || functions.contains(name)
    };
    let fits = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
    let unknown = settings
        .keys()
        .filter(|name| !known(name))
        .map(|name| format!("{FUNCTION}: it sets {name}, which nobody reads"));
    let ill = settings
        .keys()
        .filter(|name| !fits(name))
        .map(|name| format!("{FUNCTION}: Linux takes no setting of the name {name}"));
    let never = NOT_SET.iter().filter(|(name, _)| settings.contains_key(*name));
    unknown.chain(ill).chain(never.map(|(name, why)| format!("{FUNCTION}: it sets {name}, though {why}"))).collect()
}

fn switch(function: &str) -> String {
    format!("AzureWebJobs.{function}.Disabled")
}

/// Functions of families that are not in use are disabled, the others are not.
fn disabled(infrastructure: &Infrastructure, given: &Given, settings: &AppSettings) -> Vec<String> {
    let mut faults = Vec::new();
    for family in &infrastructure.registry.families {
        let used = given.pipelines.contains(&family.name);
        for function in &family.functions {
            match (used, settings.get(&switch(function)).map(String::as_str)) {
                (true, None) | (false, Some("true")) => {}
                (true, Some(_)) => {
                    faults.push(format!("{FUNCTION}: {function} is disabled though {} is in use", family.name))
                }
                (false, _) => {
                    faults.push(format!("{FUNCTION}: {function} is not disabled though {} is not in use", family.name))
                }
            }
        }
    }
    faults
}

/// What is given arrives, secrets as references alone, and nothing in place of the app's own.
fn arrived(given: &Given, settings: &AppSettings) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, value) in &given.settings {
        let is_secret = SETTINGS.iter().any(|setting| setting.name == name && setting.secret);
        match settings.get(name) {
            Some(set) if set == IN_THE_CLEAR && is_secret => {
                faults.push(format!("{FUNCTION}: it sets the secret {name} in the clear"));
            }
            Some(set) if set == IN_THE_CLEAR => {
                let why = not_to_be_given(name).unwrap_or("it is the app's own");
                faults.push(format!("{FUNCTION}: {name} can be given, though {why}"));
            }
            None if value != IN_THE_CLEAR => faults.push(format!("{FUNCTION}: {name} cannot be given")),
            _ => {}
        }
    }
    for (name, uri) in &given.secret_uris {
        match settings.get(name) {
            Some(set) if not_to_be_given(name).is_some() && set.contains(uri.as_str()) => {
                faults.push(format!("{FUNCTION}: {name} can be given by a secret's URI"));
            }
            Some(set) if *set == format!("{REFERENCE}{uri})") && uri.starts_with("https://") => {}
            Some(set) if set.contains(uri.as_str()) => {
                faults.push(format!("{FUNCTION}: {name} is given something that is no secret's URI, and sets it"))
            }
            None if uri.starts_with("https://") && not_to_be_given(name).is_none() => {
                faults.push(format!("{FUNCTION}: {name} cannot be given by a secret's URI"))
            }
            _ => {}
        }
    }
    faults
}

/// The output names what was left out, all of it and nothing else.
fn told(infrastructure: &Infrastructure, given: &Given, settings: &AppSettings) -> Vec<String> {
    let secret = |name: &str| SETTINGS.iter().any(|setting| setting.name == name && setting.secret);
    let plain = given.settings.keys().filter(|name| secret(name) || not_to_be_given(name).is_some());
    let uris = given.secret_uris.iter();
    let uris = uris.filter(|(name, uri)| not_to_be_given(name).is_some() || !uri.starts_with("https://"));
    let wanted: BTreeSet<_> = plain.chain(uris.map(|(name, _)| name)).cloned().collect();
    match left_out(infrastructure, given) {
        Ok(told) => {
            let silent = wanted.difference(&told).map(|name| format!("{FUNCTION}: leftOut does not name {name}"));
            let wrong = told.difference(&wanted).filter(|name| settings.contains_key(*name));
            silent.chain(wrong.map(|name| format!("{FUNCTION}: leftOut names {name}, which is set"))).collect()
        }
        Err(fault) => vec![fault],
    }
}

/// The settings as the handler finds them, and what it says to them.
fn refused(settings: &AppSettings, when: &str) -> Vec<String> {
    let resolved = |name: &String, value: &String| match SETTINGS.iter().find(|setting| setting.name == name) {
        Some(setting) if value.starts_with(REFERENCE) => sample(setting),
        _ => value.clone(),
    };
    let mut environment: BTreeMap<_, _> =
        settings.iter().map(|(name, value)| (name.clone(), resolved(name, value))).collect();
    environment.insert("FUNCTIONS_CUSTOMHANDLER_PORT".to_owned(), "40000".to_owned());
    environment.insert("IDENTITY_ENDPOINT".to_owned(), "http://127.0.0.1:41000/msi/token".to_owned());
    let said = match Config::load(&environment) {
        Ok(config) => config.warnings.iter().cloned().chain(functions::warnings(&config)).collect(),
        Err(refusal) => {
            let told = |fault: &Fault| format!("the handler would not start: {} {}", fault.setting, fault.problem);
            refusal.faults.iter().map(told).collect::<Vec<_>>()
        }
    };
    said.into_iter().map(|said| format!("{FUNCTION}, {when}: {said}")).collect()
}

/// The lists above name settings that exist.
fn unreachable() -> Vec<String> {
    let exists = |name: &str| SETTINGS.iter().any(|setting| setting.name == name);
    NOT_SET
        .iter()
        .filter(|(name, _)| !exists(name))
        .map(|(name, _)| format!("there is no setting {name} that a deployment could leave unset"))
        .collect()
}
