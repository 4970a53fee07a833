//! How an upgrade reaches the platform, who has to agree, and how long there is a way back.

use std::time::Duration;

use url::Url;

use super::address::is_loopback;
use super::mode::Mode;
use super::reader::Reader;
use super::setting::{Kind, Setting};

pub const CONTAINER_APP: Setting = Setting::new(
    "PLATFORM_CONTAINER_APP",
    Kind::Text,
    "The name of the Container App that the platform runs as. Unset: an upgrade that is to be rolled out fails with \
     `app_unset` before it builds anything.",
);

pub const STRATEGY: Setting = Setting::new(
    "UPGRADE_STRATEGY",
    Kind::Choice(&["in_place", "blue_green", "build_only"]),
    "How a new version takes over: in_place replaces the revision of an app in single revision mode; blue_green proves the \
     new revision without traffic and then flips, in multiple revision mode; build_only ends with built images. A start may \
     ask for another.",
)
.or("in_place");

pub const AUTO_ROLLBACK: Setting = Setting::new(
    "UPGRADE_AUTO_ROLLBACK",
    Kind::Choice(&["true", "false"]),
    "Whether an upgrade goes back by itself when the new revision fails, is cancelled or takes too long.",
)
.or("true");

pub const ROLLOUT_SECONDS: Setting = Setting::new(
    "UPGRADE_ROLLOUT_SECONDS",
    Kind::Integer { min: 30, max: 780 },
    "How long a new revision may take to become ready.",
)
.or("600");

pub const READINESS_URL: Setting = Setting::new(
    "UPGRADE_READINESS_URL",
    Kind::Text,
    "What blue_green asks whether the new revision works: an address with {fqdn} or {revision} in it, such as \
     https://{fqdn}/api/health. Unset: a person has to tell.",
);

pub const VALIDATE_SECONDS: Setting = Setting::new(
    "UPGRADE_VALIDATE_SECONDS",
    Kind::Integer { min: 10, max: 3_600 },
    "How long blue_green tries to prove a new revision before it gets traffic.",
)
.or("900");

pub const CONFIRM_SECONDS: Setting = Setting::new(
    "UPGRADE_CONFIRM_SECONDS",
    Kind::Integer { min: 10, max: 3_600 },
    "How long blue_green watches a new revision with traffic before the upgrade has succeeded.",
)
.or("300");

pub const VERDICT_MINUTES: Setting = Setting::new(
    "UPGRADE_VERDICT_MINUTES",
    Kind::Integer { min: 1, max: 1_440 },
    "How long blue_green waits for a person's verdict where its own is inconclusive; then it goes back.",
)
.or("60");

pub const APPROVAL: Setting = Setting::new(
    "UPGRADE_APPROVAL",
    Kind::Choice(&["off", "required"]),
    "Whether an admin other than the one who started it has to approve an upgrade once its images are built.",
)
.or("off");

pub const APPROVAL_MINUTES: Setting = Setting::new(
    "UPGRADE_APPROVAL_MINUTES",
    Kind::Integer { min: 1, max: 43_200 },
    "How long an upgrade waits for its approval before it fails.",
)
.or("1440");

pub const ROLLBACK_HOURS: Setting = Setting::new(
    "UPGRADE_ROLLBACK_HOURS",
    Kind::Integer { min: 1, max: 2_160 },
    "How long after an upgrade it can be rolled back by a call; until then retention spares what that needs.",
)
.or("168");

pub const KEEP_IMAGES: Setting = Setting::new(
    "UPGRADE_KEEP_IMAGES",
    Kind::Integer { min: 1, max: 1_000 },
    "How many versions of each component's image retention keeps, the newest first; those in use are kept besides.",
)
.or("5");

pub const KEEP_REVISIONS: Setting = Setting::new(
    "UPGRADE_KEEP_REVISIONS",
    Kind::Integer { min: 1, max: 100 },
    "How many revisions of the Container App retention keeps, the newest first; those in use are kept besides.",
)
.or("10");

pub const GIT_HOSTS: Setting = Setting::new(
    "UPGRADE_GIT_HOSTS",
    Kind::List,
    "The hosts that UPGRADE_GIT_REMOTE may name, separated by commas. Unset: any public host.",
);

/// How a new version takes over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StrategyConfig {
    InPlace,
    BlueGreen,
    BuildOnly,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RolloutConfig {
    /// `PLATFORM_CONTAINER_APP`
    pub container_app: Option<String>,
    /// `UPGRADE_STRATEGY`
    pub strategy: StrategyConfig,
    /// `UPGRADE_AUTO_ROLLBACK`
    pub auto_rollback: bool,
    /// `UPGRADE_ROLLOUT_SECONDS`
    pub rollout: Duration,
    /// `UPGRADE_READINESS_URL`, with its placeholders
    pub readiness_url: Option<String>,
    /// `UPGRADE_VALIDATE_SECONDS`
    pub validate: Duration,
    /// `UPGRADE_CONFIRM_SECONDS`
    pub confirm: Duration,
    /// `UPGRADE_VERDICT_MINUTES`
    pub verdict: Duration,
    /// `UPGRADE_APPROVAL` and `UPGRADE_APPROVAL_MINUTES`; `None`: nobody has to agree
    pub approval: Option<Duration>,
    /// `UPGRADE_ROLLBACK_HOURS`
    pub rollback_window: Duration,
    /// `UPGRADE_KEEP_IMAGES`
    pub keep_images: usize,
    /// `UPGRADE_KEEP_REVISIONS`
    pub keep_revisions: usize,
}

