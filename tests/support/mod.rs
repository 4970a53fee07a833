//! What the tests have in common. Each test binary uses a part of it.
#![allow(dead_code)]

pub mod app;
pub mod builder;
pub mod effects;
pub mod every_step;
pub mod gate;
pub mod hostile;
pub mod nowhere;
pub mod outside;
pub mod platform;
pub mod probe;
pub mod recorder;
pub mod rig;
pub mod rolled;
pub mod swap;
pub mod upgraded;
pub mod world;
