//! What a setting is. The concerns declare theirs; [`SETTINGS`](super::SETTINGS) is all of them.

use std::panic::Location;

/// The form of a setting's text; the reader checks against it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Text,
    /// A whole number within bounds, both included.
    Integer {
        min: u64,
        max: u64,
    },
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    /// 8-4-4-4-12 hex digits.
    Guid,
    Url,
    Path,
    Json,
    /// Texts with commas between them.
    List,
    /// GUIDs with commas between them.
    GuidList,
}

/// One name in the environment. Loaders read through these values and in no other way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setting {
    pub name: &'static str,
    pub kind: Kind,
    /// What an unset or empty setting means; `None`: nothing, or the loader decides (the description says which).
    pub default: Option<&'static str>,
    /// When the handler does not start without it; `None`: never.
    pub required: Option<&'static str>,
    /// Its value appears in no message.
    pub secret: bool,
    pub description: &'static str,
    /// The file that declares and reads it.
    pub file: &'static str,
}

impl Setting {
    #[track_caller]
    pub(super) const fn new(name: &'static str, kind: Kind, description: &'static str) -> Self {
        let file = Location::caller().file();
        Self { name, kind, default: None, required: None, secret: false, description, file }
    }

    pub(super) const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// `when` completes "required …".
    pub(super) const fn required(self, when: &'static str) -> Self {
        Self { required: Some(when), ..self }
    }

    pub(super) const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }
}
