//! Parts of a log: by the header Range (RFC 9110, section 14), and where a part may be cut.

/// What one Range asks for, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// From the first to the last, both included.
    Between(u64, u64),
    From(u64),
    /// This many at the end.
    Last(u64),
}

impl Wanted {
    /// `None` for what is to be ignored: another unit, several ranges, or something that is no range.
    pub fn parse(header: &str) -> Option<Self> {
        let (unit, range) = header.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = range.trim().split_once('-')?;
        match (first, last) {
            ("", last) => Some(Self::Last(number(last)?)),
            (first, "") => Some(Self::From(number(first)?)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }

    /// The bytes of a whole of this length, the end excluded; `None` if it has none of them.
    pub fn within(self, length: u64) -> Option<(u64, u64)> {
        let (start, end) = match self {
            Self::Between(first, last) => (first, last.saturating_add(1).min(length)),
            Self::From(first) => (first, length),
            Self::Last(count) => (length.saturating_sub(count), length),
        };
        (start < end).then_some((start, end))
    }

    /// From which length on there is something to answer with.
    pub fn needs(self) -> u64 {
        match self {
            Self::Between(first, _) | Self::From(first) => first.saturating_add(1),
            Self::Last(_) => 1,
        }
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // More digits than fit mean a place beyond everything.
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// How many of these bytes end with a whole character. Bytes that are no UTF-8 at all are left as they are.
pub fn whole_characters(bytes: &[u8]) -> usize {
    const LONGEST: usize = 4;
    for back in 1..=LONGEST.min(bytes.len()) {
        let at = bytes.len() - back;
        let width = match bytes.get(at) {
            Some(0xC2..=0xDF) => 2,
            Some(0xE0..=0xEF) => 3,
            Some(0xF0..=0xF4) => 4,
            Some(0x80..=0xBF) => continue,
            _ => 1,
        };
        return if width > back { at } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_a_range_are_read() {
        for (header, wanted) in [
            ("bytes=0-9", Wanted::Between(0, 9)),
            ("Bytes = 5-5", Wanted::Between(5, 5)),
            ("bytes=5-", Wanted::From(5)),
            ("bytes=-5", Wanted::Last(5)),
            ("bytes=99999999999999999999-", Wanted::From(u64::MAX)),
        ] {
            assert_eq!(Wanted::parse(header), Some(wanted), "{header}");
        }
    }

    #[test]
    fn anything_else_is_to_be_ignored() {
        for header in
            ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-0", "bytes=0-1,3-4", "lines=0-9", "bytes=+1-2"]
        {
            assert_eq!(Wanted::parse(header), None, "{header}");
        }
    }

    #[test]
    fn a_range_is_cut_at_the_end_and_missing_beyond_it() {
        assert_eq!(Wanted::Between(2, 100).within(10), Some((2, 10)));
        assert_eq!(Wanted::Between(0, u64::MAX).within(10), Some((0, 10)));
        assert_eq!(Wanted::From(9).within(10), Some((9, 10)));
        assert_eq!(Wanted::Last(3).within(10), Some((7, 10)));
        assert_eq!(Wanted::Last(30).within(10), Some((0, 10)));
        for wanted in [Wanted::Between(10, 11), Wanted::From(10), Wanted::From(u64::MAX), Wanted::Last(0)] {
            assert_eq!(wanted.within(10), None, "{wanted:?}");
        }
        assert_eq!(Wanted::Last(5).within(0), None);
    }

    #[test]
    fn a_cut_never_goes_through_a_character() {
        let text = "aé€😀z";
        for end in 0..=text.len() {
            let whole = whole_characters(&text.as_bytes()[..end]);
            assert!(whole <= end && end - whole < 4);
            assert_eq!(std::str::from_utf8(&text.as_bytes()[..whole]).map(str::len), Ok(whole), "{end}");
            assert_eq!(whole == end, text.is_char_boundary(end), "{end}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_not_held_back() {
        for bytes in [b"\xff" as &[u8], b"\x80\x80\x80\x80\x80", b"a\xc0"] {
            assert_eq!(whole_characters(bytes), bytes.len());
        }
    }
}
