//! The suffix of a revision's name: its form, its length, and that no retained revision bears it.

use super::revision::Revision;
use super::template::invalid;
use crate::dev::azure::arm_error::ArmError;

/// Of the whole name.
const LONGEST: usize = 54;

/// The new revision's name.
pub(super) fn name(
    app: &str,
    suffix: Option<&str>,
    retained: &[Revision],
    rng: &mut fastrand::Rng,
) -> Result<String, ArmError> {
    let taken = |name: &str| retained.iter().any(|revision| revision.name.eq_ignore_ascii_case(name));
    let Some(suffix) = suffix.filter(|suffix| !suffix.is_empty()) else {
        loop {
            let random: String =
                (0..7).map(|_| char::from(b"0123456789abcdefghijklmnopqrstuvwxyz"[rng.usize(..36)])).collect();
            let name = format!("{app}--{random}");
            if !taken(&name) {
                return Ok(name);
            }
        }
    };
    let name = format!("{app}--{suffix}");
    let refused = |details: String| Err(invalid("revisionsuffix", &format!("Invalid value: \"{suffix}\": {details}")));
    if !is_well_formed(suffix) {
        return refused(
            "a suffix has lower case letters, digits and single dashes, and a letter or digit at both ends".into(),
        );
    }
    if name.len() > LONGEST {
        return refused(format!("the revision's name '{name}' is longer than {LONGEST} characters"));
    }
    if taken(&name) {
        return refused(format!("revision with suffix {suffix} already exists."));
    }
    Ok(name)
}

fn is_well_formed(suffix: &str) -> bool {
    suffix.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        && !suffix.starts_with('-')
        && !suffix.ends_with('-')
        && !suffix.contains("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suffix_has_a_form_and_the_whole_name_a_length() {
        let of = |suffix: &str| name("app", Some(suffix), &[], &mut fastrand::Rng::with_seed(1)).ok();
        assert_eq!(of("v1-2-3-0f0e0d").as_deref(), Some("app--v1-2-3-0f0e0d"));
        for bad in ["V1", "v1.2", "-v1", "v1-", "v1--2", "v_1"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert!(of(&"a".repeat(49)).is_some());
        assert!(of(&"a".repeat(50)).is_none());
    }

    #[test]
    fn without_a_suffix_a_name_is_made_up() {
        let mut rng = fastrand::Rng::with_seed(1);
        let names = [None, Some("")].map(|suffix| name("app", suffix, &[], &mut rng).ok().unwrap());
        assert_ne!(names[0], names[1]);
        assert!(names.iter().all(|name| name.len() == "app--".len() + 7));
    }
}
