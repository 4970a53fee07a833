//! The lines around docker's own that a registry task prints. Wording: published logs of registry tasks.

use sha2::{Digest, Sha256};

use super::scan;

/// A line of a build log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// As docker printed it.
    Plain(String),
    /// The agent's own, after the time.
    Stamped(String),
    /// The agent's verdict; `{}` is the time that the run took.
    Elapsed(String),
}

pub(super) fn plain(text: impl Into<String>) -> Line {
    Line::Plain(text.into())
}

pub(super) fn stamped(text: impl Into<String>) -> Line {
    Line::Stamped(text.into())
}

/// Twelve hex digits, as docker shortens its ids.
pub(super) fn short_id(of: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in of {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hex::encode(&hasher.finalize()[..6])
}

pub(super) fn digest_of(text: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(text)))
}

pub(super) fn downloading() -> Vec<Line> {
    vec![stamped("Downloading source code...")]
}

/// From the download to the start of docker.
pub(super) fn preparing(run: &str, login_server: &str) -> Vec<Line> {
    let id = short_id(&["volume", run]);
    vec![
        stamped("Finished downloading source code"),
        stamped(format!("Using acb_vol_{id} as the home volume")),
        stamped("Setting up Docker configuration..."),
        stamped("Successfully set up Docker configuration"),
        stamped(format!("Logging in to registry: {login_server}")),
        stamped(format!("Successfully logged into {login_server}")),
        stamped("Executing step ID: build. Timeout(sec): 28800, Working directory: '', Network: ''"),
        stamped("Scanning for dependencies..."),
    ]
}

pub(super) fn scanned(arguments: &[(String, String)], secrets: &[String], bytes: u64) -> Vec<Line> {
    let mut lines = vec![stamped("Successfully scanned dependencies"), stamped("Launching container with name: build")];
    for (name, value) in arguments {
        let value = if secrets.contains(name) { "***" } else { value };
        lines.push(plain(format!("--build-arg {name}={value}")));
    }
    lines.push(plain(format!("Sending build context to Docker daemon  {:.3}kB", bytes as f64 / 1000.0)));
    lines
}

pub(super) fn failed(run: &str) -> Vec<Line> {
    vec![
        stamped("Container failed during run: build. No retries remaining."),
        plain("failed to run step ID: build: exit status 1"),
        plain(""),
        verdict_failed(run, "failed during run, err: exit status 1"),
    ]
}

pub(super) fn scan_failed(run: &str, problem: &str) -> Vec<Line> {
    vec![
        plain(problem),
        plain("failed to run step ID: build: failed to scan dependencies: exit status 1"),
        plain(""),
        verdict_failed(run, "failed during run, err: exit status 1"),
    ]
}

pub(super) fn verdict_failed(run: &str, reason: &str) -> Line {
    Line::Elapsed(format!("Run ID: {run} failed after {{}}. Error: {reason}"))
}

pub(super) fn pushing(image: &str, layers: &[String], digest: &str) -> Vec<Line> {
    let (name, tag) = image.rsplit_once(':').unwrap_or((image, "latest"));
    let mut lines = vec![
        stamped(format!("Pushing image: {image}, attempt 1")),
        plain(format!("The push refers to repository [{name}]")),
    ];
    lines.extend(layers.iter().map(|layer| plain(format!("{layer}: Preparing"))));
    lines.extend(layers.iter().map(|layer| plain(format!("{layer}: Pushed"))));
    lines.push(plain(format!("{tag}: digest: {digest} size: {}", 528 + 210 * layers.len())));
    lines.push(stamped(format!("Successfully pushed image: {image}")));
    lines
}

/// The list of dependencies and the verdict. `images` are full names; `bases` as the scan found them.
pub(super) fn succeeded(run: &str, images: &[String], digest: &str, bases: &[String]) -> Vec<Line> {
    let mut lines = vec![
        stamped("Step ID: build marked as successful (elapsed time in seconds: 12.648945)"),
        stamped("Populating digests for step ID: build..."),
        stamped("Successfully populated digests for step ID: build"),
        stamped("The following dependencies were found:"),
        stamped(""),
    ];
    let entry = |lines: &mut Vec<Line>, image: &str, digest: &str, indent: &str| {
        let (registry, repository, tag) = scan::reference(image);
        for (name, value) in
            [("registry", &*registry), ("repository", &*repository), ("tag", &*tag), ("digest", digest)]
        {
            lines.push(plain(format!("{indent}{name}: {value}")));
        }
    };
    for image in images {
        lines.push(plain("- image:"));
        entry(&mut lines, image, digest, "    ");
        for (index, base) in bases.iter().enumerate() {
            match index {
                0 => lines.push(plain("  runtime-dependency:")),
                1 => lines.push(plain("  buildtime-dependency:")),
                _ => {}
            }
            if index == 0 {
                entry(&mut lines, base, &digest_of(base), "    ");
            } else {
                let (registry, repository, tag) = scan::reference(base);
                lines.push(plain(format!("  - registry: {registry}")));
                lines.push(plain(format!("    repository: {repository}")));
                lines.push(plain(format!("    tag: {tag}")));
                lines.push(plain(format!("    digest: {}", digest_of(base))));
            }
        }
        lines.push(plain("  git: {}"));
    }
    lines.push(plain(""));
    lines.push(plain(""));
    lines.push(Line::Elapsed(format!("Run ID: {run} was successful after {{}}")));
    lines
}
