//! What functions that are switched off mean: to which queues nobody listens, and which settings say nothing.

use std::collections::BTreeMap;

use crate::config::{Config, SwitchedOff, nearest};
use crate::engine::PipelineSpec;
use crate::http::routes::FUNCTIONS;
use crate::pipelines::SPECS;
use crate::triggers::{Function, SWEEP};

/// By queue, why no delivery comes from it.
pub fn closed(config: &Config) -> BTreeMap<String, String> {
    let phases = Function::of(SPECS).into_iter().filter_map(|(name, function)| match function {
        Function::Phase { queue } => Some((queue, why(config, &name)?)),
        Function::Poison { .. } | Function::Sweep | Function::Timer { .. } => None,
    });
    phases.collect()
}

/// What is likely not meant, one line each.
pub fn warnings(config: &Config) -> Vec<String> {
    let strangers = config.switched_off.iter().filter_map(stranger);
    let sweep = why(config, SWEEP).map(|why| format!("nothing that was lost on its way is picked up again: {why}"));
    strangers.chain(sweep).chain(SPECS.iter().filter_map(|spec| in_part(config, spec))).collect()
}

/// The name of no function.
fn stranger(off: &SwitchedOff) -> Option<String> {
    let triggered = Function::of(SPECS);
    let known =
        || triggered.iter().map(|(name, _)| name.as_str()).chain(FUNCTIONS.iter().map(|function| function.name));
    if known().any(|name| name.eq_ignore_ascii_case(&off.function)) {
        return None;
    }
    let meant = nearest(&off.function, known()).map(|name| format!("; did you mean {name}?"));
    let (setting, function) = (off.setting.escape_debug(), off.function.escape_debug());
    Some(format!("{setting} switches nothing off: there is no function {function}{}", meant.unwrap_or_default()))
}

/// A pipeline of which some phases are worked in and others are not.
fn in_part(config: &Config, spec: &PipelineSpec) -> Option<String> {
    let closed = closed(config);
    let reasons: Vec<_> = spec.phases.iter().filter_map(|phase| closed.get(&spec.queue(phase.name)).cloned()).collect();
    let part = !reasons.is_empty() && reasons.len() < spec.phases.len();
    part.then(|| format!("the pipeline {} cannot be started: {}", spec.name, reasons.join("; ")))
}

fn why(config: &Config, function: &str) -> Option<String> {
    let off = config.switched_off.iter().find(|off| off.function.eq_ignore_ascii_case(function))?;
    Some(format!("function {function} is switched off by the setting {}", off.setting))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipelines::{probe, upgrade};

    fn config(off: &[&str]) -> Config {
        let fixed = [("FUNCTIONS_CUSTOMHANDLER_PORT", "7"), ("AzureWebJobsStorage", "AccountName=a")];
        let off = off.iter().map(|name| (format!("AzureWebJobs.{name}.Disabled"), "true".to_owned()));
        let fixed = fixed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Config::load(&fixed.into_iter().chain(off).collect::<BTreeMap<_, _>>()).unwrap()
    }

    fn every_phase(spec: &PipelineSpec) -> Vec<String> {
        spec.phases.iter().map(|phase| spec.queue(phase.name).replace('-', "_")).collect()
    }

    #[test]
    fn a_phases_function_that_is_switched_off_closes_its_queue_and_no_other() {
        let config = config(&["upgrade_rolling_out", "Upgrade_Patching", "upgrade_building_poison", "upgrade_start"]);
        let closed = closed(&config);
        assert_eq!(closed.keys().collect::<Vec<_>>(), ["upgrade-patching", "upgrade-rolling-out"]);
        let expected =
            "function upgrade_rolling_out is switched off by the setting AzureWebJobs.upgrade_rolling_out.Disabled";
        assert_eq!(closed["upgrade-rolling-out"], expected);
    }

    #[test]
    fn a_pipeline_that_is_switched_off_whole_is_meant_so_and_one_in_part_is_told() {
        let mut off = every_phase(&probe::SPEC);
        off.extend(["health".to_owned(), "upgrade_status".to_owned()]);
        let whole = config(&off.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(warnings(&whole), Vec::<String>::new());
        let part = warnings(&config(&[&every_phase(&upgrade::SPEC)[1]]));
        assert!(part.len() == 1 && part[0].contains("upgrade cannot be started"), "{part:?}");
    }

    #[test]
    fn a_name_of_no_function_is_told_with_the_one_that_was_likely_meant() {
        let told = warnings(&config(&["upgrade_bulding", "upgrade-building", "something_else", SWEEP]));
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[0].contains("something_else") && !told[0].contains("did you mean"), "{told:?}");
        assert!(told[1].contains("upgrade-building") && told[1].contains("did you mean upgrade_building?"), "{told:?}");
        assert!(told[2].contains("did you mean upgrade_building?"), "{told:?}");
        assert!(told[3].contains("windlass_sweep"), "{told:?}");
    }
}
