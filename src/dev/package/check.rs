//! Whether a zip would run on Azure: everything that is wrong with it at once, each with what to do.

use std::collections::BTreeMap;

use super::entries::{Entry, entries};
use super::layout::{FUNCTION, HOST, LOCAL_SETTINGS, handler_named_by};
use super::program::{Program, inspect};
use crate::dev::host;

/// A deployment is fetched and unpacked before every cold start.
const LARGEST_ZIP: usize = 15 * 1000 * 1000;
const LARGEST_HANDLER: usize = 25 * 1000 * 1000;

/// A zip in which no fault was found.
pub struct Package {
    pub size: usize,
    /// Every entry's name, mode and size.
    pub entries: Vec<(String, u32, usize)>,
    pub functions: usize,
    pub handler: Program,
    pub handler_size: usize,
}

/// Takes the bytes of a zip apart.
pub fn check(zip: &[u8]) -> Result<Package, Vec<String>> {
    let entries = entries(zip)?;
    let mut checked = Checked { faults: Vec::new(), texts: BTreeMap::new(), handler: None };
    if zip.len() >= LARGEST_ZIP {
        checked.fault(format!(
            "it has {} kB, and {} kB are the limit; look for what made the handler grow",
            zip.len() / 1000,
            LARGEST_ZIP / 1000
        ));
    }
    let handler = checked.host(&entries);
    for entry in entries.iter().filter(|entry| entry.name != HOST) {
        match entry.name.strip_suffix(FUNCTION).and_then(|folder| folder.strip_suffix('/')) {
            _ if handler.as_ref() == Some(&entry.name) => checked.handler(entry),
            Some(function) if !function.contains(['/', '\\']) && !entry.is_folder => {
                checked.text(function, entry);
            }
            _ => checked.stray(entry, &entries),
        }
    }
    if let Some(name) = handler.filter(|name| entries.iter().all(|entry| entry.name != *name)) {
        checked.fault(format!("{name} is missing, the handler that {HOST} names; zip it beside {HOST}"));
    }
    checked.files();
    let functions = checked.texts.len().saturating_sub(1);
    match checked.handler {
        Some((handler, handler_size)) if checked.faults.is_empty() => Ok(Package {
            size: zip.len(),
            entries: entries
                .into_iter()
                .map(|e| (e.name, e.mode.unwrap_or_default() & 0o777, e.content.len()))
                .collect(),
            functions,
            handler,
            handler_size,
        }),
        _ => Err(checked.faults),
    }
}

struct Checked {
    faults: Vec<String>,
    /// What host.json and every function.json say; the key is the function's name, or host.json.
    texts: BTreeMap<String, String>,
    handler: Option<(Program, usize)>,
}

impl Checked {
    fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    /// Reads host.json for the handler's name.
    fn host(&mut self, entries: &[Entry]) -> Option<String> {
        let Some(entry) = entries.iter().find(|entry| entry.name == HOST) else {
            let nested = entries.iter().find_map(|entry| entry.name.strip_suffix(HOST).map(|_| entry.name.as_str()));
            self.fault(match nested {
                Some(nested) => {
                    format!("{HOST} is not at the top but at {nested}; zip what is in the folder, not the folder")
                }
                None => format!("{HOST} is missing; a package holds it at its top"),
            });
            return None;
        };
        self.text(HOST, entry);
        let json = serde_json::from_slice(&entry.content).unwrap_or_default();
        let named = handler_named_by(&json);
        if named.is_none() {
            self.fault(format!(
                "{HOST}: customHandler.description.defaultExecutablePath must be the handler's bare file name"
            ));
        }
        named
    }

    fn text(&mut self, name: &str, entry: &Entry) {
        let Ok(text) = String::from_utf8(entry.content.clone()) else {
            return self.fault(format!("{} is no text in UTF-8; write it anew", entry.name));
        };
        // Where a secret in the zip would be read by everybody who may read the deployment.
        for word in ["AccountKey=", "SharedAccessKey=", "?sig=", "&sig="] {
            if text.contains(word) {
                self.fault(format!(
                    "{} holds a secret ({word}…); a setting of the app holds it, and the file names the setting",
                    entry.name
                ));
            }
        }
        self.texts.insert(name.to_owned(), text);
    }

    fn handler(&mut self, entry: &Entry) {
        let name = &entry.name;
        match entry.mode {
            None => self.fault(format!(
                "{name} has lost its run bit: it was zipped on Windows, or by a tool that keeps no modes, and the host \
                 could not start it; zip it on Linux or macOS, or with `windlass-dev package --zip`"
            )),
            Some(mode) if mode & 0o170_000 == 0o120_000 => {
                self.fault(format!("{name} is a link and no program; zip what it leads to"));
            }
            Some(mode) if mode & 0o111 != 0o111 => self.fault(format!(
                "{name} has lost its run bit: its mode is {:03o}, and the host could not start it; set it with `chmod 755 \
                 {name}` before zipping, or use `windlass-dev package --zip`",
                mode & 0o777
            )),
            Some(_) => {}
        }
        if entry.content.len() >= LARGEST_HANDLER {
            self.fault(format!(
                "{name} has {} kB, and {} kB are the limit; it is a debug build, or look for what made it grow",
                entry.content.len() / 1000,
                LARGEST_HANDLER / 1000
            ));
        }
        match inspect(&entry.content) {
            Ok(program) => self.handler = Some((program, entry.content.len())),
            Err(faults) => faults.into_iter().for_each(|fault| self.fault(format!("{name} {fault}"))),
        }
    }

    fn stray(&mut self, entry: &Entry, all: &[Entry]) {
        let name = &entry.name;
        let folder_of_a_function = || all.iter().any(|other| other.name == format!("{name}{FUNCTION}"));
        if entry.is_folder && folder_of_a_function() && name.matches('/').count() == 1 {
            return;
        }
        self.fault(if looks_secret(name) {
            format!("{name} holds secrets of the machine that it was zipped on; take it out, and change them if the zip was given to anybody")
        } else if name.contains('\\') {
            format!("{name} has a backslash in its name, as some tools on Windows write it; zip it with `windlass-dev package --zip`")
        } else {
            format!("{name} is no part of a package, which holds {HOST}, the handler and a folder with a {FUNCTION} for each function; take it out")
        });
    }

    /// What the host would say to the files.
    fn files(&mut self) {
        let Some(host) = self.texts.get(HOST) else { return };
        let functions = self.texts.iter().filter(|(name, _)| *name != HOST);
        let mut said = host::judge(host, functions.map(|(name, text)| (name.as_str(), text.as_str())));
        if self.texts.len() == 1 {
            said.push("there is no function in it; run `windlass-dev functions --write` and make it anew".to_owned());
        }
        self.faults.append(&mut said);
    }
}

/// Files that hold secrets by their names.
fn looks_secret(name: &str) -> bool {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name).to_ascii_lowercase();
    let endings = [".pem", ".key", ".pfx", ".p12", ".publishsettings"];
    file == LOCAL_SETTINGS
        || file == ".env"
        || file.starts_with(".env.")
        || file.starts_with("id_")
        || endings.iter().any(|ending| file.ends_with(ending))
}
