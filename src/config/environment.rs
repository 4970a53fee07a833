//! Where settings come from.

use std::collections::BTreeMap;

/// Named texts. The one door through which settings reach the product.
pub trait Environment {
    /// The text as set; `None` if there is none. Whoever reads decides that an empty text means the same.
    fn get(&self, name: &str) -> Option<String>;

    /// Every name that is set, in any order.
    fn names(&self) -> Vec<String>;
}

/// The variables of this process. Text that is not Unicode arrives with replacement characters, so that the
/// check of the setting can name it instead of taking it for unset.
#[derive(Clone, Copy, Default, Debug)]
pub struct ProcessEnvironment;

#[expect(clippy::disallowed_methods, reason = "the one place that reads the process environment")]
impl Environment for ProcessEnvironment {
    fn get(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn names(&self) -> Vec<String> {
        std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect()
    }
}

impl Environment for BTreeMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        BTreeMap::get(self, name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}
