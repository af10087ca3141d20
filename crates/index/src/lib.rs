//! Implementations of the port [`VectorIndex`](sensorium_domain::VectorIndex): Qdrant Edge, in process.

pub mod edge;
mod facets;
mod filter;
mod hits;
mod legs;
mod options;
mod payload;
mod places;
mod points;
mod shape;
mod threads;
mod words;

pub use edge::{EdgeIndex, EdgeOptions};
pub use options::{HnswOptions, WordsOptions};
