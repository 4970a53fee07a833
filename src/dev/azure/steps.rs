//! Docker's classic builder at work: one beat an instruction, until the last or the first that fails.

use std::collections::BTreeSet;

use super::context::Context;
use super::copy;
use super::dockerfile::{Dockerfile, Instruction, Stage};
use super::expand::{Variables, assignments, expand};
use super::faults::BuildEffect;
use super::scan;
use super::transcript::{Line, digest_of, plain, short_id};

/// How the steps ended.
pub(super) enum Ended {
    /// With this image id.
    Built { image: String },
    /// Docker returned a non-zero code.
    Failed,
    /// The run passed its time limit.
    TimedOut,
    /// The agent went away.
    AgentLost,
}

pub(super) struct Steps {
    /// The lines of each step.
    pub(super) beats: Vec<Vec<Line>>,
    pub(super) ended: Ended,
}

struct Builder<'a> {
    context: &'a Context,
    given: &'a [(String, String)],
    secrets: Vec<String>,
    effects: &'a [BuildEffect],
    total: usize,
    number: usize,
    globals: Variables,
    used: BTreeSet<String>,
    /// Names and image ids of the stages so far.
    done: Vec<(Option<String>, String)>,
    beats: Vec<Vec<Line>>,
}

/// What the caller asked docker for.
pub(super) struct Asked<'a> {
    pub(super) arguments: &'a [(String, String)],
    /// The names of the arguments whose values no log may show.
    pub(super) secrets: &'a [String],
    pub(super) target: Option<&'a str>,
}

/// Plays `file` over `context`. The error is what docker prints before its first step.
pub(super) fn play(
    file: &Dockerfile,
    context: &Context,
    asked: &Asked<'_>,
    effects: &[BuildEffect],
) -> Result<Steps, String> {
    let stages = &file.stages[..file.stages_until(asked.target)?];
    let total = file.globals.len() + stages.iter().map(|stage| stage.instructions.len()).sum::<usize>();
    let hidden = asked.arguments.iter().filter(|(name, value)| asked.secrets.contains(name) && !value.is_empty());
    let mut builder = Builder {
        context,
        given: asked.arguments,
        secrets: hidden.map(|(_, value)| value.clone()).collect(),
        effects,
        total,
        number: 0,
        globals: Variables::new(),
        used: BTreeSet::new(),
        done: Vec::new(),
        beats: Vec::new(),
    };
    let ended = builder.run(&file.globals, stages);
    Ok(Steps { beats: builder.beats, ended })
}

