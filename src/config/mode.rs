//! Whether this is a developer's machine.

/// What the rules of a developer's machine apply to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    Development,
    Production,
}
