//! Discovering, fetching and packing against git's own server, and against servers that are none.

#[path = "../support/git_server.rs"]
mod git_server;

mod archives;
mod commits;
mod discovery;
mod site;
mod tags;