impl Builder<'_> {
    fn run(&mut self, globals: &[Instruction], stages: &[Stage]) -> Ended {
        for instruction in globals {
            let mut scope = std::mem::take(&mut self.globals);
            self.declare(instruction, &mut scope, &Variables::new());
            self.globals = scope;
            self.say(instruction, Vec::new());
        }
        let mut image = String::new();
        for stage in stages {
            match self.stage(stage) {
                Ok(built) => image = built,
                Err(ended) => return ended,
            }
            self.done.push((stage.name.clone(), image.clone()));
        }
        let unused: Vec<&str> =
            self.given.iter().map(|(name, _)| name.as_str()).filter(|name| !self.used.contains(*name)).collect();
        if let (false, Some(last)) = (unused.is_empty(), self.beats.last_mut()) {
            last.push(plain(format!("[Warning] One or more build-args [{}] were not consumed", unused.join(" "))));
        }
        Ended::Built { image }
    }

    fn stage(&mut self, stage: &Stage) -> Result<String, Ended> {
        let mut scope = Variables::new();
        let mut image = String::new();
        for instruction in &stage.instructions {
            let mut lines = Vec::new();
            let outcome = self.execute(instruction, &mut scope, &mut image, &mut lines);
            let forced = self.forced(self.number + 1, instruction, &mut lines);
            if let (Err(problem), None) = (&outcome, &forced) {
                lines.push(plain(problem.clone()));
            }
            self.say(instruction, lines);
            match (forced, outcome) {
                (Some(ended), _) => return Err(ended),
                (None, Err(_)) => return Err(Ended::Failed),
                (None, Ok(())) => {}
            }
        }
        Ok(image)
    }

    /// What a fault does to the step with this number; it replaces the step's own lines.
    fn forced(&self, number: usize, instruction: &Instruction, lines: &mut Vec<Line>) -> Option<Ended> {
        self.effects.iter().find_map(|effect| match effect {
            BuildEffect::FailStep { step, lines: last } if *step == number => {
                *lines = last.iter().map(plain).collect();
                lines.insert(0, plain(format!(" ---> Running in {}", short_id(&["container", &instruction.text]))));
                lines.push(plain(format!("The command '/bin/sh -c {}' returned a non-zero code: 1", instruction.rest)));
                Some(Ended::Failed)
            }
            BuildEffect::TimeOutInStep { step } if *step == number => Some(Ended::TimedOut),
            BuildEffect::AgentFailsInStep { step } if *step == number => Some(Ended::AgentLost),
            _ => None,
        })
    }

    fn execute(
        &mut self,
        instruction: &Instruction,
        scope: &mut Variables,
        image: &mut String,
        lines: &mut Vec<Line>,
    ) -> Result<(), String> {
        match instruction.keyword.as_str() {
            "FROM" => return self.from(instruction, image, lines),
            "ARG" => {
                let globals = self.globals.clone();
                self.declare(instruction, scope, &globals);
            }
            "ENV" => {
                for (name, value) in assignments(&instruction.rest) {
                    let value = expand(&value.unwrap_or_default(), scope);
                    scope.insert(name, value);
                }
            }
            "COPY" | "ADD" => self.copies(instruction, scope)?,
            _ => {}
        }
        let container = short_id(&["container", image, &instruction.text]);
        *image = short_id(&["layer", image, &instruction.text]);
        if matches!(instruction.keyword.as_str(), "COPY" | "ADD") {
            lines.push(plain(format!(" ---> {image}")));
            return Ok(());
        }
        lines.push(plain(format!(" ---> Running in {container}")));
        if instruction.keyword == "RUN" {
            lines.extend(printed(&instruction.rest, scope));
        }
        lines.push(plain(format!("Removing intermediate container {container}")));
        lines.push(plain(format!(" ---> {image}")));
        Ok(())
    }

    fn from(&self, instruction: &Instruction, image: &mut String, lines: &mut Vec<Line>) -> Result<(), String> {
        let words = instruction.arguments();
        let base = expand(words.first().map_or("", String::as_str), &self.globals);
        if base.is_empty() {
            return Err(format!("base name ({}) should not be blank", words.join(" ")));
        }
        let lower = base.to_lowercase();
        if let Some((_, built)) = self.done.iter().find(|(name, _)| name.as_deref() == Some(&lower)) {
            image.clone_from(built);
        } else if base == "scratch" {
            image.clear();
        } else {
            let (_, repository, tag) = scan::reference(&base);
            *image = short_id(&["base", &base]);
            lines.push(plain(format!("{tag}: Pulling from {repository}")));
            lines.push(plain(format!("Digest: {}", digest_of(&base))));
            lines.push(plain(format!("Status: Downloaded newer image for {base}")));
        }
        lines.push(plain(format!(" ---> {image}")));
        Ok(())
    }

    fn copies(&self, instruction: &Instruction, scope: &Variables) -> Result<(), String> {
        let arguments: Vec<String> = instruction.arguments().iter().map(|word| expand(word, scope)).collect();
        let Some(from) = instruction.flag("from") else {
            return copy::check(&instruction.keyword, &arguments, self.context);
        };
        let lower = from.to_lowercase();
        let named = self.done.iter().any(|(name, _)| name.as_deref() == Some(&lower));
        let counted = from.parse::<usize>().is_ok_and(|index| index < self.done.len());
        if named || counted || from.contains([':', '/', '.']) {
            return Ok(());
        }
        Err(format!(
            "invalid from flag value {from}: pull access denied for {from}, repository does not exist or may require 'docker login': denied: requested access to the resource is denied"
        ))
    }

    /// ARG: the given value, else the default, else that of an ARG before the first FROM.
    fn declare(&mut self, instruction: &Instruction, scope: &mut Variables, globals: &Variables) {
        for (name, default) in assignments(&instruction.rest) {
            let given = self.given.iter().find(|(given, _)| *given == name).map(|(_, value)| value.clone());
            let default = default.map(|value| expand(&value, scope));
            if let Some(value) = given.or(default).or_else(|| globals.get(&name).cloned()) {
                scope.insert(name.clone(), value);
            }
            self.used.insert(name);
        }
    }

    /// Ends the step: its heading, its lines, nothing secret in any of them.
    fn say(&mut self, instruction: &Instruction, lines: Vec<Line>) {
        self.number += 1;
        let heading = plain(format!("Step {}/{} : {}", self.number, self.total, instruction.text));
        let lines = std::iter::once(heading).chain(lines);
        self.beats.push(lines.map(|line| masked(line, &self.secrets)).collect());
    }
}

/// What a RUN prints, as far as it is known without running it: `echo`.
fn printed(command: &str, scope: &Variables) -> Option<Line> {
    let text = command.strip_prefix("echo ")?;
    Some(plain(expand(text.trim().trim_matches(['"', '\'']), scope)))
}

fn masked(line: Line, secrets: &[String]) -> Line {
    match line {
        Line::Plain(text) => {
            Line::Plain(secrets.iter().fold(text, |text, secret| text.replace(secret.as_str(), "***")))
        }
        other => other,
    }
}
