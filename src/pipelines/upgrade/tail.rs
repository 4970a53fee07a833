//! Following a build's output by byte offset, in whole lines.
//!
//! The offset counts bytes whose lines went into our log, so it is committed together with them: after a crash the
//! same bytes are read again and the log recognises them.

use super::ports::Images;
use super::{Build, steps};
use crate::engine::PhaseError;
use crate::model::redact;

/// Most bytes that are asked for at once.
const PIECE: usize = 512 * 1024;
/// Most bytes that one look takes from one build, give or take a piece.
const MOST: u64 = 4 << 20;
/// A line longer than this is cut in pieces, so that a builder without line ends is followed too.
const LONGEST_LINE: usize = 64 * 1024;
const KEPT_LINES: usize = 10;
const KEPT_CHARS: usize = 200;

/// What the output has brought since the last look.
#[derive(Default)]
pub struct News {
    /// Without their ends.
    pub lines: Vec<String>,
    /// There was more than one look takes.
    pub more: bool,
}

/// Follows the output to its present end; marks the build's log complete once the builder has said everything.
pub async fn read(images: &dyn Images, id: &str, build: &mut Build) -> Result<News, PhaseError> {
    let mut news = News::default();
    let begin = build.log_bytes;
    while !build.log_complete {
        if build.log_bytes - begin >= MOST {
            news.more = true;
            break;
        }
        let output = match images.output(id, build.log_bytes, PIECE).await {
            Ok(output) => output,
            // What came before the trouble is counted already.
            Err(_) if build.log_bytes > begin => break,
            Err(error) => return Err(error),
        };
        let taken = whole_lines(&output.bytes, output.complete);
        if taken == 0 && !output.complete {
            break;
        }
        let (bytes, rest) = output.bytes.split_at(taken);
        take(build, bytes, &mut news.lines);
        build.log_complete = output.complete && rest.is_empty();
    }
    Ok(news)
}

fn take(build: &mut Build, bytes: &[u8], lines: &mut Vec<String>) {
    build.log_bytes += bytes.len() as u64;
    for line in String::from_utf8_lossy(bytes).split_terminator('\n') {
        let line = line.trim_end_matches('\r');
        if let Some(step) = steps::step(line) {
            build.step = Some(step);
        }
        if !line.trim().is_empty() {
            build.last_lines.push(redact(line).chars().take(KEPT_CHARS).collect());
        }
        lines.push(line.to_owned());
    }
    let surplus = build.last_lines.len().saturating_sub(KEPT_LINES);
    build.last_lines.drain(..surplus);
}

/// How many bytes end with a line; all of them when nothing follows or the line is too long to wait for its end.
fn whole_lines(bytes: &[u8], complete: bool) -> usize {
    match bytes.iter().rposition(|&byte| byte == b'\n') {
        _ if complete => bytes.len(),
        Some(at) => at + 1,
        None if bytes.len() >= LONGEST_LINE => whole_characters(bytes),
        None => 0,
    }
}

/// How many bytes end with a character of UTF-8.
fn whole_characters(bytes: &[u8]) -> usize {
    let last = bytes.iter().rev().take(4).enumerate().find(|(_, byte)| **byte & 0xc0 != 0x80);
    let Some((following, &first)) = last else { return bytes.len() };
    let length = match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    };
    if length > following + 1 { bytes.len() - following - 1 } else { bytes.len() }
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
    fn a_character_is_never_cut_not_even_in_a_line_that_is() {
        let text = "eins\nzwölf\n".as_bytes();
        for cut in 0..text.len() {
            assert!(std::str::from_utf8(&text[..whole_lines(&text[..cut], false)]).is_ok());
        }
        let long = "aß…🐚".repeat(LONGEST_LINE / 10 + 2);
        for cut in LONGEST_LINE..LONGEST_LINE + 10 {
            let taken = whole_lines(&long.as_bytes()[..cut], false);
            assert!(std::str::from_utf8(&long.as_bytes()[..taken]).is_ok() && cut - taken < 4);
        }
    }
}
