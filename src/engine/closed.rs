//! Phases that nothing is delivered to for as long as this process lives, because somebody wants it so. What is not begun
//! is not let begin; what is on its way stays where it is until the phase is open again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Engine;
use super::pipeline::{PhaseSpec, PipelineSpec};
use super::start::StartError;
use crate::model::Run;

impl Engine {
    /// Nobody listens to these queues; each comes with the reason, which callers are told.
    #[must_use]
    pub fn closing(self, closed: BTreeMap<String, String>) -> Self {
        Self { closed: Arc::new(closed), ..self }
    }

    /// Why nothing is delivered to a phase, if that is so.
    pub fn closed(&self, pipeline: &str, phase: &str) -> Option<&str> {
        let spec = self.registry.get(pipeline)?.spec;
        self.closed.get(&spec.queue(phase)).map(String::as_str)
    }

    /// Whether runs of this pipeline can begin and come to their end.
    ///
    /// # Errors
    /// [`StartError::Closed`], with every reason.
    pub fn check_open(&self, pipeline: &str) -> Result<(), StartError> {
        let unknown = || StartError::UnknownPipeline(pipeline.to_owned());
        let spec = self.registry.get(pipeline).ok_or_else(unknown)?.spec;
        self.check_phases(spec, spec.phases.iter())
    }

    /// Whether what a run is told reaches it: its own phase, and the phase that it is sent to.
    ///
    /// # Errors
    /// [`StartError::Closed`], with every reason.
    pub fn check_reachable(&self, run: &Run, phase: &str) -> Result<(), StartError> {
        let Some(pipeline) = self.registry.get(&run.pipeline) else { return Ok(()) };
        let spec = pipeline.spec;
        self.check_phases(spec, spec.phases.iter().filter(|known| known.name == run.phase || known.name == phase))
    }

    /// The same for a run that begins in the phase `first`.
    pub(super) fn check_open_from(&self, spec: &PipelineSpec, first: &PhaseSpec) -> Result<(), StartError> {
        self.check_phases(spec, spec.phases.iter().skip_while(|phase| phase.name != first.name))
    }

    fn check_phases<'a>(
        &self,
        spec: &PipelineSpec,
        phases: impl Iterator<Item = &'a PhaseSpec>,
    ) -> Result<(), StartError> {
        let reasons: Vec<_> = phases.filter_map(|phase| self.closed.get(&spec.queue(phase.name)).cloned()).collect();
        match reasons.is_empty() {
            true => Ok(()),
            false => Err(StartError::Closed { pipeline: spec.name, reasons }),
        }
    }
}
