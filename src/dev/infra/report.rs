//! What the check has looked at, for whoever wants to see it.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::deployments::{self, Given};
use super::roles;
use super::{Infrastructure, STORAGE, stores};

pub fn report(infrastructure: &Infrastructure) -> String {
    let mut text = "files, parsed whole\n".to_owned();
    for file in infrastructure.files.iter().chain(&infrastructure.parameters) {
        let _ = writeln!(
            text,
            "  {:<28} {:>5} nodes, {} parameters, {} variables, {} resources, {} modules, {} outputs",
            file.path,
            file.nodes,
            file.parameters.len(),
            file.variables.len(),
            file.resources.len(),
            file.modules.len(),
            file.outputs.len()
        );
    }
    text.push_str("resources\n");
    let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in &infrastructure.files {
        for resource in &file.resources {
            kinds.entry(&resource.declared.what).or_default().push(if resource.existing { "existing" } else { "made" });
        }
    }
    for (kind, uses) in kinds {
        let made = uses.iter().filter(|one| **one == "made").count();
        let _ = writeln!(text, "  {kind}: {made} made, {} existing", uses.len() - made);
    }
    stored(infrastructure, &mut text);
    set(infrastructure, &mut text);
    text.push_str("roles\n");
    for line in roles::lines(infrastructure) {
        let family = if line.family.is_empty() { "all" } else { &line.family };
        let _ = writeln!(text, "  {} on {} for {family}: {}", line.name, line.scope, line.reason);
    }
    text
}

fn stored(infrastructure: &Infrastructure, text: &mut String) {
    let file = infrastructure.file(STORAGE);
    text.push_str("stores, equal to the code's lists\n");
    for what in ["queueServices/queues", "tableServices/tables", "blobServices/containers"] {
        let kind = format!("Microsoft.Storage/storageAccounts/{what}");
        let made = stores::made(infrastructure, file, &kind).unwrap_or_default();
        let _ = writeln!(text, "  {} {what}: {}", made.len(), made.join(", "));
    }
}

fn set(infrastructure: &Infrastructure, text: &mut String) {
    text.push_str("app settings\n");
    let families: Vec<_> = infrastructure.registry.families.iter().map(|family| family.name).collect();
    let given = Given { pipelines: families.clone(), whole: true, ..Given::default() };
    for name in deployments::evaluate(infrastructure, &given).unwrap_or_default().keys() {
        let why = deployments::OF_THE_HOST.iter().find(|(known, _)| known == name);
        let _ = writeln!(text, "  {name}{}", why.map_or(String::new(), |(_, why)| format!(" (the host's: {why})")));
    }
    for (name, why) in deployments::NOT_SET {
        let _ = writeln!(text, "  not set: {name}, {why}");
    }
    text.push_str("functions that are disabled without their family\n");
    for family in &infrastructure.registry.families {
        let _ = writeln!(
            text,
            "  {}: {} functions, {} settings of its own",
            family.name,
            family.functions.len(),
            family.settings.len()
        );
    }
    let _ = writeln!(text, "  never: {}", infrastructure.registry.functions.join(", "));
}
