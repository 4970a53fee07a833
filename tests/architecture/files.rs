//! How files are named, how they begin, how long they grow, and what is left lying about in them.

use super::source::Source;

/// Lines before a file's tests. The aim is 250.
const LONGEST: usize = 300;
/// Lines of a file below `tests/`.
const LONGEST_TEST: usize = 450;

pub fn too_long(source: &Source) -> Option<String> {
    let tested = source.file.starts_with("tests/") || is_for_tests(source);
    let (lines, most) =
        if tested { (source.text.lines().count(), LONGEST_TEST) } else { (lines_before_tests(&source.text), LONGEST) };
    (lines > most).then(|| format!("{}: {lines} lines, {most} at most: it does more than one thing", source.file))
}

fn lines_before_tests(text: &str) -> usize {
    text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count()
}

/// Files that hold the tests of their neighbour.
fn is_for_tests(source: &Source) -> bool {
    source.file.ends_with("/tests.rs") || source.file.ends_with("_tests.rs")
}

pub fn ill_named(source: &Source) -> Option<String> {
    let name = source.file.rsplit('/').next()?.strip_suffix(".rs")?;
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    // A binary bears the name of its command.
    let dash = if source.file.starts_with("src/bin/") { '-' } else { '_' };
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(|c| lower(c) || c == dash);
    (!fits).then(|| format!("{}: a file's name is snake_case", source.file))
}

/// Roots of test binaries and every file of production say what they are.
pub fn undescribed(source: &Source) -> Option<String> {
    let below_tests = source.file.strip_prefix("tests/");
    let root = below_tests.is_none_or(|inside| !inside.contains('/') || inside.ends_with("/main.rs"));
    let owes = root && !is_for_tests(source);
    (owes && !source.text.starts_with("//! "))
        .then(|| format!("{}: it begins with what it is, as a //! comment", source.file))
}

/// A note to oneself is an issue or nothing, and a test runs or does not exist.
pub fn left_over(source: &Source) -> Vec<String> {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let lines = source.text.lines().enumerate();
    let notes = lines
        .filter(|(_, line)| marks.iter().any(|mark| line.contains(mark)))
        .map(|(at, _)| format!("{}:{}: finish it or file it", source.file, at + 1));
    let ignored = source
        .tests
        .iter()
        .filter(|test| test.attributes.iter().any(|attribute| attribute.starts_with("ignore")))
        .map(|test| format!("{}:{}: {} runs or does not exist", source.file, test.line, test.name));
    notes.chain(ignored).collect()
}

/// `a_late_delivery_is_acknowledged` says what holds; `delivery` does not. What the test harness is made to start for
/// another test says so: `/// Not a test of its own: …`.
pub fn no_sentence(source: &Source) -> Vec<String> {
    let words = |name: &str| name.split('_').filter(|word| !word.is_empty()).count();
    let helper = |attribute: &String| attribute.starts_with("doc") && attribute.contains("Not a test of its own");
    source
        .tests
        .iter()
        .filter(|test| words(&test.name) < 3 && !test.attributes.iter().any(helper))
        .map(|test| format!("{}:{}: {} is no sentence", source.file, test.line, test.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::tree;

    fn all() -> impl Iterator<Item = &'static Source> {
        tree::production().iter().chain(tree::tests())
    }

    fn source(file: &str, text: &str) -> Source {
        Source::parse(file, text, false)
    }

    #[test]
    fn no_file_grows_beyond_its_one_thing() {
        tree::hold(all().filter_map(too_long).collect());
    }

    #[test]
    fn a_file_that_grows_too_long_is_found_and_its_tests_do_not_count() {
        let long = "fn f() {}\n".repeat(LONGEST + 1);
        assert!(too_long(&source("src/engine/x.rs", &long)).is_some());
        let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{long}}}");
        assert!(too_long(&source("src/engine/x.rs", &tested)).is_none());
        assert!(too_long(&source("tests/x.rs", &"fn f() {}\n".repeat(LONGEST_TEST + 1))).is_some());
    }

    #[test]
    fn every_file_bears_a_snake_case_name() {
        tree::hold(all().filter_map(ill_named).collect());
    }

    #[test]
    fn other_names_are_found() {
        for file in ["src/engine/RunStore.rs", "src/engine/run-store.rs", "src/engine/2nd.rs"] {
            assert!(ill_named(&source(file, "")).is_some(), "{file}");
        }
        assert!(ill_named(&source("src/bin/windlass-dev.rs", "")).is_none());
    }

    #[test]
    fn every_file_begins_with_what_it_is() {
        tree::hold(all().filter_map(undescribed).collect());
    }

    #[test]
    fn a_file_without_a_description_is_found() {
        for file in ["src/engine/x.rs", "tests/x.rs", "tests/x/main.rs"] {
            assert!(undescribed(&source(file, "use a::b;\n//! too late")).is_some(), "{file}");
            assert!(undescribed(&source(file, "//! What it is.")).is_none(), "{file}");
        }
    }

    #[test]
    fn nothing_is_left_lying_about() {
        tree::hold(all().flat_map(left_over).collect());
    }

    #[test]
    fn notes_to_oneself_and_ignored_tests_are_found() {
        let note = concat!("// TO", "DO: later\nfn f() {}");
        assert_eq!(left_over(&source("src/engine/x.rs", note)).len(), 1);
        assert_eq!(left_over(&source("tests/x.rs", "#[test]\n#[ignore = \"slow\"]\nfn a_b_c() {}")).len(), 1);
    }

    #[test]
    fn every_test_is_a_sentence() {
        tree::hold(all().flat_map(no_sentence).collect());
    }

    #[test]
    fn a_test_that_says_nothing_is_found() {
        assert_eq!(no_sentence(&source("tests/x.rs", "#[test] fn delivery() {} #[test] fn it_works() {}")).len(), 2);
        let helper = "/// Not a test of its own: another one starts it.\n#[test]\nfn child() {}";
        assert!(no_sentence(&source("tests/x.rs", helper)).is_empty());
    }
}
