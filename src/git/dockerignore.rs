//! `.dockerignore`, with Docker's semantics.
//!
//! Rules are tried in order and the last one that matches decides. A rule matches a path if it matches the path itself
//! or one of the directories above it; `!` takes paths back in. Where azure-cli deviates from Docker, Docker is
//! followed, because that is what the author of the file has tested with: `/foo` and `foo/` mean `foo`, `**/x` also
//! matches an `x` at the root, and surrounding blanks are trimmed.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

/// The rules of one file.
#[derive(Clone, Debug, Default)]
pub struct Dockerignore {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug)]
struct Rule {
    pattern: Regex,
    takes_back: bool,
}

/// A line that is no pattern. Docker fails a build for it too.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line} of the ignore file is no pattern: '{text}'")]
pub struct BadPattern {
    pub line: usize,
    pub text: String,
}

/// A compiled rule larger than this is no rule that somebody wrote.
const MAX_RULE_BYTES: usize = 1 << 20;

impl Dockerignore {
    pub fn parse(text: &[u8]) -> Result<Self, BadPattern> {
        let text = String::from_utf8_lossy(text);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut rules = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.starts_with('#') {
                continue;
            }
            let trimmed = line.trim();
            let (takes_back, pattern) = match trimmed.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, trimmed),
            };
            let bad = || BadPattern { line: index + 1, text: trimmed.chars().take(80).collect() };
            if pattern.is_empty() {
                if takes_back {
                    return Err(bad());
                }
                continue;
            }
            let pattern = expression(&clean(pattern)).and_then(compile).ok_or_else(bad)?;
            rules.push(Rule { pattern, takes_back });
        }
        Ok(Self { rules })
    }

    /// Whether `path`, relative to the context's root and with `/` between its parts, stays out of the context.
    pub fn ignores(&self, path: &str) -> bool {
        let parents = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        let candidates: Vec<_> = std::iter::once(path).chain(parents).collect();
        let last = self.rules.iter().rev().find(|rule| candidates.iter().any(|path| rule.pattern.is_match(path)));
        last.is_some_and(|rule| !rule.takes_back)
    }

    /// Whether some path may be taken back in, so that an ignored directory must be looked into.
    pub fn takes_back(&self) -> bool {
        self.rules.iter().any(|rule| rule.takes_back)
    }
}

fn compile(expression: String) -> Option<Regex> {
    RegexBuilder::new(&expression).size_limit(MAX_RULE_BYTES).dot_matches_new_line(true).build().ok()
}

/// The pattern without `.`, `..`, doubled, leading and trailing slashes.
fn clean(pattern: &str) -> Cow<'_, str> {
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let cleaned = parts.join("/");
    if cleaned == pattern { Cow::Borrowed(pattern) } else { Cow::Owned(cleaned) }
}

/// The regular expression for a pattern, or `None` if a bracket or a backslash is left open.
fn expression(pattern: &str) -> Option<String> {
    let mut out = String::from("^");
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '*' if rest.peek() == Some(&'*') => {
                while rest.peek() == Some(&'*') {
                    rest.next();
                }
                if rest.peek() == Some(&'/') {
                    rest.next();
                }
                out.push_str(if rest.peek().is_none() { ".*" } else { "(?:.*/)?" });
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' => class(&mut rest, &mut out)?,
            '\\' => push_literal(rest.next()?, &mut out),
            c => push_literal(c, &mut out),
        }
    }
    out.push('$');
    Some(out)
}

fn push_literal(c: char, out: &mut String) {
    out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
}

/// `[a-z]` or `[^a-z]`; a backslash makes the next character a plain one.
fn class(rest: &mut impl Iterator<Item = char>, out: &mut String) -> Option<()> {
    let mut inside = String::new();
    let mut negated = false;
    let mut first = true;
    loop {
        match rest.next()? {
            '^' if first => negated = true,
            ']' if inside.is_empty() => return None,
            ']' => break,
            '-' => inside.push('-'),
            '\\' => push_in_class(rest.next()?, &mut inside),
            c => push_in_class(c, &mut inside),
        }
        first = false;
    }
    // As in a shell, no class stands for the slash.
    out.push_str(if negated { "[^/" } else { "[" });
    out.push_str(&inside);
    out.push(']');
    Some(())
}

