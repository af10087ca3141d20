//! Implementations of the port [`VectorIndex`](sensorium_domain::VectorIndex): Qdrant Edge, in process.

pub mod edge;

pub use edge::{EdgeIndex, EdgeOptions};
