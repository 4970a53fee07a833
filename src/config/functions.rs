//! Functions that are switched off. The Functions host reads these settings and passes them on: the handler has to know
//! to whom nothing is delivered.

use super::environment::Environment;
use super::reader::Reader;

/// A function that its host does not trigger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SwitchedOff {
    pub function: String,
    /// The setting that says so.
    pub setting: String,
}

/// What stands before and behind a function's name. Where the system takes no dots in names, the platform writes `_`.
const SPELLINGS: &[(&str, &str)] = &[("AzureWebJobs.", ".Disabled"), ("AzureWebJobs_", "_Disabled")];
/// What resembles other settings with levels, and is read by nobody.
const MISSPELLING: (&str, &str) = ("AzureWebJobs__", "__Disabled");

pub(super) fn load(environment: &dyn Environment, reader: &mut Reader<'_>) -> Vec<SwitchedOff> {
    let mut names = environment.names();
    names.sort();
    let mut found = Vec::new();
    for setting in names {
        if let Some(function) = between(&setting, MISSPELLING) {
            reader.warn(format!(
                "{} is set, but the Functions host knows no such name, and the function runs: name it \
                 AzureWebJobs.{}.Disabled",
                setting.escape_debug(),
                function.escape_debug()
            ));
            continue;
        }
        let Some(function) = SPELLINGS.iter().find_map(|spelling| between(&setting, *spelling)) else { continue };
        let value = environment.get(&setting).unwrap_or_default();
        if is_yes(&value) {
            found.push(SwitchedOff { function: function.to_owned(), setting });
        } else if !is_no(&value) {
            let shown: String = value.chars().take(20).collect();
            reader.warn(format!(
                "{} is '{}', which the Functions host takes for false, and the function runs: give true or false",
                setting.escape_debug(),
                shown.escape_debug()
            ));
        }
    }
    found
}

/// As the host has it: nothing else counts, not even these with a blank around them.
fn is_yes(value: &str) -> bool {
    value.eq_ignore_ascii_case("true") || value == "1"
}

fn is_no(value: &str) -> bool {
    value.is_empty() || value.eq_ignore_ascii_case("false") || value == "0"
}

/// Names are compared without case, as the host does.
fn between<'a>(name: &'a str, (beginning, end): (&str, &str)) -> Option<&'a str> {
    let start = name.get(..beginning.len())?;
    let rest = name.get(beginning.len()..)?;
    let at = rest.len().checked_sub(end.len())?;
    let (function, tail) = (rest.get(..at)?, rest.get(at..)?);
    let fits = start.eq_ignore_ascii_case(beginning) && tail.eq_ignore_ascii_case(end);
    (fits && !function.is_empty()).then_some(function)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let environment: BTreeMap<String, String> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut reader = Reader::new(&environment);
        let off = load(&environment, &mut reader);
        (off.into_iter().map(|off| off.function).collect(), reader.warnings)
    }

    #[test]
    fn a_function_is_off_by_true_or_1_in_both_spellings_of_the_host() {
        let (off, warnings) = read(&[
            ("AzureWebJobs.upgrade_start.Disabled", "true"),
            ("AzureWebJobs_upgrade_building_Disabled", "1"),
            ("azurewebjobs.upgrade_status.disabled", "True"),
            ("AzureWebJobs.runs.Disabled", "false"),
            ("AzureWebJobs.health.Disabled", "0"),
            ("AzureWebJobs.probe_start.Disabled", ""),
            ("AzureWebJobsStorage", "a=b"),
            ("AzureWebJobs.Disabled", "true"),
        ]);
        assert_eq!(off, ["upgrade_start", "upgrade_building", "upgrade_status"]);
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn what_the_host_does_not_take_for_true_is_told_and_switches_nothing_off() {
        let (off, warnings) = read(&[
            ("AzureWebJobs.a.Disabled", "yes"),
            ("AzureWebJobs.b.Disabled", " true"),
            ("AzureWebJobs__c__Disabled", "true"),
        ]);
        assert_eq!(off, Vec::<String>::new());
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        assert!(warnings[2].contains("AzureWebJobs.c.Disabled"), "{warnings:?}");
    }
}
