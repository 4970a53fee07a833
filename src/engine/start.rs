//! Starting a run, once for each idempotency key.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Engine;
use super::chain;
use super::keys::{Key, Keyed};
use super::open::Opening;
use super::ports::{StoreError, Unreadable};
use crate::model::{Run, RunId, Scope};

/// The failure of a run that was ended before it began, because its first ticket could not be sent.
pub const NOT_QUEUED: &str = "not_queued";

pub struct StartRequest {
    pub pipeline: &'static str,
    pub scope: Scope,
    pub input: Value,
    pub started_by: String,
    pub idempotency_key: Option<String>,
}

#[derive(Debug)]
pub struct Started {
    pub run: Run,
    /// An earlier request with the same idempotency key started it.
    pub replayed: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("there is no pipeline {0}")]
    UnknownPipeline(String),
    #[error("{} is being changed by run {owner}", scope)]
    Busy { scope: Scope, owner: RunId },
    /// Nothing is delivered to some of its phases; the reasons say why, and what to do.
    #[error("pipeline {pipeline} is closed: {}", reasons.join("; "))]
    Closed { pipeline: &'static str, reasons: Vec<String> },
    #[error("the idempotency key was used for another request, which started run {0}")]
    KeyReused(RunId),
    /// The run was ended again, because nothing would have moved it.
    #[error("the run could not be queued: {0}")]
    NotQueued(StoreError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Unreadable> for StartError {
    fn from(row: Unreadable) -> Self {
        StoreError::from(row).into()
    }
}

impl StartError {
    /// Others started and ended so often meanwhile that it was given up.
    pub(super) fn overtaken(scope: &Scope) -> Self {
        StoreError::Unavailable(format!("{scope} was just released; try again")).into()
    }
}

impl Engine {
    pub async fn start(&self, request: StartRequest) -> Result<Started, StartError> {
        let unknown = || StartError::UnknownPipeline(request.pipeline.to_owned());
        let pipeline = self.registry.get(request.pipeline).ok_or_else(unknown)?;
        let first = pipeline.spec.phases.first().ok_or_else(unknown)?;
        let payload = digest(&request);
        let key = request.idempotency_key.map(|key| Key { key, payload });
        let StartRequest { scope, input, started_by, .. } = request;
        let opening =
            Opening { pipeline, scope, input, started_by, key, phase: first, state: Value::Null, retry_of: None };
        let (engine, meter) = self.metered();
        for _ in 0..Self::TRIES {
            let earlier = engine.find_by_key(&opening.scope, opening.key.as_ref()).await?;
            if let Keyed::Started(run) = earlier {
                return engine.replay(pipeline, *run).await;
            }
            engine.check_open_from(pipeline.spec, first)?;
            let link = chain::read(engine.store.as_ref(), &opening.scope.tag()).await?;
            if let Some(started) = engine.open(&opening, &earlier, link.as_ref(), &meter).await? {
                return Ok(started);
            }
        }
        Err(StartError::overtaken(&opening.scope))
    }

    /// What an earlier request with the same key started, without starting anything.
    pub async fn started(&self, request: &StartRequest) -> Result<Option<Started>, StartError> {
        let Some(key) = &request.idempotency_key else { return Ok(None) };
        let unknown = || StartError::UnknownPipeline(request.pipeline.to_owned());
        let pipeline = self.registry.get(request.pipeline).ok_or_else(unknown)?;
        let key = Key { key: key.clone(), payload: digest(request) };
        match self.find_by_key(&request.scope, Some(&key)).await? {
            Keyed::Started(run) => self.replay(pipeline, *run).await.map(Some),
            Keyed::Unused | Keyed::NeverBegan(_) => Ok(None),
        }
    }
}

/// What makes two requests the same. Objects of serde_json are sorted by key, so the order of fields does not count.
fn digest(request: &StartRequest) -> String {
    let text = serde_json::json!([request.pipeline, request.scope, request.input, request.started_by]).to_string();
    hex::encode(Sha256::digest(text.as_bytes()))
}
