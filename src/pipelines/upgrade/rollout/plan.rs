//! What an upgrade would do to the app, and a hash of the world that it would do it to.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::current::unknown;
use super::snapshot::Snapshot;
use super::state::Strategy;
use super::template::{self, Difference, ImageName};
use crate::azure::container_apps::{ContainerApp, RevisionMode};
use crate::engine::PhaseError;
use crate::git::{Sha, Version};
use crate::pipelines::upgrade::{Component, Upgrade};

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    pub version: Version,
    pub sha: Option<Sha>,
    pub strategy: Strategy,
    pub allow_downgrade: bool,
    pub confirm_major: bool,
}

/// What a start would do, and whether it would be let.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Plan {
    pub target_version: String,
    /// The commit that would be built.
    pub commit: String,
    pub strategy: Strategy,
    /// None where nothing is rolled out.
    pub current: Option<Current>,
    /// By component.
    pub images: BTreeMap<String, TargetImage>,
    pub changes: Vec<Difference>,
    /// What is to be known before it is done.
    pub warnings: Vec<Remark>,
    /// Why a start as asked for would be refused.
    pub refusals: Vec<Remark>,
    /// Changes with everything that the plan was made from.
    pub plan_hash: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Current {
    pub version: Option<String>,
    pub revision: Option<String>,
    /// By container.
    pub images: BTreeMap<String, CurrentImage>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CurrentImage {
    pub image: String,
    /// None where the registry is not the platform's own, or has lost it.
    pub digest: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TargetImage {
    pub image: String,
    /// Of an image that is there already; it is built again.
    pub digest: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Remark {
    pub code: &'static str,
    pub message: String,
}

impl Upgrade {
    /// Reads the repository, the app and the registry; changes nothing.
    pub async fn plan(&self, asked: &Asked, snapshot: Option<&Snapshot>) -> Result<Plan, PhaseError> {
        let commit = self.resolve(&asked.version).await?;
        let registry = self.store.login_server().await?;
        let tag = asked.version.tag();
        let mut images = BTreeMap::new();
        for component in &self.components {
            let digest = self.store.digest(&component.image, &tag).await?;
            let image = format!("{registry}/{}:{tag}", component.image);
            images.insert(component.name.clone(), TargetImage { image, digest });
        }
        let mut plan = Plan {
            target_version: asked.version.to_string(),
            commit,
            strategy: asked.strategy,
            current: None,
            images,
            changes: Vec::new(),
            warnings: Vec::new(),
            refusals: Vec::new(),
            plan_hash: String::new(),
        };
        if let Some(sha) = asked.sha.as_ref().filter(|sha| !sha.fits(&plan.commit)) {
            let message = format!("{tag} is commit {}, not {sha}: check the tag and target_sha", plan.commit);
            plan.refusals.push(Remark { code: "sha_mismatch", message });
        }
        if asked.strategy == Strategy::BuildOnly {
            plan.plan_hash = hash(None, asked.version.as_str(), &plan.commit, asked.strategy);
            return Ok(plan);
        }
        let app = self.apps.app().await?;
        let target = template::retargeted(&app.template, &self.components, &registry, &tag);
        plan.changes = template::differences(&app.template, &target);
        let version = self.version_of(&app, &registry, snapshot).await?;
        let current = self.current(&app, &registry, version).await?;
        plan.refusals.extend(self.refusals(&app, &registry, current.version.as_deref(), asked));
        for component in template::unused(&app.template, &self.components, &registry) {
            let message = format!("no container of the app runs the image of component {component}: it is built alone");
            plan.warnings.push(Remark { code: "component_unused", message });
        }
        if plan.changes.is_empty() {
            let message =
                format!("the app runs {tag} already: its revision would be replaced by one of the same images");
            plan.warnings.push(Remark { code: "nothing_changes", message });
        }
        plan.current = Some(current);
        plan.plan_hash = hash(Some(&app), asked.version.as_str(), &plan.commit, asked.strategy);
        Ok(plan)
    }

    /// Why the upgrade may not be rolled out as it is asked for, from the app alone: where the registry does not answer,
    /// its name is read off the app's images.
    pub async fn objections(&self, asked: &Asked, snapshot: Option<&Snapshot>) -> Result<Vec<Remark>, PhaseError> {
        let app = self.apps.app().await?;
        let registry = match self.store.login_server().await {
            Ok(registry) => registry,
            Err(_) => template::registry(&app.template, &self.components).unwrap_or_default(),
        };
        let current = self.version_of(&app, &registry, snapshot).await.unwrap_or_default();
        Ok(self.refusals(&app, &registry, current.as_deref(), asked))
    }

    fn refusals(&self, app: &ContainerApp, registry: &str, current: Option<&str>, asked: &Asked) -> Vec<Remark> {
        let mut found = objections(&self.components, registry, app, current, asked);
        if current.is_none() && found.iter().all(|remark| remark.code != "nothing_to_roll_out") {
            found.extend(unknown(asked));
        }
        found
    }

    /// The commit that a version stands for in the remote.
    async fn resolve(&self, version: &Version) -> Result<String, PhaseError> {
        let found = self.source.discover().await?;
        let tag = version.tag();
        let mut commits = found.tags.iter().map(|tag| &tag.commit).chain(found.head.iter().map(|head| &head.commit));
        if let Some(sha) = version.commit() {
            // The tip of another branch is not told here; the fetch will find it.
            return Ok(commits.find(|commit| commit.starts_with(sha)).cloned().unwrap_or_else(|| sha.to_owned()));
        }
        let tagged = found.tags.iter().find(|known| known.name == tag).map(|known| known.commit.clone());
        tagged.ok_or_else(|| {
            let message = format!("the repository has no tag {tag}; check target_version, or push the tag");
            PhaseError::fatal("git_tag_not_found", message)
        })
    }

    async fn current(
        &self,
        app: &ContainerApp,
        registry: &str,
        version: Option<String>,
    ) -> Result<Current, PhaseError> {
        let mut images = BTreeMap::new();
        for (container, image) in template::images(&app.template) {
            let digest = self.digest(&image, registry).await?;
            images.insert(container, CurrentImage { image, digest });
        }
        Ok(Current { version, revision: app.latest_ready_revision.clone(), images })
    }

    /// The digest of an image by its whole name, if the platform's own registry has it.
    pub async fn digest(&self, image: &str, registry: &str) -> Result<Option<String>, PhaseError> {
        match ImageName::parse(image).filter(|name| name.registry.eq_ignore_ascii_case(registry)) {
            Some(name) => self.store.digest(name.repository, name.reference).await,
            None => Ok(None),
        }
    }
}

/// Why the upgrade may not be rolled out to this app as it is asked for.
pub fn objections(
    components: &[Component],
    registry: &str,
    app: &ContainerApp,
    current: Option<&str>,
    asked: &Asked,
) -> Vec<Remark> {
    let mut found = Vec::new();
    match (asked.strategy, app.mode) {
        (Strategy::InPlace, RevisionMode::Multiple) => found.push(Remark {
            code: "app_in_multiple_revision_mode",
            message: "in_place needs the app in single revision mode, and it is in multiple; ask for the strategy blue_green, \
                      or set the app's mode: az containerapp revision set-mode --mode single"
                .to_owned(),
        }),
        (Strategy::BlueGreen, RevisionMode::Single) => found.push(Remark {
            code: "app_in_single_revision_mode",
            message: "blue_green needs the app in multiple revision mode, and it is in single; ask for the strategy in_place, \
                      or set the app's mode: az containerapp revision set-mode --mode multiple"
                .to_owned(),
        }),
        _ => {}
    }
    if template::unused(&app.template, components, registry).len() == components.len() {
        let message = format!(
            "no container of the app runs an image of the platform's components from {registry}: check UPGRADE_COMPONENTS, \
             PLATFORM_ACR_NAME and PLATFORM_CONTAINER_APP"
        );
        found.push(Remark { code: "nothing_to_roll_out", message });
    }
    if let Some(current) = current.and_then(|text| Version::parse(text).ok()) {
        found.extend(direction(&current, asked));
    }
    found
}

fn direction(current: &Version, asked: &Asked) -> Vec<Remark> {
    let wanted = &asked.version;
    let mut found = Vec::new();
    if current.is_downgraded_by(wanted) && !asked.allow_downgrade {
        let message = format!(
            "{wanted} is older than {current}, which runs; a rollback is safer (POST /api/upgrade/rollback); to go down \
             all the same send allow_downgrade: true"
        );
        found.push(Remark { code: "downgrade_refused", message });
    }
    if wanted.major() != current.major() && !current.is_downgraded_by(wanted) && !asked.confirm_major {
        let message = format!(
            "{current} to {wanted} is another major version, which may break what relies on the platform; read its notes \
             and send confirm_major: true"
        );
        found.push(Remark { code: "major_not_confirmed", message });
    }
    found
}

/// The failure of an upgrade that would do something else than its starter has seen.
pub fn outdated() -> PhaseError {
    PhaseError::fatal(
        "plan_outdated",
        "the app or the version is not what the plan was made for; nothing was changed: ask for a new plan, look at it, and \
         start again with its hash",
    )
}

/// Of everything that the rollout begins with. Two plans with one hash do the same to the same app.
pub fn hash(app: Option<&ContainerApp>, version: &str, commit: &str, strategy: Strategy) -> String {
    let world = app.map_or(Value::Null, |app| {
        json!({
            "app": app.id.to_lowercase(),
            "mode": app.mode == RevisionMode::Single,
            "revision": app.latest_revision,
            "template": template::kept(&app.template),
        })
    });
    // The version names the commit itself, and a plan may know no more of it than that.
    let commit = Version::parse(version)
        .ok()
        .and_then(|version| version.commit().map(str::to_owned))
        .unwrap_or(commit.to_owned());
    // Objects of serde_json are sorted by key, so the order in which fields came does not count.
    let text = json!([world, version, commit, strategy]).to_string();
    hex::encode(Sha256::digest(text.as_bytes()))
}
