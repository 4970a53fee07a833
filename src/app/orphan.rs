//! Ends the process when its Functions host is gone.
//!
//! The host's death is not announced: no signal comes, and stdin is closed from the start. What shows it is that the
//! process gets another parent. Work in flight is what leases and sequence numbers are for.

use std::time::Duration;

/// A died host's handler lives on for no longer than this.
const LOOK: Duration = Duration::from_secs(1);

#[cfg(unix)]
pub fn watch() {
    let parent = std::os::unix::process::parent_id();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK).await;
            if std::os::unix::process::parent_id() != parent {
                tracing::error!("the Functions host is gone; ending");
                #[expect(clippy::disallowed_methods, reason = "there is nobody left to answer to")]
                std::process::exit(1);
            }
        }
    });
}

#[cfg(not(unix))]
pub fn watch() {}
