//! `windlass-dev package`, with what it says.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use super::archive::archive;
use super::build::build;
use super::check::{Package, check};
use super::layout::{Layout, read, shown};

/// What to make a zip of.
pub struct Make {
    /// The folder with host.json and functions/.
    pub root: PathBuf,
    /// The handler; it is built if none is given.
    pub handler: Option<PathBuf>,
    /// The zip. What is there already stays unless the package is sound.
    pub out: PathBuf,
}

/// Makes the zip that Azure is given.
pub fn make(Make { root, handler, out }: &Make) -> anyhow::Result<()> {
    // A mistake in the files is told before minutes of building.
    Layout::read(root)?;
    let handler = match handler {
        Some(handler) => handler.clone(),
        None => {
            let built = build(root)?;
            println!("built with {}", built.with);
            if built.uncommitted {
                println!("of files that no commit holds: nobody else can make this package");
            }
            built.handler
        }
    };
    let zip = archive(root, &handler)?;
    let package = sound(&zip, "the package would not run on Azure, and is not written")?;
    let part = out.with_extension("zip.part");
    let written = std::fs::write(&part, &zip).and_then(|()| std::fs::rename(&part, out));
    if written.is_err() {
        // Gone already, or as unwelcome there as the zip.
        let _ = std::fs::remove_file(&part);
    }
    written.with_context(|| format!("{} cannot be written", shown(out)))?;
    println!("{}", summary(out, &package, &zip));
    Ok(())
}

/// Tells what is in a zip, or everything that is wrong with it.
pub fn check_file(zip: &Path) -> anyhow::Result<()> {
    let bytes = read(zip)?;
    let package = sound(&bytes, &format!("{} would not run on Azure", shown(zip)))?;
    for (name, mode, size) in &package.entries {
        println!("{mode:04o} {size:>9}  {name}");
    }
    println!("{}", summary(zip, &package, &bytes));
    Ok(())
}

fn sound(zip: &[u8], verdict: &str) -> anyhow::Result<Package> {
    check(zip).or_else(|faults| {
        let list: String = faults.iter().map(|fault| format!("\n  - {fault}")).collect();
        bail!("{verdict}:{list}")
    })
}

fn summary(zip: &Path, package: &Package, bytes: &[u8]) -> String {
    format!(
        "{} is sound: {} kB, {} functions; the handler has {} kB and {}\nsha256 {}",
        shown(zip),
        package.size / 1000,
        package.functions,
        package.handler_size / 1000,
        package.handler,
        hex::encode(Sha256::digest(bytes)),
    )
}
