//! What a function is: its trigger and its outputs.

use std::time::Duration;

use super::ncrontab::Ncrontab;
use super::routes::Route;

#[derive(Clone, Debug)]
pub struct Function {
    pub name: String,
    /// The name of the trigger's binding.
    pub binding: String,
    pub trigger: Trigger,
    pub outputs: Vec<Output>,
    /// Loaded, and not triggered: nobody listens for it, its route answers 404, and by hand it can be started.
    pub disabled: bool,
}

#[derive(Clone, Debug)]
pub enum Trigger {
    Http(Route),
    Queue { queue: String },
    Timer(TimerTrigger),
}

#[derive(Clone, PartialEq, Debug)]
pub struct TimerTrigger {
    pub schedule: Schedule,
    pub run_on_startup: bool,
    pub use_monitor: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Schedule {
    Cron(Ncrontab),
    Every(Duration),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Output {
    pub name: String,
    pub kind: OutputKind,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OutputKind {
    Http,
    Queue { queue: String },
}

impl Function {
    /// Whether the host passes requests on as they are: one HTTP trigger, one HTTP output, nothing else.
    pub fn is_plain_http(&self) -> bool {
        matches!(self.trigger, Trigger::Http(_))
            && matches!(self.outputs.as_slice(), [out] if out.kind == OutputKind::Http)
    }
}
