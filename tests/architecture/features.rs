//! What only developers need is left out of production in one place, and nowhere else is anything left out.

use super::source::Source;

pub fn check(source: &Source) -> Vec<String> {
    let permitted = source.file == "src/lib.rs";
    source
        .features
        .iter()
        .filter(|_| !permitted)
        .map(|(name, line)| format!("{}:{line}: only src/lib.rs may ask for the feature {name}", source.file))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::tree;

    #[test]
    fn production_asks_for_the_feature_dev_in_one_place() {
        tree::hold(tree::production().iter().flat_map(check).collect());
        let asked: usize = tree::production().iter().map(|source| source.features.len()).sum();
        assert_eq!(asked, 1, "src/lib.rs leaves the room dev out, once");
    }

    #[test]
    fn a_hook_for_tests_in_production_is_found() {
        for text in ["#[cfg(feature = \"dev\")] fn hook() {}", "fn f() { if cfg!(feature = \"dev\") { g() } }"] {
            assert_eq!(check(&Source::parse("src/engine/x.rs", text, false)).len(), 1);
        }
    }
}