pub(super) fn load(reader: &mut Reader<'_>, mode: Mode) -> Option<RolloutConfig> {
    let container_app = reader.parsed(
        &CONTAINER_APP,
        "give the name of a Container App: 2 to 32 of a-z, 0-9 and single dashes, beginning with a letter",
        |text| is_app_name(text).then(|| text.to_owned()),
    );
    let strategy = reader.choice(&STRATEGY).map(|word| match word {
        "blue_green" => StrategyConfig::BlueGreen,
        "build_only" => StrategyConfig::BuildOnly,
        _ => StrategyConfig::InPlace,
    });
    let auto_rollback = reader.choice(&AUTO_ROLLBACK).map(|word| word == "true");
    let rollout = seconds(reader, &ROLLOUT_SECONDS);
    let readiness_url = reader.parsed(
        &READINESS_URL,
        "give an https address with {fqdn} or {revision} in it, such as https://{fqdn}/api/health (in Development, http \
         to a loopback address will do)",
        |text| is_readiness_url(text, mode).then(|| text.to_owned()),
    );
    let (validate, confirm) = (seconds(reader, &VALIDATE_SECONDS), seconds(reader, &CONFIRM_SECONDS));
    let verdict = reader.integer(&VERDICT_MINUTES).map(minutes);
    let approval = reader.choice(&APPROVAL).map(|word| word == "required");
    let approval_minutes = reader.integer(&APPROVAL_MINUTES).map(minutes);
    let rollback_window = reader.integer(&ROLLBACK_HOURS).map(|hours| Duration::from_secs(hours * 3_600));
    let (keep_images, keep_revisions) = (count(reader, &KEEP_IMAGES), count(reader, &KEEP_REVISIONS));
    let approval_minutes = approval_minutes?;
    Some(RolloutConfig {
        container_app,
        strategy: strategy?,
        auto_rollback: auto_rollback?,
        rollout: rollout?,
        readiness_url,
        validate: validate?,
        confirm: confirm?,
        verdict: verdict?,
        approval: approval?.then_some(approval_minutes),
        rollback_window: rollback_window?,
        keep_images: keep_images?,
        keep_revisions: keep_revisions?,
    })
}

/// The remote's host has to be one of those that are allowed, if any are named.
pub(super) fn check_git_host(reader: &mut Reader<'_>, setting: &Setting, remote: Option<&Url>) {
    let allowed = reader.list(&GIT_HOSTS);
    let Some(host) = remote.and_then(Url::host_str).filter(|_| !allowed.is_empty()) else { return };
    if !allowed.iter().any(|known| known.eq_ignore_ascii_case(host)) {
        reader.fault(
            setting,
            &format!("names the host {host}, which is not in {}", GIT_HOSTS.name),
            "name a repository on an allowed host, or add the host to the list",
        );
    }
}

fn seconds(reader: &mut Reader<'_>, setting: &Setting) -> Option<Duration> {
    reader.integer(setting).map(Duration::from_secs)
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

fn count(reader: &mut Reader<'_>, setting: &Setting) -> Option<usize> {
    reader.integer(setting).and_then(|count| usize::try_from(count).ok())
}

fn is_app_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (2..=32).contains(&text.len())
        && text.bytes().all(fits)
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && !text.contains("--")
}

/// An address that leads to another place for every revision.
fn is_readiness_url(text: &str, mode: Mode) -> bool {
    let filled = text.replace("{fqdn}", "app.example.test").replace("{revision}", "app--v1");
    let Ok(url) = Url::parse(&filled) else { return false };
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none() && url.has_host();
    let safe = url.scheme() == "https" || (url.scheme() == "http" && mode == Mode::Development && is_loopback(&url));
    plain && safe && filled != text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apps_name_is_what_azure_takes_for_one() {
        for name in ["platform", "a1", "my-app-2"] {
            assert!(is_app_name(name), "{name}");
        }
        for name in ["", "a", "-app", "app-", "my--app", "App", "1app", "an-app-with-a-name-that-is-too-long"] {
            assert!(!is_app_name(name), "{name}");
        }
    }

    #[test]
    fn a_readiness_address_differs_between_revisions_and_is_safe() {
        assert!(is_readiness_url("https://{fqdn}/health", Mode::Production));
        assert!(is_readiness_url("http://127.0.0.1:9/_app/{revision}/health", Mode::Development));
        for text in
            ["https://app.example.test/health", "http://{fqdn}/health", "https://u:p@{fqdn}/", "{fqdn}/health", "x"]
        {
            assert!(!is_readiness_url(text, Mode::Production), "{text}");
        }
    }
}
