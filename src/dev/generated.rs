//! Checked-in files that are made from the code: each is compared with what the code says today.

use std::path::Path;

/// Compares the file with what it should say, or writes it when `WINDLASS_WRITE` is set.
///
/// # Panics
/// When it says something else.
pub fn is_up_to_date(file: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os("WINDLASS_WRITE").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let actual = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert!(
        actual == expected,
        "{file} is not what the code makes of it; make it anew with\n\
         WINDLASS_WRITE=1 cargo test --features dev --lib dev::"
    );
}
