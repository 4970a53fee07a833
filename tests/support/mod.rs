//! What the tests have in common. Each test binary uses a part of it.
#![allow(dead_code)]

pub mod world;
