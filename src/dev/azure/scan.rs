//! The scan for base images that registry tasks make before docker sees the Dockerfile. It looks at single lines,
//! which is why it fails builds that docker alone would take. Behaviour: `scan/dependencies.go` of Azure/acr-builder.

use super::expand::{Variables, expand};

/// The images that FROM lines name, the one of the last stage first.
pub(super) fn base_images(text: &str, arguments: &[(String, String)]) -> Result<Vec<String>, String> {
    let mut known: Variables = arguments.iter().cloned().collect();
    let mut aliases = Variables::new();
    let mut images: Vec<String> = Vec::new();
    for line in text.lines() {
        let tokens: Vec<&str> = line.split_whitespace().collect();
        match tokens.first().map(|token| token.to_uppercase()).as_deref() {
            Some("FROM") => {
                let named = tokens.get(2).is_none_or(|word| word.eq_ignore_ascii_case("as") && tokens.len() > 3);
                let (Some(image), true) = (tokens.get(1), named) else {
                    return Err(format!("unable to understand line {line}"));
                };
                let image = expand(image, &known);
                let origin = aliases.get(&image).cloned().unwrap_or(image);
                images.retain(|known| *known != origin);
                images.insert(0, origin.clone());
                if let Some(alias) = tokens.get(3) {
                    aliases.insert((*alias).to_owned(), origin);
                }
            }
            Some("ARG") => {
                let Some(argument) = tokens.get(1) else {
                    return Err(format!(
                        "dockerfile syntax requires ARG directive to have exactly 1 argument. LINE: {line}"
                    ));
                };
                if let Some((name, value)) = argument.split_once('=') {
                    let bare = value.trim_matches('"').trim_matches('\'').to_owned();
                    known.entry(name.to_owned()).or_insert(bare);
                }
            }
            _ => {}
        }
    }
    if images.is_empty() { Err("unexpected dockerfile format".into()) } else { Ok(images) }
}

/// `registry`, `repository` and `tag` of an image as the log's list of dependencies tells them.
pub(super) fn reference(image: &str) -> (String, String, String) {
    let (name, tag) = match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image, "latest"),
    };
    let (registry, repository) = match name.split_once('/') {
        Some((host, path)) if host.contains('.') || host.contains(':') => (host.to_owned(), path.to_owned()),
        Some(_) => ("registry.hub.docker.com".to_owned(), name.to_owned()),
        None => ("registry.hub.docker.com".to_owned(), format!("library/{name}")),
    };
    (registry, repository, tag.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_images_are_found_through_arguments_and_aliases() {
        let text = "ARG V=20\nFROM node:$V AS build\nFROM build as test\nFROM nginx\n";
        assert_eq!(base_images(text, &[]), Ok(vec!["nginx".into(), "node:20".into()]));
        assert_eq!(base_images(text, &[("V".into(), "22".into())]), Ok(vec!["nginx".into(), "node:22".into()]));
    }

    #[test]
    fn a_platform_flag_fails_the_scan_though_docker_would_take_it() {
        let line = "FROM --platform=linux/amd64 node:20 AS build";
        assert_eq!(base_images(line, &[]), Err(format!("unable to understand line {line}")));
    }

    #[test]
    fn references_name_their_registry() {
        assert_eq!(reference("node"), ("registry.hub.docker.com".into(), "library/node".into(), "latest".into()));
        assert_eq!(reference("a.io:5000/x/y"), ("a.io:5000".into(), "x/y".into(), "latest".into()));
        assert_eq!(reference("user/x:1"), ("registry.hub.docker.com".into(), "user/x".into(), "1".into()));
    }
}
