//! Roles: those that the code's calls need, each once, each with its reason, each granted.

use std::collections::BTreeSet;

use regex::Regex;

use super::bicep::{Expression, File, Resource};
use super::{Infrastructure, RBAC};

/// A role that the identity needs.
pub struct Role {
    /// Built in, the same in every tenant.
    pub id: &'static str,
    pub name: &'static str,
    /// What it is granted on.
    pub scope: &'static str,
    /// The family of pipelines that needs it; empty: all of them.
    pub family: &'static str,
}

const fn role(name: &'static str, id: &'static str, scope: &'static str, family: &'static str) -> Role {
    Role { id, name, scope, family }
}

/// What the calls of the code and of the host need. `infra/app/rbac.bicep` grants the same and says why.
pub const NEEDED: &[Role] = &[
    role("Storage Blob Data Owner", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b", "storage", ""),
    role("Storage Queue Data Contributor", "974c5e8b-45b9-4653-ba55-5f855dd0fb88", "storage", ""),
    role("Storage Table Data Contributor", "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3", "storage", ""),
    role("Monitoring Metrics Publisher", "3913510d-42f4-4e42-8a64-420c390055eb", "insights", ""),
    role("Key Vault Secrets User", "4633458b-17de-408a-b874-0445c86b69e6", "keyVault", ""),
    role("Container Registry Tasks Contributor", "fb382eab-e894-4461-af04-94435c366c3f", "registry", "upgrade"),
    role("AcrPull", "7f951dda-4ed3-4680-a7ca-43fe172d538d", "registry", "upgrade"),
    role("AcrDelete", "c2f4ef07-c644-48eb-af81-4b1b4947fb11", "registry", "upgrade"),
    role("Container Apps Contributor", "358470bc-b998-42bd-ab17-a7e34c199c0f", "containerApp", "upgrade"),
];

const ASSIGNMENT: &str = "Microsoft.Authorization/roleAssignments";

/// A line of `roles` in rbac.bicep.
#[derive(PartialEq, Eq, PartialOrd, Ord, Clone, Debug)]
pub struct Line {
    pub name: String,
    pub role: String,
    pub scope: String,
    pub family: String,
    pub reason: String,
}

pub fn lines(infrastructure: &Infrastructure) -> Vec<Line> {
    let Some(Expression::Array(entries)) = infrastructure.file(RBAC).variable("roles") else { return Vec::new() };
    let of = |entry: &Expression, name: &str| entry.property(name).and_then(Expression::as_text).unwrap_or_default();
    let line = |entry| Line {
        name: of(entry, "name"),
        role: of(entry, "role"),
        scope: of(entry, "scope"),
        family: of(entry, "family"),
        reason: of(entry, "reason"),
    };
    entries.iter().map(line).collect()
}

pub fn faults(infrastructure: &Infrastructure) -> Vec<String> {
    let lines = lines(infrastructure);
    let mut faults = Vec::new();
    for line in &lines {
        faults.extend(unfit(line));
        if lines.iter().filter(|other| other.role == line.role && other.scope == line.scope).count() > 1 {
            faults.push(format!("{RBAC}: {} is granted on {} more than once", line.name, line.scope));
        }
    }
    let granted = |role: &&Role| lines.iter().any(|line| line.role == role.id && line.scope == role.scope);
    let missing = NEEDED.iter().filter(|role| !granted(role));
    faults.extend(missing.map(|role| format!("{RBAC}: {} on {} is needed and not granted", role.name, role.scope)));
    faults.extend(assignments(infrastructure, &lines));
    faults.extend(strays(infrastructure, &lines));
    faults.sort();
    faults.dedup();
    faults
}

fn unfit(line: &Line) -> Option<String> {
    let Some(role) = NEEDED.iter().find(|role| role.id == line.role && role.scope == line.scope) else {
        return Some(format!("{RBAC}: nothing needs the role {} ({}) on {}", line.name, line.role, line.scope));
    };
    if role.name != line.name {
        return Some(format!("{RBAC}: {} is the role {}, not {}", line.role, role.name, line.name));
    }
    if role.family != line.family {
        let needs = if role.family.is_empty() { "all families need" } else { role.family };
        return Some(format!("{RBAC}: {} is for '{}', but it is for {needs}", line.name, line.family));
    }
    line.reason.trim().is_empty().then(|| format!("{RBAC}: {} has no reason", line.name))
}

/// Every scope of the list has its assignments, made as they have to be made.
fn assignments(infrastructure: &Infrastructure, lines: &[Line]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut scopes = BTreeSet::new();
    for file in &infrastructure.files {
        for resource in file.of_type(ASSIGNMENT) {
            scopes.extend(filtered(resource));
            faults.extend(ill_made(file, resource));
        }
    }
    let wanted: BTreeSet<_> = lines.iter().map(|line| line.scope.clone()).collect();
    faults.extend(wanted.difference(&scopes).map(|scope| format!("{RBAC}: no assignment takes the roles on {scope}")));
    faults
}

/// The scope that the loop of an assignment takes its roles by: `filter(…, item => item.scope == '<scope>' …)`.
fn filtered(resource: &Resource) -> Option<String> {
    let each = resource.declared.each.as_ref()?;
    each.over.all().into_iter().find_map(|one| match one {
        Expression::Binary(operator, left, right) if operator == "==" => match left.as_ref() {
            Expression::Member(_, name) if name == "scope" => right.as_text(),
            _ => None,
        },
        _ => None,
    })
}

/// The name is made of what is granted, on what and to whom, so that a second deployment finds the first one's.
fn ill_made(file: &File, resource: &Resource) -> Vec<String> {
    let one = &resource.declared;
    let item = one.each.as_ref().and_then(|each| each.names.first()).cloned().unwrap_or_default();
    let of = |of: &Expression, name: &str| Expression::Member(Box::new(of.clone()), name.to_owned());
    let id = of(&Expression::name(&item), "role");
    let scope = one.body.property("scope").cloned().unwrap_or(Expression::Null);
    let principal = Expression::name("principalId");
    let guid =
        Expression::Call(Box::new(Expression::name("guid")), vec![of(&scope, "id"), principal.clone(), id.clone()]);
    let definition = Expression::Call(
        Box::new(Expression::name("subscriptionResourceId")),
        vec![Expression::text("Microsoft.Authorization/roleDefinitions"), id],
    );
    let wanted = [
        ("name", guid),
        ("properties.principalId", principal),
        ("properties.principalType", Expression::text("ServicePrincipal")),
        ("properties.roleDefinitionId", definition),
        ("properties.description", of(&Expression::name(&item), "reason")),
    ];
    let wrong = wanted.into_iter().filter(|(path, value)| one.body.at(path) != Some(value));
    wrong
        .map(|(path, _)| format!("{}: {path} of the assignment {} is not what it has to be", file.path, one.name))
        .collect()
}

/// A role's id stands in the list and nowhere else.
fn strays(infrastructure: &Infrastructure, lines: &[Line]) -> Vec<String> {
    let guid = Regex::new("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$").expect("a pattern of our own");
    let mut faults = Vec::new();
    for file in &infrastructure.files {
        let texts = file.expressions().into_iter().flat_map(Expression::all).filter_map(Expression::as_text);
        let ids: Vec<_> = texts.filter(|text| guid.is_match(text)).collect();
        let listed = |id: &&String| file.path == RBAC && lines.iter().any(|line| line.role == **id);
        faults.extend(
            ids.iter()
                .filter(|id| !listed(id))
                .map(|id| format!("{}: {id} stands outside of the list of roles", file.path)),
        );
    }
    faults
}
