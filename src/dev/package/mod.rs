//! Packaging: from the repository's layout to the folder that a Functions host runs, and to the zip that Azure is given.
//!
//! ```text
//! host.json   windlass (0755)   <function>/function.json   local.settings.json (staged for this machine only, never in a zip)
//! ```
//!
//! `layout` reads what goes into either; `stage` makes the folder and `archive` the zip. `toolchain` finds out what can
//! build a handler that runs on the platform, `build` builds it so that its bytes depend on the commit alone. `check`
//! takes a finished zip apart and says everything that is wrong with it, `program` looks into the handler for that.
//! `command` is `windlass-dev package`.

mod archive;
mod build;
mod check;
mod command;
mod entries;
mod layout;
mod program;
mod stage;
mod toolchain;

pub use archive::archive;
pub use check::{Package, check};
pub use command::{Make, check_file, make};
pub use program::{Program, Version};
pub use stage::{stage, write_local_settings};
