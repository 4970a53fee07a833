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

/// Why the product does not start. Prints one line each.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ConfigFaults {
    pub faults: Vec<Fault>,
    /// What is likely not meant either: a misspelt name may be the cause of one that is not set.
    pub warnings: Vec<String>,
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self
            .faults
            .iter()
            .map(Fault::to_string)
            .chain(self.warnings.iter().map(|warning| format!("warning: {warning}")));
        f.write_str(&lines.collect::<Vec<_>>().join("\n"))
    }
}

impl std::error::Error for ConfigFaults {}
