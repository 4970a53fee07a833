//! The composition root: the only place that sees every room.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;

use crate::config::{Config, EngineConfig};
use crate::engine::ports::Clock;
use crate::engine::{Engine, Registry, Settings};
use crate::model::Timestamp;
use crate::pipelines::{SPECS, probe, upgrade};
use crate::{http, triggers};

mod clients;
mod stores;

pub use stores::{Stores, containers, queues};

/// The machine's clock and its randomness.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn random(&self) -> u64 {
        fastrand::u64(..)
    }
}
