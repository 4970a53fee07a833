//! What holds whatever happens: one test at least for each invariant, which fails without the thing that keeps it.

#[path = "../support/mod.rs"]
mod support;

mod budgets;
mod chain;
mod chronicle;
mod closed;
mod documents;
mod effects;
mod events;
mod fallbacks;
mod invocation;
mod keys;
mod latest;
mod leases;
mod lock;
mod logs;
mod observations;
mod order;
mod poison;
mod receipts;
mod retries;
mod spoil;
mod tickets;
mod timers;
mod unreadable;
mod versions;
mod wakes;
