//! The tar.gz, written so that equal contents give equal bytes.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

/// 2000-01-01T00:00:00Z. Not 0: tools that write zip files within a build refuse times before 1980.
const MODIFIED: u64 = 946_684_800;

pub(super) struct Pack {
    tar: tar::Builder<GzEncoder<Sink>>,
}

struct Sink {
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(bytes.get(..written).unwrap_or_default());
        self.bytes = self.bytes.saturating_add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(MODIFIED);
    header.set_uid(0);
    header.set_gid(0);
    header
}

impl Pack {
    pub(super) fn create(out: &Path) -> io::Result<Self> {
        let sink = Sink { file: BufWriter::new(File::create(out)?), hash: Sha256::new(), bytes: 0 };
        Ok(Self { tar: tar::Builder::new(GzBuilder::new().mtime(0).write(sink, Compression::default())) })
    }

    pub(super) fn directory(&mut self, at: &[u8]) -> io::Result<()> {
        let named = [at, b"/"].concat();
        self.tar.append_data(&mut header(EntryType::Directory, 0o755, 0), path(&named), io::empty())
    }

    pub(super) fn file(&mut self, at: &[u8], executable: bool, content: &[u8]) -> io::Result<()> {
        let mode = if executable { 0o755 } else { 0o644 };
        self.tar.append_data(&mut header(EntryType::Regular, mode, content.len() as u64), path(at), content)
    }

    pub(super) fn link(&mut self, at: &[u8], target: &[u8]) -> io::Result<()> {
        self.tar.append_link(&mut header(EntryType::Symlink, 0o777, 0), path(at), path(target))
    }

    /// The length and the SHA-256 of the file, once all of it is with the operating system.
    pub(super) fn finish(self) -> io::Result<(u64, String)> {
        let mut sink = self.tar.into_inner()?.finish()?;
        sink.flush()?;
        Ok((sink.bytes, hex::encode(sink.hash.finalize())))
    }
}
