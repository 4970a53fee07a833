use std::path::{Path, PathBuf};

/// What the check reads.
pub const READ: &[&str] = &["infra", "host.json", "azure.yaml"];

/// The repository as far as the check reads it, for somebody to break.
pub struct Copy(tempfile::TempDir);

impl Copy {
    pub fn new() -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        for name in READ {
            lay(&root().join(name), &copy.root().join(name));
        }
        copy
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// Replaces a text, every time that it is there.
    pub fn replace(&self, file: &str, from: &str, to: &str) {
        let path = self.root().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} does not say {from}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// What is wrong with it, each in a sentence.
    pub fn faults(&self) -> Vec<String> {
        windlass::dev::infra::check(self.root()).err().unwrap_or_default()
    }
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn lay(from: &Path, to: &Path) {
    if from.is_file() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        lay(&entry.path(), &to.join(entry.file_name()));
    }
}
