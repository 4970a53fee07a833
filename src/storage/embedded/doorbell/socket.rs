//! A datagram socket for each listener, announced by a file in the store's directory that holds the socket's path.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::net::UnixDatagram;

use crate::engine::ports::StoreError;
use crate::storage::embedded::unavailable;

/// The folder of the announcements.
pub(super) const BELLS: &str = "bells";
/// Announcements end so; what ends otherwise is a socket, or half written.
pub(super) const ANNOUNCED: &str = "bell";
/// Between the names in one datagram.
pub(super) const SEPARATOR: char = '\n';
/// Bytes of one datagram; what is cut off was only a hint.
const DATAGRAM: usize = 64 << 10;
/// The kernel takes 108 bytes with a zero at the end, some systems 104.
const LONGEST_PATH: usize = 100;

pub(super) struct Listener {
    socket: UnixDatagram,
    pending: VecDeque<String>,
    buffer: Vec<u8>,
    files: [PathBuf; 2],
}

impl Listener {
    pub(super) fn bind(directory: &Path) -> Result<Self, StoreError> {
        Self::try_bind(&directory.join(BELLS)).map_err(|error| unavailable(format!("no doorbell: {error}")))
    }

    fn try_bind(bells: &Path) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        fs::create_dir_all(bells)?;
        let mut address = bells.join(format!("{name}.sock"));
        if address.as_os_str().len() > LONGEST_PATH {
            address = std::env::temp_dir().join(format!("windlass-{name}-{:08x}.sock", fastrand::u32(..)));
        }
        // Left behind by a process that had our number before.
        let _ = fs::remove_file(&address);
        let socket = UnixDatagram::bind(&address)?;
        let announcement = bells.join(format!("{name}.{ANNOUNCED}"));
        let draft = bells.join(format!("{name}.draft"));
        fs::write(&draft, address.as_os_str().as_encoded_bytes())?;
        fs::rename(&draft, &announcement)?;
        Ok(Self { socket, pending: VecDeque::new(), buffer: vec![0; DATAGRAM], files: [announcement, address] })
    }

    pub(super) async fn rung(&mut self) -> String {
        loop {
            if let Some(queue) = self.pending.pop_front() {
                return queue;
            }
            match self.socket.recv(&mut self.buffer).await {
                Ok(length) => self.note(length),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
            while let Ok(length) = self.socket.try_recv(&mut self.buffer) {
                self.note(length);
            }
        }
    }

    fn note(&mut self, length: usize) {
        let text = String::from_utf8_lossy(self.buffer.get(..length).unwrap_or_default());
        for queue in text.split(SEPARATOR).filter(|queue| !queue.is_empty()) {
            if !self.pending.iter().any(|pending| pending == queue) {
                self.pending.push_back(queue.to_owned());
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        for file in &self.files {
            // A ringer tidies up what cannot be removed here.
            let _ = fs::remove_file(file);
        }
    }
}
