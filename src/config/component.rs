//! The images that an upgrade builds.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::reader::Reader;
use super::setting::Setting;

/// One image of the platform.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Component {
    /// 1 to 32 of a-z, 0-9 and dashes; unique.
    pub name: String,
    /// Relative to the repository's root.
    pub dockerfile: String,
    /// The directory that the build sees, relative to the repository's root; `.` is the root.
    pub context: String,
    /// The repository in the registry, without registry and tag.
    pub image: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    name: String,
    dockerfile: Option<String>,
    context: Option<String>,
    image: Option<String>,
}

const LIMIT: usize = 16;
const NAME_LIMIT: usize = 32;
const IMAGE_LIMIT: usize = 200;

pub(super) fn components(reader: &mut Reader<'_>, setting: &Setting) -> Option<Vec<Component>> {
    let text = reader.text(setting)?;
    match parse(&text) {
        Ok(components) => Some(components),
        Err(remedy) => {
            reader.wrong(setting, &remedy);
            None
        }
    }
}

/// The error says what to put right.
fn parse(text: &str) -> Result<Vec<Component>, String> {
    let given: Vec<Given> = serde_json::from_str(text)
        .map_err(|e| format!("give a JSON array of objects with name, dockerfile, context and image ({e})"))?;
    if given.is_empty() || given.len() > LIMIT {
        return Err(format!("give 1 to {LIMIT} components"));
    }
    let mut names = BTreeSet::new();
    given
        .into_iter()
        .map(|given| {
            let component = complete(given)?;
            match names.insert(component.name.clone()) {
                true => Ok(component),
                false => Err(format!("name component '{}' once only", component.name)),
            }
        })
        .collect()
}

fn complete(given: Given) -> Result<Component, String> {
    let name = given.name;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > NAME_LIMIT || !name.chars().all(fits) {
        return Err(format!("give every component a name of 1 to {NAME_LIMIT} of a-z, 0-9 and dashes"));
    }
    let component = Component {
        dockerfile: given.dockerfile.unwrap_or_else(|| format!("{name}/Dockerfile")),
        context: given.context.unwrap_or_else(|| ".".to_owned()),
        image: given.image.unwrap_or_else(|| format!("elb-{name}")),
        name,
    };
    let name = &component.name;
    if component.dockerfile == "." || !stays_inside(&component.dockerfile) {
        return Err(format!("give component '{name}' a dockerfile inside the repository, by a relative path"));
    }
    if !stays_inside(&component.context) {
        return Err(format!("give component '{name}' a context inside the repository, by a relative path"));
    }
    if !is_repository(&component.image) {
        return Err(format!("give component '{name}' an image such as elb-{name}, without registry and tag"));
    }
    Ok(component)
}

/// A relative path with forward slashes that never climbs.
fn stays_inside(path: &str) -> bool {
    let plain = !path.chars().any(|c| c.is_control() || c == '\\' || c == ':');
    plain && (path == "." || path.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

/// A repository name as the distribution specification has it.
fn is_repository(image: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let part_fits = |part: &str| {
        let bytes = part.as_bytes();
        bytes.first().copied().is_some_and(alphanumeric)
            && bytes.last().copied().is_some_and(alphanumeric)
            && bytes.iter().all(|&b| alphanumeric(b) || matches!(b, b'-' | b'_' | b'.'))
    };
    image.len() <= IMAGE_LIMIT && image.split('/').all(part_fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_makes_a_component() {
        let expected = Component {
            name: "api".to_owned(),
            dockerfile: "api/Dockerfile".to_owned(),
            context: ".".to_owned(),
            image: "elb-api".to_owned(),
        };
        assert_eq!(parse(r#"[{"name":"api"}]"#), Ok(vec![expected]));
    }

    #[test]
    fn what_is_given_is_kept() {
        let parsed =
            parse(r#"[{"name":"web","dockerfile":"ui/web.Dockerfile","context":"ui","image":"team/web"}]"#).unwrap();
        assert_eq!(
            (parsed[0].dockerfile.as_str(), parsed[0].context.as_str(), parsed[0].image.as_str()),
            ("ui/web.Dockerfile", "ui", "team/web")
        );
    }

    #[test]
    fn components_that_cannot_be_built_are_refused_with_the_reason() {
        for (given, reason) in [
            ("{}", "JSON array"),
            ("[]", "1 to 16"),
            (r#"[{"name":"API"}]"#, "a-z"),
            (r#"[{"name":""}]"#, "a-z"),
            (r#"[{"name":"api"},{"name":"api"}]"#, "once only"),
            (r#"[{"name":"api","dockerfile":"../Dockerfile"}]"#, "dockerfile"),
            (r#"[{"name":"api","dockerfile":"/etc/passwd"}]"#, "dockerfile"),
            (r#"[{"name":"api","dockerfile":"."}]"#, "dockerfile"),
            (r#"[{"name":"api","context":"a/../../b"}]"#, "context"),
            (r#"[{"name":"api","context":"c:\\"}]"#, "context"),
            (r#"[{"name":"api","image":"registry.example:5000/api"}]"#, "image"),
            (r#"[{"name":"api","image":"Api"}]"#, "image"),
            (r#"[{"name":"api","tag":"v1"}]"#, "unknown field `tag`"),
        ] {
            let refusal = parse(given).unwrap_err();
            assert!(refusal.contains(reason), "{given}: {refusal}");
        }
    }
}
