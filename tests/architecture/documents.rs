//! The documents speak of what is there: paths that exist, rooms that exist, settings that exist.

/// The texts between single backticks, outside of code blocks.
pub fn quoted(document: &str) -> Vec<&str> {
    let prose = document.split("```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2)).collect()
}

/// Those that name a file or a folder of the repository.
pub fn paths(document: &str) -> Vec<&str> {
    let ours = ["src/", "tests/", "docs/", "functions/", "infra/", ".ci/"];
    let files = [
        "host.json",
        "clippy.toml",
        "deny.toml",
        "rust-toolchain.toml",
        "local.settings.sample.json",
        "ARCHITECTURE.md",
    ];
    let whole = |text: &&str| !text.contains(['<', ' ', '*', '…']);
    quoted(document)
        .into_iter()
        .filter(whole)
        .filter(|text| ours.iter().any(|folder| text.starts_with(folder)) || files.contains(text))
        .collect()
}

/// Those that look like a setting of the handler.
pub fn settings(document: &str) -> Vec<&str> {
    let ours = ["WINDLASS_", "UPGRADE_", "PLATFORM_", "AZURE_", "AzureWebJobs"];
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    quoted(document)
        .into_iter()
        .filter(|text| ours.iter().any(|prefix| text.starts_with(prefix) && text.len() > prefix.len()))
        .filter(|text| text.chars().all(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::arrows::ARROWS;
    use crate::architecture::tree;

    const DOCUMENTS: &[(&str, &str)] =
        &[("README.md", include_str!("../../README.md")), ("ARCHITECTURE.md", include_str!("../../ARCHITECTURE.md"))];

    #[test]
    fn every_path_that_a_document_names_is_there() {
        let missing = |(name, text): &(&str, &'static str)| {
            let name = (*name).to_owned();
            let gone = paths(text).into_iter().filter(|path| !tree::root().join(path).exists());
            gone.map(move |path| format!("{name}: there is no {path}")).collect::<Vec<_>>()
        };
        tree::hold(DOCUMENTS.iter().flat_map(missing).collect());
    }

    #[test]
    fn every_setting_that_a_document_names_exists() {
        let known = |name: &&str| windlass::config::SETTINGS.iter().any(|setting| setting.name == *name);
        let unknown = |(name, text): &(&str, &'static str)| {
            let name = (*name).to_owned();
            let unknown = settings(text).into_iter().filter(|setting| !known(setting));
            unknown.map(move |setting| format!("{name}: there is no setting {setting}")).collect::<Vec<_>>()
        };
        tree::hold(DOCUMENTS.iter().flat_map(unknown).collect());
    }

    #[test]
    fn the_map_shows_every_room() {
        let map = DOCUMENTS[1].1;
        for (room, _) in ARROWS.iter().filter(|(room, _)| *room != "lib") {
            assert!(paths(map).iter().any(|path| path.starts_with(&format!("src/{room}"))), "{room} is not on the map");
        }
    }

    #[test]
    fn what_is_in_code_blocks_and_patterns_is_no_path() {
        let text =
            "see `src/a.rs` and `docs/`\n```sh\ncat `src/b.rs`\n```\nbut `src/<room>/x.rs` is none, `a b` neither";
        assert_eq!(paths(text), ["src/a.rs", "docs/"]);
        assert_eq!(
            settings("set `WINDLASS_X`, `WINDLASS_` and `AZURE_CLOUD=custom`, `UPGRADE_Y`"),
            ["WINDLASS_X", "UPGRADE_Y"]
        );
    }
}
