//! Bicep files as data: what they declare, and the expressions in it.
//!
//! The grammar is tree-sitter's. What it cannot parse whole is an error here; nothing is guessed.

mod convert;
mod expression;
mod file;

pub use expression::{Expression, Part};
pub use file::{File, Module, Parameter, Resource};
