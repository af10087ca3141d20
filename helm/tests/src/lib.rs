//! The Helm chart `helm/sensorium` without Helm: its templates are rendered as Helm renders them, and every object is
//! read strictly. For the tests of this package; nothing of the server uses it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod chart;
mod error;
mod functions;
mod monitor;
mod objects;
mod values;
mod yaml;

pub use chart::{Chart, Rendered};
pub use error::ChartError;
pub use objects::{Object, read_objects};
pub use values::merge;
pub use yaml::read_yaml;
