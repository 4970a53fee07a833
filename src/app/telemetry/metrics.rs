//! What is counted and measured.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;

use super::SCOPE;
use super::dropped::Dropped;
use super::reader::Reader;
use crate::storage::Operations;

/// The instruments. They count for as long as this lives.
pub struct Meters {
    _provider: SdkMeterProvider,
    meter: Meter,
}

impl Meters {
    pub fn new(resource: Resource, readers: &[Reader], dropped: Dropped) -> Self {
        let provider = SdkMeterProvider::builder().with_resource(resource);
        let provider = readers.iter().fold(provider, |provider, reader| provider.with_reader(reader.clone())).build();
        let meter = provider.meter(SCOPE);
        meter
            .u64_observable_counter("windlass.telemetry.dropped")
            .with_unit("{item}")
            .with_description("Spans, lines and data points that no destination took")
            .with_callback(move |told| {
                for (signal, count) in dropped.counts().into_iter().filter(|(_, count)| *count > 0) {
                    told.observe(count, &[KeyValue::new("windlass.signal", signal)]);
                }
            })
            .build();
        Self { _provider: provider, meter }
    }

    /// Counts what a storage performs from here on.
    pub fn watch(&self, operations: Operations) {
        self.meter
            .u64_observable_counter("windlass.storage.operations")
            .with_unit("{operation}")
            .with_description("Operations of the storage, as Azure bills them")
            .with_callback(move |told| {
                let spent = operations.snapshot();
                for (service, count) in [("table", spent.table), ("queue", spent.queue), ("blob", spent.log)] {
                    told.observe(count, &[KeyValue::new("windlass.service", service)]);
                }
            })
            .build();
    }
}
