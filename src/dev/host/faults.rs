//! What keeps the host from starting.

use std::fmt;

/// Why the host did not start: every fault at once, each with its file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("the Functions host cannot start:{}", list(.0))]
    Faults(Vec<String>),
    #[error("cannot listen on {address}: {error}; is another host running there? Choose another port")]
    Listen { address: std::net::SocketAddr, error: std::io::Error },
}

impl HostError {
    pub fn one(fault: String) -> Self {
        Self::Faults(vec![fault])
    }
}

fn list(faults: &[String]) -> String {
    faults.iter().map(|fault| format!("\n  - {fault}")).collect()
}

#[derive(Debug, Default)]
pub struct Faults(Vec<String>);

impl Faults {
    pub fn add(&mut self, file: &str, what: impl fmt::Display) {
        self.0.push(format!("{file}: {what}"));
    }

    pub fn into_list(self) -> Vec<String> {
        self.0
    }

    pub fn into_result<T>(self, value: T) -> Result<T, HostError> {
        if self.0.is_empty() { Ok(value) } else { Err(HostError::Faults(self.0)) }
    }
}
