//! The template of an app: which images it names, what it becomes for another version, and how two of them differ.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::pipelines::upgrade::Component;

const SUFFIX: &str = "revisionSuffix";
const CONTAINERS: &str = "containers";
/// The fields whose items are containers.
const LISTS: [&str; 2] = [CONTAINERS, "initContainers"];

/// One difference between two templates.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Difference {
    /// As a JSON pointer, with a container's name in place of its index.
    pub path: String,
    /// Null: it was not there.
    pub from: Value,
    /// Null: it is not there any more.
    pub to: Value,
}

/// An image's name in its parts: `<registry>/<repository>:<tag>` or `…@<digest>`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageName<'a> {
    pub registry: &'a str,
    pub repository: &'a str,
    /// A tag or a digest.
    pub reference: &'a str,
}

impl<'a> ImageName<'a> {
    /// `None` for a name without a registry.
    pub fn parse(name: &'a str) -> Option<Self> {
        let (registry, rest) = name.split_once('/')?;
        if !registry.contains(['.', ':']) && registry != "localhost" {
            return None;
        }
        let (repository, reference) = match rest.split_once('@') {
            Some((named, digest)) => (named.split_once(':').map_or(named, |(repository, _)| repository), digest),
            None => rest.rsplit_once(':').unwrap_or((rest, "latest")),
        };
        (!repository.is_empty() && !reference.is_empty()).then_some(Self { registry, repository, reference })
    }
}

/// What is compared and kept of a template: without nulls, which would delete, and without the suffix, which names the
/// revision that it made.
pub fn kept(template: &Value) -> Value {
    let mut kept = without_nulls(template);
    if let Value::Object(fields) = &mut kept {
        fields.remove(SUFFIX);
    }
    kept
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| (name.clone(), without_nulls(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        plain => plain.clone(),
    }
}

fn list<'a>(template: &'a Value, name: &str) -> &'a [Value] {
    template.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(container: &'a Value, field: &str) -> &'a str {
    container.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Every container's image by the container's name, those that only initialise included.
pub fn images(template: &Value) -> BTreeMap<String, String> {
    let containers = LISTS.iter().flat_map(|name| list(template, name));
    containers.map(|container| (text(container, "name").to_owned(), text(container, "image").to_owned())).collect()
}

/// As [`images`], without the containers that only initialise.
pub fn running(template: &Value) -> BTreeMap<String, String> {
    let containers = list(template, CONTAINERS).iter();
    containers.map(|container| (text(container, "name").to_owned(), text(container, "image").to_owned())).collect()
}

/// The template with every container of a component on that component's image of `tag`. A container belongs to the
/// component whose repository its image is from; every other container stays as it is.
pub fn retargeted(template: &Value, components: &[Component], registry: &str, tag: &str) -> Value {
    let mut target = template.clone();
    for name in LISTS {
        let Some(containers) = target.get_mut(name).and_then(Value::as_array_mut) else { continue };
        for container in containers {
            let component = component_of(text(container, "image"), components, registry);
            if let (Some(component), Value::Object(fields)) = (component, &mut *container) {
                let image = format!("{registry}/{}:{tag}", component.image);
                fields.insert("image".to_owned(), Value::String(image));
            }
        }
    }
    target
}

/// Gives every container that is named its image.
pub fn set_images(template: &mut Value, images: &BTreeMap<String, String>) {
    for name in LISTS {
        let Some(containers) = template.get_mut(name).and_then(Value::as_array_mut) else { continue };
        for container in containers {
            let image = images.get(text(container, "name")).cloned();
            if let (Some(image), Value::Object(fields)) = (image, container) {
                fields.insert("image".to_owned(), Value::String(image));
            }
        }
    }
}

fn component_of<'a>(image: &str, components: &'a [Component], registry: &str) -> Option<&'a Component> {
    let name = ImageName::parse(image)?;
    components
        .iter()
        .find(|component| component.image == name.repository && name.registry.eq_ignore_ascii_case(registry))
}

