//! The points at which a process may die or a reply may get lost, in the order in which a run meets them, and what
//! must hold after each.

#[path = "../support/mod.rs"]
mod support;

mod cancelling;
mod claiming;
mod committing;
mod effects;
mod falling_back;
mod logs;
mod messages;
mod starting;
mod sweeping;
mod zombies;
