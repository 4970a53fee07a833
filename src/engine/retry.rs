//! Going on where a run failed. What has ended stays as it is, so this is another run, which begins in the phase and
//! with the state that its pipeline names.

use sha2::{Digest, Sha256};

use super::keys::{Key, Keyed, never_began};
use super::open::Opening;
use super::pipeline::{Pipeline, Resume};
use super::ports::StoreError;
use super::start::{StartError, Started};
use super::{Engine, chain, rows, schema};
use crate::model::{End, Failure, Progress, Run, RunId, Status, Verdict};

#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    #[error("there is no such run")]
    Unknown,
    #[error("the run has not ended: it is {status:?}, in phase {phase}")]
    NotEnded { status: Status, phase: String },
    #[error("the run has succeeded")]
    NothingToRetry,
    /// What the pipeline says.
    #[error("the run cannot go on where it ended: {0}")]
    NotResumable(Failure),
    /// A later run of the same pipeline has changed the scope since.
    #[error("run {0} has begun since")]
    Superseded(RunId),
    /// The other run could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl From<StoreError> for RetryError {
    fn from(error: StoreError) -> Self {
        Self::Start(error.into())
    }
}

impl Engine {
    /// Starts a run that goes on where this one ended. Without a key, asking twice gives the same run twice, even after
    /// that one has ended; a run that could not be queued may be asked for again.
    pub async fn retry(&self, id: &RunId, by: &str, idempotency_key: Option<String>) -> Result<Started, RetryError> {
        let (engine, meter) = self.metered();
        let run = engine.run(id).await?.ok_or(RetryError::Unknown)?;
        let unknown = || StartError::UnknownPipeline(run.pipeline.clone());
        let pipeline = self.registry.get(&run.pipeline).ok_or_else(unknown)?;
        for _ in 0..Self::TRIES {
            let key = Some(key_of(&run, by, idempotency_key.as_deref()));
            let earlier = engine.find_by_key(&run.scope, key.as_ref()).await?;
            if let Keyed::Started(run) = earlier {
                return Ok(engine.replay(pipeline, *run).await?);
            }
            // What begins after this look at the chain is found by the write that follows it.
            let link = chain::read(engine.store.as_ref(), run.id.tag()).await?;
            let Resume { phase, state } = match engine.may_retry(pipeline, &run).await {
                // The later run may be the one that the same request has begun since its key was looked for.
                Err(RetryError::Superseded(later)) => match engine.find_by_key(&run.scope, key.as_ref()).await? {
                    Keyed::Started(run) => return Ok(engine.replay(pipeline, *run).await?),
                    Keyed::Unused | Keyed::NeverBegan(_) => return Err(RetryError::Superseded(later)),
                },
                decided => decided?,
            };
            let phase = pipeline.spec.phase(phase).ok_or_else(|| RetryError::NotResumable(no_such_phase(phase)))?;
            engine.check_open_from(pipeline.spec, phase)?;
            let opening = Opening {
                pipeline,
                scope: run.scope.clone(),
                input: run.input.clone(),
                started_by: by.to_owned(),
                key,
                phase,
                state,
                retry_of: Some(run.id.clone()),
            };
            if let Some(started) = engine.open(&opening, &earlier, link.as_ref(), &meter).await? {
                return Ok(started);
            }
        }
        Err(StartError::overtaken(&run.scope).into())
    }

    async fn may_retry(&self, pipeline: &Pipeline, run: &Run) -> Result<Resume, RetryError> {
        match run.progress {
            Progress::Ended { end: End::Completed(Verdict::Succeeded), .. } => return Err(RetryError::NothingToRetry),
            Progress::Ended { .. } => {}
            _ => return Err(RetryError::NotEnded { status: run.status(), phase: run.phase.clone() }),
        }
        if let Some(later) = self.superseded_by(run).await? {
            return Err(RetryError::Superseded(later));
        }
        let resume = pipeline.resume.ok_or_else(|| RetryError::NotResumable(never_resumes(pipeline.spec.name)))?;
        resume(run, self.clock.now()).map_err(RetryError::NotResumable)
    }

    /// The newest run of the same pipeline that began after this one, if there is one.
    async fn superseded_by(&self, run: &Run) -> Result<Option<RunId>, StoreError> {
        const PAGE: usize = 50;
        let (mut after, before) = (rows::RUN_FROM.to_owned(), rows::run_key(&run.id));
        loop {
            let page = self.store.range(run.id.tag().as_str(), &after, &before, PAGE).await?;
            let more = page.len() == PAGE;
            for (key, stored) in page {
                let later: Run = schema::read(run.id.tag().as_str(), &key, stored)?;
                if later.pipeline == run.pipeline && later.scope == run.scope && !never_began(&later) {
                    return Ok(Some(later.id));
                }
                after = key;
            }
            if !more {
                return Ok(None);
            }
        }
    }
}

/// A key of ours has blanks in it, as none of a caller's has. It stands for the retry whoever asks.
fn key_of(run: &Run, by: &str, given: Option<&str>) -> Key {
    let by = given.map(|_| by);
    let request = serde_json::json!(["retry", run.id, by]).to_string();
    let key = given.map_or_else(|| format!("retry of {}", run.id), str::to_owned);
    Key { key, payload: hex::encode(Sha256::digest(request.as_bytes())) }
}

fn never_resumes(pipeline: &str) -> Failure {
    Failure::new("never_resumes", format!("a run of {pipeline} always begins at its beginning; start another one"))
}

fn no_such_phase(phase: &str) -> Failure {
    Failure::new("no_such_phase", format!("its pipeline has no phase {phase}; start another run"))
}
