//! What holds whatever happens: one test at least for each invariant, which fails without the thing that keeps it.

#[path = "../support/mod.rs"]
mod support;

mod chain;
mod chronicle;
mod effects;
mod events;
mod keys;
mod leases;
mod lock;
mod logs;
mod order;
mod poison;
mod receipts;
mod retries;
mod tickets;
mod wakes;
