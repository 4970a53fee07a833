//! Which known word a misspelt one is likely to be.

/// The known word that `given` is likely to be a slip of, whatever its case.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LETTERS_A_SLIP: usize = 3;
    nearest_within((given.chars().count() / LETTERS_A_SLIP).clamp(1, 3), given, known)
}

pub(super) fn nearest_within<'a>(
    slips: usize,
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
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
}
