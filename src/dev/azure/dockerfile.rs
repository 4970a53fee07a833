//! Reads a Dockerfile the way docker's classic builder does, which is what registry tasks build with: continuation
//! lines, comments, the escape directive, stages. BuildKit's additions are refused in docker's words.

/// One instruction, its continuation lines joined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Instruction {
    /// In capitals.
    pub(super) keyword: String,
    /// `--name=value` words after the keyword, without the dashes.
    pub(super) flags: Vec<(String, String)>,
    /// What follows keyword and flags.
    pub(super) rest: String,
    /// As the log shows it.
    pub(super) text: String,
}

impl Instruction {
    pub(super) fn flag(&self, name: &str) -> Option<&str> {
        self.flags.iter().find(|(flag, _)| flag == name).map(|(_, value)| value.as_str())
    }

    /// The arguments: a JSON array or words.
    pub(super) fn arguments(&self) -> Vec<String> {
        serde_json::from_str(&self.rest).unwrap_or_else(|_| self.rest.split_whitespace().map(str::to_owned).collect())
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stage {
    /// After AS, in lower case.
    pub(super) name: Option<String>,
    /// FROM, then what follows it.
    pub(super) instructions: Vec<Instruction>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Dockerfile {
    /// ARG before the first FROM.
    pub(super) globals: Vec<Instruction>,
    pub(super) stages: Vec<Stage>,
}

const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Flags that docker's classic builder knows, by instruction.
const FLAGS: [(&str, &[&str]); 4] = [
    ("FROM", &["platform"]),
    ("COPY", &["from", "chown"]),
    ("ADD", &["chown"]),
    ("HEALTHCHECK", &["interval", "timeout", "start-period", "retries"]),
];
const BUILDKIT_FLAGS: [&str; 10] = [
    "mount",
    "network",
    "security",
    "chmod",
    "link",
    "parents",
    "exclude",
    "checksum",
    "keep-git-dir",
    "start-interval",
];

impl Dockerfile {
    /// The error is the line that docker prints.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut file = Self { globals: Vec::new(), stages: Vec::new() };
        let at = |line: usize, problem: &str| format!("dockerfile parse error line {line}: {problem}");
        for (line, text) in joined(text) {
            let instruction = instruction(line, &text)?;
            match (instruction.keyword.as_str(), file.stages.last_mut()) {
                ("FROM", _) => {
                    let words = instruction.arguments();
                    let name = match words.len() {
                        1 => None,
                        3 if words[1].eq_ignore_ascii_case("as") => Some(words[2].to_lowercase()),
                        _ => return Err(at(line, "FROM requires either one or three arguments")),
                    };
                    file.stages.push(Stage { name, instructions: vec![instruction] });
                }
                (_, Some(stage)) => stage.instructions.push(instruction),
                ("ARG", None) => file.globals.push(instruction),
                (_, None) => return Err(at(line, "no build stage in current context")),
            }
        }
        if file.stages.is_empty() {
            return Err("file with no instructions".into());
        }
        Ok(file)
    }

    /// How many stages a build of `target` takes; a stage is named or counted from 0.
    pub(super) fn stages_until(&self, target: Option<&str>) -> Result<usize, String> {
        let Some(target) = target.filter(|target| !target.is_empty()) else { return Ok(self.stages.len()) };
        let lower = target.to_lowercase();
        let named = self.stages.iter().position(|stage| stage.name.as_deref() == Some(&lower));
        let counted = target.parse().ok().filter(|index| *index < self.stages.len());
        let index = named.or(counted);
        index.map(|index| index + 1).ok_or_else(|| format!("failed to reach build target {target} in Dockerfile"))
    }
}

fn instruction(line: usize, text: &str) -> Result<Instruction, String> {
    let (word, mut rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let keyword = word.to_uppercase();
    if !KEYWORDS.contains(&keyword.as_str()) {
        return Err(format!("dockerfile parse error line {line}: unknown instruction: {word}"));
    }
    let allowed = FLAGS.iter().find(|(name, _)| *name == keyword).map_or(&[] as &[&str], |(_, flags)| flags);
    let mut flags = Vec::new();
    rest = rest.trim_start();
    while let Some(flag) = rest.strip_prefix("--") {
        let (flag, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        let (name, value) = flag.split_once('=').unwrap_or((flag, ""));
        if BUILDKIT_FLAGS.contains(&name) {
            return Err(format!(
                "the --{name} option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/ to learn how to build images with BuildKit enabled"
            ));
        }
        if !allowed.contains(&name) {
            return Err(format!("dockerfile parse error line {line}: unknown flag: {name}"));
        }
        flags.push((name.to_owned(), value.to_owned()));
        rest = after.trim_start();
    }
    if rest.is_empty() {
        let problem = format!("{keyword} requires at least one argument");
        return Err(format!("dockerfile parse error line {line}: {problem}"));
    }
    Ok(Instruction { keyword, flags, rest: rest.trim_end().to_owned(), text: text.trim_end().to_owned() })
}

/// Instructions with the number of their first line.
fn joined(text: &str) -> Vec<(usize, String)> {
    let text = text.trim_start_matches('\u{feff}');
    let escape = escape_directive(text);
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let ended = line.trim_end();
        let (part, more) = match ended.strip_suffix(escape) {
            Some(part) => (part, true),
            None => (ended, false),
        };
        match found.last_mut() {
            Some((_, instruction)) if open => instruction.push_str(part),
            _ => found.push((index + 1, part.trim_start().to_owned())),
        }
        open = more;
    }
    found
}

fn escape_directive(text: &str) -> char {
    for line in text.lines() {
        let Some(directive) = line.trim().strip_prefix('#') else { break };
        let Some((name, value)) = directive.split_once('=') else { break };
        if name.trim().eq_ignore_ascii_case("escape") && value.trim() == "`" {
            return '`';
        }
    }
    '\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blank_lines_vanish_even_inside_a_continued_instruction() {
        let file = Dockerfile::parse("# a\nFROM a\nRUN one && \\\n  # why\n\n  two\n").unwrap();
        let run = &file.stages[0].instructions[1];
        assert_eq!(run.text, "RUN one &&   two");
        assert_eq!(run.rest, "one &&   two");
    }

    #[test]
    fn stages_are_named_and_flags_are_taken_apart() {
        let file = Dockerfile::parse(
            "ARG V=1\nFROM node:$V AS Build\nRUN x\nFROM scratch\nCOPY --from=build --chown=1:1 /a /b\n",
        )
        .unwrap();
        assert_eq!(file.globals.len(), 1);
        assert_eq!(file.stages[0].name.as_deref(), Some("build"));
        let copy = &file.stages[1].instructions[1];
        assert_eq!((copy.flag("from"), copy.flag("chown"), copy.rest.as_str()), (Some("build"), Some("1:1"), "/a /b"));
        assert_eq!(file.stages_until(Some("BUILD")), Ok(1));
        assert_eq!(file.stages_until(None), Ok(2));
        assert!(file.stages_until(Some("nope")).is_err());
    }

    #[test]
    fn the_escape_directive_changes_the_continuation_character() {
        let file = Dockerfile::parse("# escape=`\nFROM a\nRUN one `\n two \\\n").unwrap();
        assert_eq!(file.stages[0].instructions[1].rest, "one  two \\");
    }

    #[test]
    fn what_the_classic_builder_refuses_is_refused_in_its_words() {
        for (text, problem) in [
            ("FROM a\nFETCH b\n", "dockerfile parse error line 2: unknown instruction: FETCH"),
            ("RUN a\nFROM b\n", "dockerfile parse error line 1: no build stage in current context"),
            ("FROM a b\n", "dockerfile parse error line 1: FROM requires either one or three arguments"),
            ("FROM a\nCOPY --what=1 a b\n", "dockerfile parse error line 2: unknown flag: what"),
            ("FROM a\nENV\n", "dockerfile parse error line 2: ENV requires at least one argument"),
            ("# nothing\n", "file with no instructions"),
        ] {
            assert_eq!(Dockerfile::parse(text), Err(problem.to_owned()));
        }
        let mount = Dockerfile::parse("FROM a\nRUN --mount=type=cache,target=/x y\n");
        assert!(mount.is_err_and(|problem| problem.starts_with("the --mount option requires BuildKit")));
    }
}
