//! Why a chart cannot be used.

use std::path::PathBuf;

/// What is wrong, and where.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// A file that cannot be read.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Text that is not YAML.
    #[error("{place}: {text}")]
    Yaml {
        /// The file or template.
        place: String,
        /// What the reader says.
        text: String,
    },
    /// A template that cannot be rendered, or that refuses the values.
    #[error("{template}: {text}")]
    Template {
        /// Its file.
        template: String,
        /// Why.
        text: String,
    },
    /// An object that is none of Kubernetes' or not as it should be.
    #[error("{template}: {object}: {text}")]
    Object {
        /// The file of the template.
        template: String,
        /// Kind and name.
        object: String,
        /// What is wrong with it.
        text: String,
    },
}
