//! The table of parameters in `infra/README.md`, generated from `main.bicep`.

use std::fmt::Write;

use anyhow::Context;

use super::bicep::{Expression, Parameter, Part};
use super::{Infrastructure, MAIN};

const FILE: &str = "infra/README.md";
const BEGIN: &str = "<!-- parameters: windlass-dev infra --write -->\n";
const END: &str = "<!-- /parameters -->";

pub fn faults(infrastructure: &Infrastructure) -> Vec<String> {
    let text = std::fs::read_to_string(infrastructure.root.join(FILE)).unwrap_or_default();
    let wanted = table(infrastructure);
    let fits = between(&text).is_some_and(|(from, to)| text[from..to] == wanted);
    if fits {
        Vec::new()
    } else {
        vec![format!("{FILE}: its table of parameters is not what {MAIN} says; run `windlass-dev infra --write`")]
    }
}

pub fn write(infrastructure: &Infrastructure) -> anyhow::Result<()> {
    let path = infrastructure.root.join(FILE);
    let mut text = std::fs::read_to_string(&path).context(FILE)?;
    let (from, to) = between(&text).with_context(|| format!("{FILE} has no place for the table: {BEGIN}{END}"))?;
    text.replace_range(from..to, &table(infrastructure));
    std::fs::write(&path, text).context(FILE)
}

fn between(text: &str) -> Option<(usize, usize)> {
    let from = text.find(BEGIN)? + BEGIN.len();
    Some((from, from + text[from..].find(END)?))
}

fn table(infrastructure: &Infrastructure) -> String {
    let mut table = "| parameter | form | default | what it is |\n|---|---|---|---|\n".to_owned();
    for parameter in &infrastructure.file(MAIN).parameters {
        let default =
            parameter.default.as_ref().map_or("**to be given**".to_owned(), |value| format!("`{}`", shown(value)));
        let description = parameter.description.as_deref().unwrap_or_default().replace('|', "\\|").replace('<', "&lt;");
        let _ = writeln!(table, "| `{}` | {} | {default} | {description} |", parameter.name, form(parameter));
    }
    table
}

fn form(parameter: &Parameter) -> String {
    match &parameter.allowed {
        Some(Expression::Array(words)) => {
            let words = words.iter().map(|word| format!("`{}`", shown(word))).collect::<Vec<_>>().join(", ");
            if parameter.kind == "array" { format!("some of {words}") } else { words }
        }
        _ => parameter.kind.clone(),
    }
}

fn shown(value: &Expression) -> String {
    match value {
        Expression::Bool(value) => value.to_string(),
        Expression::Number(value) => value.to_string(),
        Expression::Text(parts) => match parts.as_slice() {
            [Part::Plain(text)] if text.is_empty() => "''".to_owned(),
            _ => value.as_text().unwrap_or_default(),
        },
        Expression::Array(entries) => format!("[{}]", entries.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Expression::Object(_) => "{}".to_owned(),
        Expression::Member(of, name) => format!("{}.{name}", shown(of)),
        Expression::Name(name) => name.clone(),
        Expression::Call(function, _) => format!("{}()", shown(function)),
        _ => "…".to_owned(),
    }
}
