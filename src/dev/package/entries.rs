//! A zip's entries as whoever unpacks it on the platform would find them.

use std::io::{Cursor, Read};

use zip::{System, ZipArchive};

/// More than any package of ours holds in one entry: what is beyond is not even unpacked.
const LONGEST: u64 = 256 * 1000 * 1000;

pub struct Entry {
    pub name: String,
    pub is_folder: bool,
    /// None if it was zipped where files have none.
    pub mode: Option<u32>,
    pub content: Vec<u8>,
}

/// All entries, or why the zip cannot be unpacked.
pub fn entries(zip: &[u8]) -> Result<Vec<Entry>, Vec<String>> {
    let archive = ZipArchive::new(Cursor::new(zip));
    let mut archive =
        archive.map_err(|error| vec![format!("it is no zip that can be read ({error}); make it anew")])?;
    let mut faults = Vec::new();
    if archive.has_duplicate_names() {
        faults.push(
            "it holds two entries of one name, and which one counts is up to whoever unpacks it; make it anew"
                .to_owned(),
        );
    }
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        match entry(&mut archive, index) {
            Ok(entry) => entries.push(entry),
            Err(error) => faults.push(format!("entry {} cannot be unpacked ({error}); make the zip anew", index + 1)),
        }
    }
    if faults.is_empty() { Ok(entries) } else { Err(faults) }
}

fn entry(archive: &mut ZipArchive<Cursor<&[u8]>>, index: usize) -> anyhow::Result<Entry> {
    let mut file = archive.by_index(index)?;
    let name = file.name()?.into_owned();
    let keeps_modes = matches!(file.system(), System::Unix | System::Macintosh | System::OsDarwin);
    // The upper half of the attributes is the mode, where there is one.
    let mode = file.external_attributes() >> 16;
    let (mode, is_folder) = ((keeps_modes && mode != 0).then_some(mode), file.is_dir());
    let mut content = Vec::new();
    file.by_ref().take(LONGEST).read_to_end(&mut content)?;
    Ok(Entry { name, is_folder, mode, content })
}
