//! What the program tells about itself: the log, and where it is configured, traces, lines and metrics sent to those who
//! watch over it. Where nothing is configured there is the log and nothing else.
//!
//! - `log`: the lines on stdout and stderr
//! - `spans`, `lines`, `fields`, `vocabulary`: what is made of the rooms' spans and lines
//! - `names`: what those who watch call things
//! - `metrics`, `reader`, `dropped`: what is counted
//! - `outlet`, `backlog`, `circuit`: what waits for a destination, and how long anybody waits for it
//! - `destination`, `otlp`, `insights`, `client`: who takes it
//! - `flush`: before an answer

mod backlog;
mod circuit;
mod client;
mod destination;
mod dropped;
mod fields;
mod flush;
mod ids;
mod insights;
mod lines;
mod log;
mod metrics;
pub mod names;
mod otlp;
mod outlet;
mod reader;
mod spans;
mod vocabulary;

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;

use super::clients;
use crate::config::{Config, InsightsConfig};
use crate::engine::Observer;
use crate::storage::Operations;
use client::Signature;
use destination::Destination;
use dropped::Dropped;
use insights::Insights;
use metrics::Meters;
use otlp::Otlp;
use outlet::Outlet;
use reader::Reader;
use spans::Spans;

/// Who says what is sent.
const SCOPE: &str = "windlass";

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(SCOPE).with_version(env!("CARGO_PKG_VERSION")).build()
}

/// What is sent, to whom. Empty where nothing is configured.
#[derive(Default)]
pub struct Telemetry(Option<Sending>);

struct Sending {
    outlets: Arc<[Arc<Outlet>]>,
    meters: Arc<Meters>,
}

/// Begins the log and what is sent, if anything is. To be called within the runtime, once.
pub fn begin(config: &Config) -> anyhow::Result<Telemetry> {
    let destinations = destinations(config)?;
    if destinations.is_empty() {
        log::begin(&config.telemetry, None)?;
        return Ok(Telemetry::default());
    }
    let dropped = Dropped::default();
    let readers: Vec<_> = destinations.iter().map(|_| Reader::new()).collect();
    let meters = Arc::new(Meters::new(resource(config), &readers, dropped.clone()));
    let outlet = |(destination, reader)| {
        Arc::new(Outlet::new(destination, reader, Arc::clone(&meters), dropped.clone(), config.telemetry.flush))
    };
    let outlets: Arc<[_]> = destinations.into_iter().zip(readers).map(outlet).collect();
    log::begin(&config.telemetry, Some(Spans::new(Arc::clone(&outlets))))?;
    for outlet in &*outlets {
        outlet.tend();
    }
    Ok(Telemetry(Some(Sending { outlets, meters })))
}

impl Telemetry {
    /// Who counts what happens to runs.
    pub fn observer(&self) -> Option<Arc<dyn Observer>> {
        self.0.as_ref().map(|sending| Arc::clone(&sending.meters) as _)
    }

    /// Counts what the storage performs.
    pub fn watch(&self, operations: &Operations) {
        if let Some(sending) = &self.0 {
            sending.meters.watch(operations.clone());
        }
    }

    /// Has what changes something flushed before it answers.
    pub fn flushed(&self, router: Router) -> Router {
        match &self.0 {
            Some(sending) => flush::flushed(router, &sending.outlets),
            None => router,
        }
    }
}

fn destinations(config: &Config) -> anyhow::Result<Vec<Arc<dyn Destination>>> {
    let resource = resource(config);
    let mut found: Vec<Arc<dyn Destination>> = Vec::new();
    if let Some(insights) = &config.telemetry.insights {
        let signature = signature(config, insights).context("APPLICATIONINSIGHTS_AUTHENTICATION_STRING")?;
        found.push(Arc::new(Insights::new(insights, signature, &resource)?));
    }
    if let Some(otlp) = &config.telemetry.otlp {
        found.push(Arc::new(Otlp::new(otlp, &resource).context("OTEL_EXPORTER_OTLP_ENDPOINT")?));
    }
    Ok(found)
}

fn signature(config: &Config, insights: &InsightsConfig) -> anyhow::Result<Option<Signature>> {
    let Some(sign_in) = &insights.sign_in else { return Ok(None) };
    let credential = clients::credential(config, sign_in.client_id.clone())?;
    Ok(Some(Signature { credential, scope: insights.scope.clone() }))
}

fn resource(config: &Config) -> Resource {
    let instance = config.server.instance.iter().map(|instance| KeyValue::new("service.instance.id", instance.clone()));
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", config.telemetry.service.clone()),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ])
        .with_attributes(instance)
        .build()
}
