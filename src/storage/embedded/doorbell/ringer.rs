//! The ringing side: knows who listens, and never waits for anybody.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::socket::{ANNOUNCED, BELLS, SEPARATOR};

/// A folder that changed so recently may change again without showing a newer time.
const CLOCK_GRAIN: Duration = Duration::from_millis(100);

pub(in crate::storage::embedded) struct Ringer {
    bells: PathBuf,
    /// None where no socket can be had: then nobody is rung.
    socket: Option<UnixDatagram>,
    listeners: Vec<Listener>,
    /// The time of the folder when it was read last, if that can be relied on.
    read_at: Option<SystemTime>,
}

struct Listener {
    announcement: PathBuf,
    address: PathBuf,
    /// Queues that the listener was too busy to hear of.
    owed: BTreeSet<String>,
}

impl Ringer {
    pub(in crate::storage::embedded) fn new(directory: &Path) -> Self {
        let socket = UnixDatagram::unbound().and_then(|socket| socket.set_nonblocking(true).map(|()| socket)).ok();
        Self { bells: directory.join(BELLS), socket, listeners: Vec::new(), read_at: None }
    }

    /// Whether somebody was too busy to hear all rings.
    pub(in crate::storage::embedded) fn owes(&self) -> bool {
        self.listeners.iter().any(|listener| !listener.owed.is_empty())
    }

    /// Rings everybody for these queues, and for those owed.
    pub(in crate::storage::embedded) fn ring<'a>(&mut self, queues: impl IntoIterator<Item = &'a str>) {
        let queues: BTreeSet<&str> = queues.into_iter().collect();
        if queues.is_empty() && !self.owes() {
            return;
        }
        self.find_listeners();
        let Some(socket) = &self.socket else { return };
        self.listeners.retain_mut(|listener| listener.hear(socket, &queues));
    }

    fn find_listeners(&mut self) {
        let changed_at = fs::metadata(&self.bells).and_then(|folder| folder.modified()).ok();
        if self.read_at.is_some() && self.read_at == changed_at {
            return;
        }
        let settled = |at: &SystemTime| at.elapsed().is_ok_and(|age| age > CLOCK_GRAIN);
        self.read_at = changed_at.filter(settled);
        let announced = |path: &PathBuf| path.extension().is_some_and(|end| end == ANNOUNCED);
        let files = fs::read_dir(&self.bells).into_iter().flatten().flatten().map(|file| file.path());
        let present: Vec<PathBuf> = files.filter(announced).collect();
        self.listeners.retain(|known| present.contains(&known.announcement));
        for announcement in present {
            if self.listeners.iter().any(|known| known.announcement == announcement) {
                continue;
            }
            if let Ok(address) = fs::read(&announcement) {
                let address = PathBuf::from(OsString::from_vec(address));
                self.listeners.push(Listener { announcement, address, owed: BTreeSet::new() });
            }
        }
    }
}

impl Listener {
    /// Whether the listener is still there.
    fn hear(&mut self, socket: &UnixDatagram, queues: &BTreeSet<&str>) -> bool {
        self.owed.extend(queues.iter().map(|queue| (*queue).to_owned()));
        let names = self.owed.iter().map(String::as_str).collect::<Vec<_>>().join(&SEPARATOR.to_string());
        match socket.send_to(names.as_bytes(), &self.address) {
            Ok(_) => self.owed.clear(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => (),
            Err(error) => {
                // Nobody is bound to the socket any more: its process died without tidying up.
                if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) {
                    let _ = fs::remove_file(&self.announcement);
                    if self.address.parent() == self.announcement.parent() {
                        let _ = fs::remove_file(&self.address);
                    }
                }
                return false;
            }
        }
        true
    }
}
