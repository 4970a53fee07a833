//! Variables of a Dockerfile: which are in scope, and how a text uses them.

use std::collections::BTreeMap;

pub(super) type Variables = BTreeMap<String, String>;

/// Replaces `$name`, `${name}`, `${name:-default}` and `${name:+other}`; `\$` stays a dollar. An unknown name is empty.
pub(super) fn expand(text: &str, variables: &Variables) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\\']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        if rest[at..].starts_with('\\') {
            match tail.strip_prefix('$') {
                Some(after) => {
                    out.push('$');
                    rest = after;
                }
                None => {
                    out.push('\\');
                    rest = tail;
                }
            }
        } else if let Some((inner, after)) = tail.strip_prefix('{').and_then(|tail| tail.split_once('}')) {
            out.push_str(&braced(inner, variables));
            rest = after;
        } else {
            let end = tail.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(tail.len());
            if end == 0 {
                out.push('$');
            }
            out.push_str(variables.get(&tail[..end]).map_or("", String::as_str));
            rest = &tail[end..];
        }
    }
    out.push_str(rest);
    out
}

fn braced(inner: &str, variables: &Variables) -> String {
    let value = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
    if let Some((name, default)) = inner.split_once(":-") {
        value(name).unwrap_or_else(|| expand(default, variables))
    } else if let Some((name, other)) = inner.split_once(":+") {
        value(name).map(|_| expand(other, variables)).unwrap_or_default()
    } else {
        variables.get(inner).cloned().unwrap_or_default()
    }
}

/// The assignments of an ENV, LABEL or ARG: `a=b "c=d e"` or, for one only, `a b`.
pub(super) fn assignments(text: &str) -> Vec<(String, Option<String>)> {
    let words = words(text);
    match words.first() {
        Some(first) if !first.contains('=') && words.len() > 1 => {
            let (name, value) = text.trim().split_once(char::is_whitespace).unwrap_or((text, ""));
            vec![(name.to_owned(), Some(value.trim().to_owned()))]
        }
        _ => words
            .into_iter()
            .map(|word| match word.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (word, None),
            })
            .collect(),
    }
}

/// Splits at blanks outside quotes, and takes the quotes away.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quote, mut inside) = (None, false);
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.push(c),
            None if c == '"' || c == '\'' => (quote, inside) = (Some(c), true),
            None if c.is_whitespace() => {
                if inside || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                inside = false;
            }
            None => word.push(c),
        }
    }
    if inside || !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_in_every_form_and_an_escaped_dollar_stays() {
        let variables = Variables::from([("A".into(), "1".into()), ("E".into(), String::new())]);
        for (text, wanted) in [
            ("x$A.y", "x1.y"),
            ("${A}b", "1b"),
            ("${B:-d$A}", "d1"),
            ("${E:-d}", "d"),
            ("${A:+z}${B:+z}", "z"),
            ("\\$A $B|", "$A |"),
            ("100$ \\n", "100$ \\n"),
        ] {
            assert_eq!(expand(text, &variables), wanted, "{text}");
        }
    }

    #[test]
    fn assignments_come_in_both_of_dockers_forms() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            assignments("A=1 B=\"x y\" C"),
            [("A".into(), some("1")), ("B".into(), some("x y")), ("C".into(), None)]
        );
        assert_eq!(assignments("PATH /a b"), [("PATH".into(), some("/a b"))]);
    }
}
