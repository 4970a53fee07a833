//! From a build request and its archive to everything that the run will say and how it will end.

use sha2::{Digest, Sha256};

use super::context::Context;
use super::dataplane::Manifest;
use super::dockerfile::Dockerfile;
use super::faults::BuildEffect;
use super::schedule::BuildRequest;
use super::steps::{self, Asked, Ended, Steps};
use super::transcript::{self, Line, plain, stamped};

/// The states of a run. Source: Runs_Get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Status {
    Queued,
    Started,
    Running,
    Succeeded,
    Failed,
    Canceled,
    Error,
    Timeout,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Started => "Started",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
            Self::Error => "Error",
            Self::Timeout => "Timeout",
        }
    }

    pub(super) fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Started | Self::Running)
    }

    /// The value of the log blob's `Complete` metadata, which has a vocabulary of its own.
    pub(super) fn completion(self) -> Option<&'static str> {
        match self {
            Self::Succeeded => Some("successful"),
            Self::Failed => Some("failed"),
            Self::Canceled => Some("canceled"),
            Self::Error => Some("internalerror"),
            Self::Timeout => Some("timedout"),
            Self::Queued | Self::Started | Self::Running => None,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct OutputImage {
    pub(super) repository: String,
    pub(super) tag: String,
    pub(super) digest: String,
    /// What its manifest is made from.
    pub(super) content: String,
}

/// One step of time in the life of a run.
#[derive(Clone, Debug)]
pub(super) struct Beat {
    pub(super) status: Status,
    pub(super) lines: Vec<Line>,
    /// With a terminal status only.
    pub(super) error: Option<String>,
    pub(super) outputs: Vec<OutputImage>,
}

impl Beat {
    fn going(status: Status, lines: Vec<Line>) -> Self {
        Self { status, lines, error: None, outputs: Vec::new() }
    }

    fn over(status: Status, lines: Vec<Line>, error: &str) -> Self {
        Self { error: Some(error.to_owned()), ..Self::going(status, lines) }
    }
}

const FAILED: &str = "failed during run, err: exit status 1";
const NO_DOWNLOAD: &str = "failed to download context. Please check if the URL is incorrect. If it has credentials, please check if they are expired";

/// Everything that follows `Queued`. `archive` is `None` when nothing was uploaded.
pub(super) fn plan(
    run: &str,
    request: &BuildRequest,
    archive: Option<&[u8]>,
    login_server: &str,
    effects: &[BuildEffect],
) -> Vec<Beat> {
    let mut beats = vec![Beat::going(Status::Started, transcript::downloading())];
    let context = match archive.map(|archive| Context::unpack(archive, &request.dockerfile)) {
        Some(Ok(context)) => context,
        Some(Err(problem)) => {
            let error = format!("failed to download source code: {problem}");
            let lines = vec![plain(format!("failed to decompress the source: {problem}"))];
            beats.push(Beat::over(
                Status::Failed,
                [lines, vec![transcript::verdict_failed(run, &error)]].concat(),
                &error,
            ));
            return beats;
        }
        None => {
            beats.push(Beat::over(Status::Failed, vec![transcript::verdict_failed(run, NO_DOWNLOAD)], NO_DOWNLOAD));
            return beats;
        }
    };
    beats.push(Beat::going(Status::Running, transcript::preparing(run, login_server)));
    let bases = match scanned(request, &context) {
        Ok(bases) => bases,
        Err(problem) => {
            beats.push(Beat::over(Status::Failed, transcript::scan_failed(run, &problem), FAILED));
            return beats;
        }
    };
    let secrets = request.secret_names();
    beats.push(Beat::going(Status::Running, transcript::scanned(&request.arguments(), &secrets, context.bytes())));
    let asked = Asked { arguments: &request.arguments(), secrets: &secrets, target: request.target.as_deref() };
    let text = context.dockerfile().unwrap_or_default();
    let steps = Dockerfile::parse(text).and_then(|file| steps::play(&file, &context, &asked, effects));
    match steps {
        Err(problem) => {
            let lines = [vec![plain(problem)], transcript::failed(run)].concat();
            beats.push(Beat::over(Status::Failed, lines, FAILED));
        }
        Ok(Steps { beats: steps, ended }) => {
            beats.extend(steps.into_iter().map(|lines| Beat::going(Status::Running, lines)));
            beats.extend(ending(run, request, ended, &content(request, &context), login_server, &bases));
        }
    }
    beats
}

fn scanned(request: &BuildRequest, context: &Context) -> Result<Vec<String>, String> {
    let path = &request.dockerfile;
    let text = context
        .dockerfile()
        .ok_or_else(|| format!("error opening dockerfile: {path}, error: open {path}: no such file or directory"))?;
    super::scan::base_images(text, &request.arguments())
}

fn ending(
    run: &str,
    request: &BuildRequest,
    ended: Ended,
    content: &str,
    login_server: &str,
    bases: &[String],
) -> Vec<Beat> {
    let digest = &Manifest::of(content).digest();
    let image = match ended {
        Ended::Built { image } => image,
        Ended::Failed => return vec![Beat::over(Status::Failed, transcript::failed(run), FAILED)],
        Ended::TimedOut => {
            let error = "failed during run, err: context deadline exceeded";
            let lines = vec![plain(""), transcript::verdict_failed(run, error)];
            return vec![Beat::over(Status::Timeout, lines, error)];
        }
        Ended::AgentLost => {
            return vec![Beat::over(Status::Error, Vec::new(), "The agent stopped responding.")];
        }
    };
    let names: Vec<String> = request.images.iter().map(|name| name.replace("{{.Run.ID}}", run)).map(with_tag).collect();
    let full: Vec<String> = names.iter().map(|name| format!("{login_server}/{name}")).collect();
    let mut built = vec![plain(format!("Successfully built {image}"))];
    built.extend(full.iter().map(|name| plain(format!("Successfully tagged {name}"))));
    built.push(stamped("Successfully executed container: build"));
    let mut beats = vec![Beat::going(Status::Running, built)];
    let mut outputs = Vec::new();
    if request.push && !names.is_empty() {
        let layers: Vec<String> = (0..3).map(|n| transcript::short_id(&["pushed", &image, &n.to_string()])).collect();
        let start = stamped("Executing step ID: push. Timeout(sec): 3600, Working directory: '', Network: ''");
        let pushes = full.iter().flat_map(|name| transcript::pushing(name, &layers, digest));
        beats.push(Beat::going(Status::Running, std::iter::once(start).chain(pushes).collect()));
        outputs.extend(names.iter().filter_map(|name| name.rsplit_once(':')).map(|(repository, tag)| OutputImage {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            digest: digest.to_owned(),
            content: content.to_owned(),
        }));
    }
    let lines = transcript::succeeded(run, &full, digest, bases);
    beats.push(Beat { outputs, ..Beat::going(Status::Succeeded, lines) });
    beats
}

fn with_tag(name: String) -> String {
    if name.contains(':') { name } else { format!("{name}:latest") }
}

/// The same for the same sources, Dockerfile, arguments, target and platform.
fn content(request: &BuildRequest, context: &Context) -> String {
    let mut hasher = Sha256::new();
    hasher.update(context.digest());
    let mut field = |text: &str| {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text);
    };
    field(context.dockerfile().unwrap_or_default());
    field(request.target.as_deref().unwrap_or_default());
    field(&request.os);
    field(&request.architecture);
    for (name, value) in request.arguments() {
        field(&name);
        field(&value);
    }
    hex::encode(hasher.finalize())
}