/// The components of which no container runs the image: an upgrade would change nothing of them.
pub fn unused<'a>(template: &Value, components: &'a [Component], registry: &str) -> Vec<&'a str> {
    let images = images(template);
    let runs = |component: &&Component| {
        images
            .values()
            .any(|image| component_of(image, components, registry).is_some_and(|found| found.name == component.name))
    };
    components.iter().filter(|component| !runs(component)).map(|component| component.name.as_str()).collect()
}

/// The registry that the components' images seem to come from.
pub fn registry(template: &Value, components: &[Component]) -> Option<String> {
    let images = images(template);
    let mut names = images.values().filter_map(|image| ImageName::parse(image));
    let of_component = |name: &ImageName<'_>| components.iter().any(|component| component.image == name.repository);
    names.find(of_component).map(|name| name.registry.to_owned())
}

/// The version that the app runs: the tag that all containers of components agree on, without its `v`.
pub fn version(template: &Value, components: &[Component], registry: &str) -> Option<String> {
    let images = images(template);
    let mut tags = images.values().filter_map(|image| {
        component_of(image, components, registry)?;
        ImageName::parse(image)?.reference.strip_prefix('v').map(str::to_owned)
    });
    let first = tags.next()?;
    tags.all(|tag| tag == first).then_some(first)
}

/// The fewest replicas that the app is to have; the platform's own default is none.
pub fn min_replicas(template: &Value) -> u64 {
    template.pointer("/scale/minReplicas").and_then(Value::as_u64).unwrap_or_default()
}

/// What to merge into an app with template `from` to give it template `to`: every field of `to` whole, and a null for
/// each that has to go. A list is always sent whole, because a merge replaces it.
pub fn change(from: &Value, to: &Value, suffix: &str) -> Value {
    let mut change = merge(&kept(from), &kept(to));
    if let Value::Object(fields) = &mut change {
        // The stored suffix would be used again, and refused.
        fields.insert(SUFFIX.to_owned(), Value::String(suffix.to_owned()));
    }
    change
}

fn merge(from: &Value, to: &Value) -> Value {
    let (Value::Object(from), Value::Object(to)) = (from, to) else { return to.clone() };
    let mut merged: Map<String, Value> = to
        .iter()
        .map(|(name, value)| (name.clone(), from.get(name).map_or_else(|| value.clone(), |old| merge(old, value))))
        .collect();
    for name in from.keys().filter(|name| !to.contains_key(*name)) {
        merged.insert(name.clone(), Value::Null);
    }
    Value::Object(merged)
}

/// Every difference that a person would want to see, in the order of paths.
pub fn differences(from: &Value, to: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("/template", Some(&kept(from)), Some(&kept(to)), &mut found);
    found
}

fn compare(path: &str, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<Difference>) {
    match (from, to) {
        (from, to) if from == to => {}
        (Some(Value::Object(from)), Some(Value::Object(to))) => {
            let names: std::collections::BTreeSet<&String> = from.keys().chain(to.keys()).collect();
            for name in names {
                compare(&format!("{path}/{name}"), from.get(name), to.get(name), found);
            }
        }
        (Some(Value::Array(from)), Some(Value::Array(to))) if named(from).is_some() && named(to).is_some() => {
            let (from, to) = (named(from).unwrap_or_default(), named(to).unwrap_or_default());
            let names: std::collections::BTreeSet<&str> = from.keys().chain(to.keys()).copied().collect();
            for name in names {
                compare(&format!("{path}/{name}"), from.get(name).copied(), to.get(name).copied(), found);
            }
        }
        (from, to) => found.push(Difference {
            path: path.to_owned(),
            from: from.cloned().unwrap_or_default(),
            to: to.cloned().unwrap_or_default(),
        }),
    }
}

/// The items by their names, if all have one.
fn named(items: &[Value]) -> Option<BTreeMap<&str, &Value>> {
    items.iter().map(|item| item.get("name").and_then(Value::as_str).map(|name| (name, item))).collect()
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
