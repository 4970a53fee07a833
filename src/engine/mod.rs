//! The pawl: hauls a run from phase to phase and never lets it slip back.
//! Knows neither HTTP nor Azure nor any pipeline.

pub mod context;
pub mod pipeline;
pub mod ports;
