//! The zip: the same bytes from the same files, wherever and whenever it is made.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;

use anyhow::{Context, bail};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::layout::{FUNCTION, HOST, Layout, read, shown};

const RUNNABLE: u32 = 0o755;
const PLAIN: u32 = 0o644;

/// The package of the host.json and functions/ below `root` with this program as its handler.
pub fn archive(root: &Path, handler: &Path) -> anyhow::Result<Vec<u8>> {
    let layout = Layout::read(root)?;
    if !handler.is_file() {
        bail!("there is no handler at {}; leave --handler out, and it is built", shown(handler));
    }
    let mut entries = BTreeMap::from([(HOST.to_owned(), (read(&layout.host)?, PLAIN))]);
    entries.insert(layout.handler, (read(handler)?, RUNNABLE));
    for (name, file) in layout.functions {
        entries.insert(format!("{name}/{FUNCTION}"), (read(&file)?, PLAIN));
    }
    zipped(&entries).context("the zip cannot be made")
}

/// Entries stand in the order of their names' bytes, without the folders they lie in. Whatever a zip remembers of the
/// machine that made it is fixed: its kind, the time, the modes.
fn zipped(entries: &BTreeMap<String, (Vec<u8>, u32)>) -> anyhow::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, (content, mode)) in entries {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(9))
            .last_modified_time(DateTime::DEFAULT)
            .system(System::Unix)
            .unix_permissions(*mode);
        zip.start_file(name.as_str(), options)?;
        zip.write_all(content)?;
    }
    Ok(zip.finish()?.into_inner())
}
