//! Phase `pruning`: deletes the images and stops the revisions that nobody needs any more.
//!
//! Input: [`RetentionInput`]. Every delivery looks anew, writes down what is to go, and lets a bounded number of it go;
//! the run ends once a look finds nothing more to do. So a second call, or one after a death, does what is left. What is
//! in the way of one repository is told in the output, and in nobody else's way.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::in_use::{InUse, in_use};
use super::revisions::tidy;
use super::select::{Removal, Shelves, select};
use super::state::{Repository, RetentionInput, RetentionState, Trouble};
use crate::engine::context::PhaseContext;
use crate::engine::{Outcome, Phase, PhaseError};
use crate::model::Verdict;
use crate::pipelines::upgrade::Upgrade;

/// The log that tells what went.
pub const LOG: &str = "retention";
/// Deletions of one delivery.
const MOST: usize = 50;
/// Deliveries in a row that something may be in the way of a repository before it is left alone.
const MOST_MISSES: u32 = 4;

pub struct Pruning {
    pub upgrade: Arc<Upgrade>,
}

/// Until the next look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pause(pub Duration);

impl Default for Pause {
    /// Lists and revisions show a change a moment later.
    fn default() -> Self {
        Self(Duration::from_secs(5))
    }
}

#[async_trait]
impl Phase for Pruning {
    async fn run(&self, ctx: &mut PhaseContext) -> Result<Outcome, PhaseError> {
        let input: RetentionInput = ctx.input()?;
        let mut state: RetentionState = ctx.state()?;
        let in_use = in_use(ctx, &self.upgrade, &input).await?;
        let mut pause = Pause::default();
        let shelves = self.list(&mut state, &mut pause).await;
        let mut budget = MOST;
        let removals = self.condemn(ctx, &mut state, &shelves, &in_use, budget);
        if !removals.is_empty() {
            ctx.set_state(&state)?;
            ctx.checkpoint().await?;
        }
        for (name, removals) in removals {
            budget = budget.saturating_sub(removals.len());
            let Some(repository) = state.repositories.get_mut(&name) else { continue };
            self.delete(ctx, &name, repository, &removals, &mut pause).await;
        }
        let revisions = tidy(ctx, &self.upgrade, &in_use, &mut state.revisions, &mut budget).await;
        ctx.set_state(&state)?;
        if !state.is_settled() {
            let reason = "what was deleted to be gone, and the rest to be deleted".to_owned();
            return Ok(Outcome::Wait { after: pause.0.max(revisions.0), reason });
        }
        let verdict = if state.has_failed() { Verdict::Failed } else { Verdict::Succeeded };
        Ok(Outcome::Done { verdict, output: state.output() })
    }
}

impl Pruning {
    /// Every repository's tags.
    async fn list(&self, state: &mut RetentionState, pause: &mut Pause) -> Shelves {
        let mut shelves = Shelves::new();
        for component in &self.upgrade.components {
            if shelves.contains_key(&component.image) {
                continue;
            }
            let tags = match self.upgrade.store.tags(&component.image).await {
                Ok(tags) => Some(tags),
                Err(error) => {
                    let repository = state.repositories.entry(component.image.clone()).or_default();
                    miss(&mut repository.trouble, error, pause);
                    repository.settled = repository.trouble.failure.is_some();
                    None
                }
            };
            shelves.insert(component.image.clone(), tags);
        }
        shelves
    }

    /// Says what goes next, in the state and to the caller. A repository of which nothing more has to go is settled.
    fn condemn(
        &self,
        ctx: &PhaseContext,
        state: &mut RetentionState,
        shelves: &Shelves,
        in_use: &InUse,
        budget: usize,
    ) -> Vec<(String, Vec<Removal>)> {
        let mut left = budget;
        let mut chosen = Vec::new();
        for (name, tags) in shelves.iter().filter_map(|(name, tags)| Some((name, tags.as_deref()?))) {
            let keep = self.upgrade.rollout.keep_images;
            let mut selection = select(shelves, name, &in_use.images, keep, ctx.now());
            let repository = state.repositories.entry(name.clone()).or_default();
            repository.note(&selection, tags);
            repository.settled = selection.removals.is_empty() || repository.trouble.failure.is_some();
            if repository.settled {
                continue;
            }
            let mut removals = std::mem::take(&mut selection.removals);
            removals.truncate(left);
            left = left.saturating_sub(removals.len());
            repository.condemned.extend(removals.iter().flat_map(Removal::tags).cloned());
            repository.orphans.extend(selection.orphans);
            chosen.push((name.clone(), removals));
        }
        chosen
    }

    async fn delete(
        &self,
        ctx: &mut PhaseContext,
        name: &str,
        repository: &mut Repository,
        removals: &[Removal],
        pause: &mut Pause,
    ) {
        for removal in removals {
            let (answer, told) = match removal {
                Removal::Tag(tag) => (
                    self.upgrade.store.delete_tag(name, tag).await,
                    format!("{name}: tag {tag} deleted; its image has other names"),
                ),
                Removal::Manifest { digest, tags } => (
                    self.upgrade.store.delete_manifest(name, digest).await,
                    format!("{name}: {} deleted with the image {digest}", tags.join(", ")),
                ),
            };
            match answer {
                Ok(()) => ctx.log(LOG, &told),
                Err(error) => {
                    ctx.log(LOG, &format!("{name}: {error}"));
                    return miss(&mut repository.trouble, error, pause);
                }
            }
        }
        repository.trouble.misses = 0;
    }
}

/// Something is in the way: for good, or until it has been so often enough.
pub fn miss(trouble: &mut Trouble, error: PhaseError, pause: &mut Pause) {
    match error {
        PhaseError::Retryable { failure, after } => {
            const PATIENCE: Duration = Duration::from_secs(30);
            trouble.misses += 1;
            pause.0 = pause.0.max(after.unwrap_or(PATIENCE));
            if trouble.misses >= MOST_MISSES {
                trouble.failure = Some(failure);
            }
        }
        PhaseError::Fatal(failure) => trouble.failure = Some(failure),
        // Whoever holds the lease now goes on.
        PhaseError::LeaseLost => {}
    }
}
