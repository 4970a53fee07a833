//! Whether alerts see what arrives late.

use super::Infrastructure;
use super::bicep::Expression;

const RULES: &str = "Microsoft.Insights/scheduledQueryRules";
/// What is recorded once. The others are told again and again for as long as they last.
const ONCE: &[&str] = &["failed-runs", "poison"];

pub fn faults(infrastructure: &Infrastructure) -> Vec<String> {
    let mut faults = Vec::new();
    for file in &infrastructure.files {
        let every = file.of_type(RULES).filter_map(|rule| rule.declared.body.at("properties.evaluationFrequency"));
        for every in every {
            let tables = file.variables.iter().flat_map(|(_, value)| value.all());
            let once = tables.filter(|one| name(one).is_some_and(|name| ONCE.contains(&name.as_str())));
            let narrow = once.filter(|one| one.property("window") == Some(every)).filter_map(name);
            faults.extend(narrow.map(|name| {
                format!("{}: the window of {name} must be longer than the time between two looks", file.path)
            }));
        }
    }
    faults
}

fn name(one: &Expression) -> Option<String> {
    one.property("name")?.as_text()
}
