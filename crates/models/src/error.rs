//! Why a model could not be loaded.

use std::path::{Path, PathBuf};

/// Why a model could not be loaded. Each names the file and what to do with it.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file that the layout asks for is not there.
    #[error("{} is missing", path.display())]
    MissingFile {
        /// The file.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error("{} could not be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A file is not the one that was expected.
    #[error("{} has sha256 {found}, expected {expected}; delete it and fetch it again", path.display())]
    WrongHash {
        /// The file.
        path: PathBuf,
        /// The hash that was expected, in hexadecimal.
        expected: String,
        /// The hash of the file, in hexadecimal.
        found: String,
    },
    /// A weight file ends before its last tensor, or is longer than its header says.
    #[error(
        "{} is {found_bytes} bytes long, which is not what its header says; the download was cut, fetch it again",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Its length.
        found_bytes: usize,
    },
    /// A file does not hold what its name says.
    #[error("{} cannot be understood: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The weights lack a tensor that the architecture needs.
    #[error("{} has no tensor \"{name}\"", path.display())]
    MissingTensor {
        /// The weight file.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor has another shape than the configuration implies.
    #[error("{}: tensor \"{name}\" has shape {found:?}, expected {expected:?}", path.display())]
    WrongShape {
        /// The weight file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The shape that the configuration implies.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A tensor has numbers of a kind that is not read.
    #[error("{}: tensor \"{name}\" is {found}; f32, f16 and bf16 are read", path.display())]
    WrongNumbers {
        /// The weight file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The kind in the file.
        found: String,
    },
    /// The architecture, or an option of it, is not one that is implemented.
    #[error("{what} \"{found}\" is not supported; supported: {supported}")]
    Unsupported {
        /// What kind of thing it is, such as "architecture".
        what: &'static str,
        /// What was asked for.
        found: String,
        /// Those that are.
        supported: &'static str,
    },
    /// The device could not take or compute something.
    #[error("{what}: the device failed: {reason}")]
    Device {
        /// What was wanted of it.
        what: String,
        /// What it said.
        reason: String,
    },
    /// There are only pickled weights, which can run code when they are read.
    #[error(
        "{} is a pickle, which can run code when it is read, and there is no safetensors file beside it; convert it first",
        path.display()
    )]
    Pickle {
        /// The file.
        path: PathBuf,
    },
}

impl ModelError {
    /// A [`ModelError::Device`] about `what`.
    pub(crate) fn device(what: &str, reason: &dyn std::fmt::Display) -> Self {
        Self::Device { what: what.to_owned(), reason: reason.to_string() }
    }

    /// A [`ModelError::Malformed`] of `path`.
    pub(crate) fn malformed(path: &Path, reason: &dyn std::fmt::Display) -> Self {
        Self::Malformed { path: path.to_owned(), reason: reason.to_string() }
    }
}
