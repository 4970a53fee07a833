//! Zips as other tools would make them, right and wrong.

use std::io::{Cursor, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, System, ZipWriter};

use crate::programs::static_program;

#[derive(Clone)]
pub struct Item {
    pub name: String,
    pub content: Vec<u8>,
    /// None where files have no modes.
    pub mode: Option<u32>,
}

impl Item {
    pub fn new(name: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { name: name.to_owned(), content: content.into(), mode: Some(0o644) }
    }
}

/// What a package of two functions holds.
pub fn sound() -> Vec<Item> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let of = |function: &str| {
        let file = root.join("functions").join(function).join("function.json");
        Item::new(&format!("{function}/function.json"), std::fs::read(file).unwrap())
    };
    let handler = Item { mode: Some(0o755), ..Item::new("windlass", static_program()) };
    vec![Item::new("host.json", std::fs::read(root.join("host.json")).unwrap()), handler, of("health"), of("runs")]
}

/// A name that ends with a slash is a folder.
pub fn zip(items: &[Item]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for Item { name, content, mode } in items {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let options = match mode {
            Some(mode) => options.system(System::Unix).unix_permissions(*mode),
            None => options.system(System::Dos),
        };
        if name.ends_with('/') {
            zip.add_directory(name.as_str(), options).unwrap();
        } else {
            zip.start_file(name.as_str(), options).unwrap();
            zip.write_all(content).unwrap();
        }
    }
    zip.finish().unwrap().into_inner()
}

/// Runs a few lines of Python, in whose words zips are made and read by another hand than ours.
pub fn python(folder: &Path, lines: &str) -> String {
    let mut child = Command::new("python3")
        .arg("-")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is there");
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}