fn push_in_class(c: char, inside: &mut String) {
    if matches!(c, '[' | ']' | '\\' | '^' | '-' | '&' | '~') {
        inside.push('\\');
    }
    inside.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], ignored: &[&str], kept: &[&str]) {
        let rules = Dockerignore::parse(lines.join("\n").as_bytes()).unwrap();
        for path in ignored {
            assert!(rules.ignores(path), "{lines:?} should ignore {path}");
        }
        for path in kept {
            assert!(!rules.ignores(path), "{lines:?} should keep {path}");
        }
    }

    #[test]
    fn a_rule_covers_what_is_below_it_and_is_anchored_at_the_root() {
        check(
            &["node_modules", "*.log", "!keep.log"],
            &["node_modules", "node_modules/a.js", "a.log"],
            &["keep.log", "sub/a.log", "sub/node_modules", "node_modules2"],
        );
    }

    #[test]
    fn two_stars_match_any_number_of_directories_and_none() {
        check(&["**/*.log"], &["a.log", "sub/a.log", "a/b/c.log"], &["a.txt"]);
        check(&["a/**/b"], &["a/b", "a/x/b", "a/x/y/b"], &["b", "ab", "a/xb"]);
        check(&["a/**"], &["a/b", "a/b/c"], &["b", "b/a"]);
        check(&["**"], &["a", "a/b"], &[]);
        check(&["**/foo"], &["foo", "a/foo", "a/foo/bar"], &["afoo", "a/xfoo"]);
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        check(&["dir", "!dir/keep"], &["dir/x", "dir"], &["dir/keep", "dir/keep/below"]);
        check(&["!dir/keep", "dir"], &["dir/keep"], &[]);
        check(&["*", "!src", "src/*.tmp"], &["a", "src/a.tmp"], &["src", "src/a.rs", "src/sub/a.tmp"]);
    }

    #[test]
    fn slashes_around_a_rule_mean_nothing_as_in_docker() {
        check(
            &["/foo", "bar/", "./baz", "a//b", "x/../y"],
            &["foo", "bar", "bar/z", "baz", "a/b", "y"],
            &["x", "c/foo"],
        );
        check(&["*", "!/keep/"], &["other"], &["keep", "keep/a"]);
    }

    #[test]
    fn blank_lines_comments_blanks_and_a_byte_order_mark_are_no_rules() {
        check(&["\u{feff}# first", "", "   ", "  padded  ", "#x"], &["padded"], &["# first", "#x", "x"]);
        check(&["\u{feff}first"], &["first"], &[]);
        check(&["a\r", "b\r"], &["a", "b"], &[]);
    }

    #[test]
    fn questions_classes_and_escapes_match_single_characters() {
        check(
            &["a?c", "[x-z]1", "[^a]2", r"\*3", r"d[\]]"],
            &["abc", "aéc", "y1", "b2", "*3", "d]"],
            &["a/c", "a1", "a2", "x3"],
        );
        check(
            &["a.b", "c+d", "(e)", "f|g", "[&&]"],
            &["a.b", "c+d", "(e)", "f|g", "&"],
            &["axb", "ccd", "e", "f", "g"],
        );
        check(&["[^a]x"], &["bx"], &["/x", "ax"]);
    }

    #[test]
    fn a_line_that_is_no_pattern_is_named() {
        for (text, line) in [("ok\n[a", 2), ("!", 1), ("a\\", 1), ("[]", 1), ("[z-a]", 1)] {
            assert_eq!(Dockerignore::parse(text.as_bytes()).map_err(|e| e.line).err(), Some(line), "{text}");
        }
    }
}
