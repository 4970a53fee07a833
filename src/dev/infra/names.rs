//! Whether every name is declared, described and used.

use super::Infrastructure;
use super::bicep::{Expression, File};

pub fn faults(infrastructure: &Infrastructure) -> Vec<String> {
    infrastructure
        .files
        .iter()
        .flat_map(|file| undescribed(file).into_iter().chain(unused(file)).chain(unknown(file)))
        .collect()
}

fn undescribed(file: &File) -> Vec<String> {
    let parameters = file.parameters.iter().map(|one| ("parameter", &one.name, &one.description));
    let outputs = file.outputs.iter().map(|one| ("output", &one.name, &one.description));
    let silent = |text: &Option<String>| text.as_ref().is_none_or(|text| text.trim().is_empty());
    let found = parameters.chain(outputs).filter(|(_, _, description)| silent(description));
    found.map(|(what, name, _)| format!("{}: the {what} {name} has no description", file.path)).collect()
}

/// Parameters, variables and resources that are only looked up serve something.
fn unused(file: &File) -> Vec<String> {
    let mut used: Vec<String> = file.expressions().into_iter().flat_map(Expression::free_names).collect();
    let nested = file.expressions().into_iter().flat_map(Expression::all);
    used.extend(nested.filter_map(|one| if let Expression::Nested(_, name) = one { Some(name.clone()) } else { None }));
    let parameters = file.parameters.iter().map(|one| ("parameter", &one.name));
    let variables = file.variables.iter().map(|(name, _)| ("variable", name));
    let looked_up = file.resources.iter().filter(|resource| resource.existing);
    let looked_up = looked_up.map(|resource| ("existing resource", &resource.declared.name));
    let unused = parameters.chain(variables).chain(looked_up).filter(|(_, name)| !used.contains(name));
    unused.map(|(what, name)| format!("{}: nothing uses the {what} {name}", file.path)).collect()
}

fn unknown(file: &File) -> Vec<String> {
    let declared: Vec<&String> = (file.parameters.iter().map(|one| &one.name))
        .chain(file.variables.iter().map(|(name, _)| name))
        .chain(file.resources.iter().map(|resource| &resource.declared.name))
        .chain(file.modules.iter().map(|module| &module.name))
        .collect();
    let mut found: Vec<String> = Vec::new();
    let top =
        file.parameters.iter().flat_map(|one| one.default.iter().chain(&one.allowed)).map(|value| (value, &[][..]));
    let plain = file.variables.iter().map(|(_, value)| value).chain(file.outputs.iter().map(|output| &output.value));
    let bodies = file.resources.iter().map(|resource| &resource.declared).chain(&file.modules).flat_map(|one| {
        let names = one.each.as_ref().map_or(&[][..], |each| each.names.as_slice());
        let outside = one.condition.iter().chain(one.each.iter().map(|each| &each.over));
        outside.map(|value| (value, &[][..])).chain([(&one.body, names)])
    });
    for (expression, bound) in top.chain(plain.map(|value| (value, &[][..]))).chain(bodies) {
        let names = expression.free_names().into_iter();
        found.extend(names.filter(|name| !declared.contains(&name) && !bound.contains(name)));
    }
    found.sort();
    found.dedup();
    found.into_iter().map(|name| format!("{}: nothing declares {name}", file.path)).collect()
}
