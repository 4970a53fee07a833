//! Following a build's output by byte offset, in whole lines.
//!
//! The offset counts bytes whose lines went into our log, so it is committed together with them: after a crash the
//! same bytes are read again and the log recognises them.

use super::ports::Images;
use super::{Build, steps};
use crate::engine::PhaseError;
use crate::model::redact;

/// Most bytes that one look takes from one build.
const MOST: usize = 512 * 1024;
/// A line longer than this is cut in pieces, so that a builder without line ends is followed too.
const LONGEST_LINE: usize = 64 * 1024;
const KEPT_LINES: usize = 10;
const KEPT_CHARS: usize = 200;

/// The lines since the last look; marks the build's log complete once the builder has said everything.
pub async fn read(images: &dyn Images, id: &str, build: &mut Build) -> Result<Vec<String>, PhaseError> {
    if build.log_complete {
        return Ok(Vec::new());
    }
    let output = images.output(id, build.log_bytes, MOST).await?;
    let taken = whole_lines(&output.bytes, output.complete);
    let text = String::from_utf8_lossy(output.bytes.get(..taken).unwrap_or_default()).into_owned();
    let lines: Vec<String> = text.split_terminator('\n').map(|line| line.trim_end_matches('\r').to_owned()).collect();
    build.log_bytes += taken as u64;
    build.log_complete = output.complete && taken == output.bytes.len();
    for line in &lines {
        if let Some(step) = steps::step(line) {
            build.step = Some(step);
        }
        if !line.trim().is_empty() {
            build.last_lines.push(redact(line).chars().take(KEPT_CHARS).collect());
        }
    }
    let surplus = build.last_lines.len().saturating_sub(KEPT_LINES);
    build.last_lines.drain(..surplus);
    Ok(lines)
}

/// How many bytes end with a line; all of them when nothing follows or the line is too long to wait for its end.
fn whole_lines(bytes: &[u8], complete: bool) -> usize {
    match bytes.iter().rposition(|&byte| byte == b'\n') {
        _ if complete => bytes.len(),
        Some(at) => at + 1,
        None if bytes.len() >= LONGEST_LINE => bytes.len(),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_waits_for_its_end_unless_nothing_follows_or_it_grows_too_long() {
        assert_eq!(whole_lines(b"one\r\ntw", false), 5);
        assert_eq!(whole_lines(b"tw", false), 0);
        assert_eq!(whole_lines(b"one\r\ntw", true), 7);
        assert_eq!(whole_lines(&vec![b'x'; LONGEST_LINE], false), LONGEST_LINE);
    }

    #[test]
    fn a_character_is_never_cut_because_lines_are_not() {
        let text = "eins\nzwölf\n".as_bytes();
        for cut in 0..text.len() {
            assert!(std::str::from_utf8(&text[..whole_lines(&text[..cut], false)]).is_ok());
        }
    }
}
