//! Keys that make adding the same file again no second document.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// The key of a file. The description (JSON of title, tags, ...) belongs to it, because the server refuses a known key
/// with another request.
pub fn key(collection: &str, path: &str, content_sha256: &str, description: &str) -> String {
    let mut hash = Sha256::new();
    for field in [collection, path, content_sha256, description] {
        hash.update((field.len() as u64).to_le_bytes());
        hash.update(field);
    }
    format!("add-{}", hex(&hash.finalize()))
}

/// The key for adding a file anew whose document, of the key `before`, has been deleted since.
pub fn key_after(before: &str, deleted_document: &str) -> String {
    key("", before, "", deleted_document)
}

/// SHA-256 of a file's content, in hex. Blocks: call it off the async threads.
pub fn sha256_of_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 128 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..count]);
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_for_the_same_and_fits_the_header() {
        let first = key("default", "/a/b.png", "00", "{}");
        assert_eq!(first, key("default", "/a/b.png", "00", "{}"));
        assert!(first.len() <= 255 && first.chars().all(|c| c.is_ascii_graphic()));
    }

    #[test]
    fn each_field_counts_and_fields_do_not_run_together() {
        let keys = [
            key("default", "/a", "00", "{}"),
            key("other", "/a", "00", "{}"),
            key("default", "/b", "00", "{}"),
            key("default", "/a", "01", "{}"),
            key("default", "/a", "00", r#"{"title":"x"}"#),
            key("default/", "a", "00", "{}"),
            key_after(&key("default", "/a", "00", "{}"), "doc_1"),
        ];
        let different: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
    }

    #[test]
    fn content_is_hashed_as_sha256() -> io::Result<()> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), "abc")?;
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_of_file(file.path())?, expected);
        Ok(())
    }
}
