//! What the handler tells those who watch over it: a run is one trace, it has arrived when the host is answered, it
//! holds no secret, and whoever takes it can do the run no harm.

mod handler;
mod insights;
mod metrics;
mod outages;
mod secrets;
mod settings;
mod traces;
