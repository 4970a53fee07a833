//! What is wrong with the settings, all of it at once.

use std::fmt;

/// One thing to put right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    pub setting: &'static str,
    /// What is wrong; never holds the value of a secret.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.setting, self.problem, self.remedy)
    }
}

/// Why the product does not start. Prints one line a fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigFaults(pub Vec<Fault>);

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigFaults {}
