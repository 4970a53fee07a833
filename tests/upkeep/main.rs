//! What the platform does between upgrades: it looks for what there is to upgrade to, and throws away what nobody needs.
//! The real engine on the embedded storage behind the real router; git's own server; an app and a registry made up.

#[path = "../support/git_server.rs"]
mod git_server;

mod app;
mod caller;
mod discovery;
mod platform;
mod pruning;
mod refusals;
mod registry;
mod retention;
mod revisions;
mod timer;
