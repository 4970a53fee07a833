//! The names of revisions: `<app>--<suffix>`, made from the version and the run, so that a change is known again by its
//! name whoever asks for it.

use crate::model::RunId;

/// The longest name of a revision.
const LONGEST: usize = 54;
/// Characters of the run's id in a suffix.
const JOB: usize = 6;

/// `v1-2-3-<job6>`: the version as far as there is room for it, and the last digits of the run's id, which are random.
pub fn forward(app: &str, version: &str, run: &RunId) -> String {
    named(app, version, &job(run))
}

/// As [`forward`], for the way back: a suffix can be used but once.
pub fn back(app: &str, version: &str, run: &RunId) -> String {
    named(app, version, &format!("{}-back", job(run)))
}

pub fn revision(app: &str, suffix: &str) -> String {
    format!("{app}--{suffix}")
}

fn job(run: &RunId) -> String {
    let name = run.name();
    name.chars().skip(name.len().saturating_sub(JOB)).collect()
}

/// Lower-case letters, digits and single dashes; begins with a `v` and ends with the run's digits.
fn named(app: &str, version: &str, end: &str) -> String {
    let room = LONGEST.saturating_sub(app.len() + "--".len() + end.len() + "-".len());
    let mut begin = String::from("v");
    for c in version.chars() {
        let c = c.to_ascii_lowercase();
        match c.is_ascii_alphanumeric() {
            true => begin.push(c),
            false if begin.ends_with('-') => {}
            false => begin.push('-'),
        }
    }
    let begin: String = begin.chars().take(room).collect();
    let begin = begin.trim_end_matches('-');
    if begin.is_empty() { format!("v{end}") } else { format!("{begin}-{end}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;

    fn run() -> RunId {
        RunId::new(&Scope::new("platform"), 1, 0x1_23ab_cdef)
    }

    #[test]
    fn a_suffix_tells_of_version_and_run() {
        assert_eq!(forward("platform", "1.2.3", &run()), "v1-2-3-abcdef");
        assert_eq!(back("platform", "1.0.0", &run()), "v1-0-0-abcdef-back");
        assert_eq!(revision("platform", "v1-2-3-abcdef"), "platform--v1-2-3-abcdef");
    }

    #[test]
    fn a_suffix_is_one_that_azure_takes_whatever_the_version() {
        let long = format!("1.2.3-{}", "x.".repeat(30));
        let app = "a".repeat(32);
        for version in ["1.2.3", "10.20.30-commit.0a1b2c3", "1.2.3-RC.-1", &long] {
            for suffix in [forward(&app, version, &run()), back(&app, version, &run())] {
                assert!(revision(&app, &suffix).len() <= LONGEST, "{suffix}");
                assert!(!suffix.contains("--") && !suffix.ends_with('-') && suffix.starts_with('v'), "{suffix}");
                assert!(suffix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{suffix}");
                assert!(suffix.contains("abcdef"), "{suffix}");
            }
        }
    }
}
