//! Slips of the pen: names and words that mean nothing, and what they were likely meant to be.

use super::SETTINGS;
use super::environment::Environment;
use super::reader::Reader;

/// Names that begin so belong to the product: one that it does not know is a slip, whatever it looks like.
const OWN_PREFIX: &str = "WINDLASS_";
/// What only this product is likely to have: a name that resembles one of these is a slip of it.
const TELLING_PREFIXES: &[&str] = &[OWN_PREFIX, "UPGRADE_", "PLATFORM_", "AzureWebJobsStorage__"];
/// Slips in the name of a setting.
const SLIPS: usize = 2;
/// Of a stranger's name, as much as a warning shows.
const SHOWN: usize = 80;

/// The known word that `given` is likely to be a slip of, whatever its case.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LETTERS_A_SLIP: usize = 3;
    nearest_within((given.chars().count() / LETTERS_A_SLIP).clamp(1, 3), given, known)
}

fn nearest_within<'a>(slips: usize, given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_ascii_lowercase();
    let close = known.into_iter().filter(|word| word.len().abs_diff(given.len()) <= slips);
    let measured = close.map(|word| (distance(&given, &word.to_ascii_lowercase()), word));
    measured.filter(|(distance, _)| *distance <= slips).min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}

/// Letters that are missing, extra, replaced, or swapped with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    const FAR: usize = usize::MAX / 2;
    let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(FAR);
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let (mut before, mut above) = (Vec::new(), (0..=other.len()).collect::<Vec<_>>());
    for (i, from) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in other.iter().enumerate() {
            let replaced = cell(&above, j) + usize::from(from != to);
            let mut least = replaced.min(cell(&above, j + 1) + 1).min(cell(&row, j) + 1);
            if i > 0 && j > 0 && one.get(i - 1) == Some(to) && other.get(j - 1) == Some(from) {
                least = least.min(cell(&before, j - 1) + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut above, row);
    }
    cell(&above, other.len())
}

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
    fn a_slip_is_a_letter_missing_extra_replaced_or_swapped() {
        for (one, other, slips) in [
            ("table", "table", 0),
            ("tabel", "table", 1),
            ("tale", "table", 1),
            ("tables", "table", 1),
            ("cable", "table", 1),
            ("", "ab", 2),
            ("in-plcae", "in_place", 2),
            ("abc", "xyz", 3),
        ] {
            assert_eq!(distance(one, other), slips, "{one} {other}");
            assert_eq!(distance(other, one), slips, "{other} {one}");
        }
    }

    #[test]
    fn a_word_is_recognised_whatever_its_case_and_a_strange_one_is_not() {
        let words = ["in_place", "blue_green", "build_only"];
        assert_eq!(nearest("In-Place", words), Some("in_place"));
        assert_eq!(nearest("bluegreen", words), Some("blue_green"));
        assert_eq!(nearest("canary", words), None);
        assert_eq!(nearest("on", ["off", "required"]), None);
    }

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
