//! The upgrade over everything that it meets: a git repository behind git's own server, builds in a simulated Azure,
//! rows, tickets and logs in the embedded storage, moved on by the real engine.

#[path = "../support/git_server.rs"]
mod git_server;

mod blue_green;
mod builds;
mod cancels;
mod clock;
mod contexts;
mod deadlines;
mod gate;
mod identity;

mod logs;
mod others;
mod outages;
mod platform;
mod retries;
mod rollouts;
mod secrets;
mod sources;
mod storage;
mod succeeds;
mod upgrade;
mod workspaces;
