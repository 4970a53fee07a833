//! Slips of the pen in names: those that mean nothing, and what they were likely meant to be.

use super::SETTINGS;
use super::environment::Environment;
use super::nearest::nearest_within;
use super::reader::Reader;

/// Names that begin so belong to the product: one that it does not know is a slip, whatever it looks like.
const OWN_PREFIX: &str = "WINDLASS_";
/// What only this product is likely to have: a name that resembles one of these is a slip of it.
const TELLING_PREFIXES: &[&str] = &[OWN_PREFIX, "UPGRADE_", "PLATFORM_", "AzureWebJobsStorage__"];
/// Slips in the name of a setting.
const SLIPS: usize = 2;
/// Of a stranger's name, as much as a warning shows.
const SHOWN: usize = 80;

/// Names that are set and do nothing, though somebody is likely to think that they do.
pub(super) fn warn_of_names(environment: &dyn Environment, reader: &mut Reader<'_>) {
    let mut names = environment.names();
    names.sort();
    for name in names.iter().filter(|name| !SETTINGS.iter().any(|setting| setting.name == *name)) {
        let shown: String = name.chars().take(SHOWN).collect();
        let shown = shown.escape_debug();
        if let Some(meant) = meant(name) {
            reader.warn(format!("{shown} is set, but there is no such setting; did you mean {meant}? It does nothing"));
        } else if has_prefix(name, OWN_PREFIX) {
            reader.warn(format!("{shown} is set, but there is no such setting: it does nothing"));
        }
    }
}

fn meant(name: &str) -> Option<&'static str> {
    let telling = SETTINGS.iter().map(|setting| setting.name);
    let telling = telling.filter(|known| TELLING_PREFIXES.iter().any(|prefix| known.starts_with(prefix)));
    nearest_within(SLIPS, name, telling)
}

fn has_prefix(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_recognised_even_if_its_beginning_is_misspelt() {
        assert_eq!(meant("WINDLAS_TABLE"), Some("WINDLASS_TABLE"));
        assert_eq!(meant("platform_acr_name"), Some("PLATFORM_ACR_NAME"));
        assert_eq!(meant("UPGRADE_GIT_TOEKN"), Some("UPGRADE_GIT_TOKEN"));
        assert_eq!(meant("AzureWebJobsStorage__acountName"), Some("AzureWebJobsStorage__accountName"));
        assert_eq!(meant("AzureWebJobsStorage__credential"), None);
        assert_eq!(meant("AZURE_CLIENT_IDS"), None, "others have such names");
        assert_eq!(meant("PATH"), None);
    }
}
