//! Implementations of the port [`VectorIndex`](sensorium_domain::VectorIndex): Qdrant Edge, in process, and a Qdrant server.
//!
//! What filters mean, how a point is stored, what words weigh and how hits are put in order is the same for both and stands beside
//! them; their folders hold what differs.

pub mod edge;
mod facets;
mod filter;
mod hits;
mod legs;
mod options;
mod payload;
mod places;
mod points;
pub mod server;
mod shape;
mod threads;
mod words;

pub use edge::{EdgeIndex, EdgeOptions};
pub use options::{HnswOptions, WordsOptions};
pub use server::{QdrantIndex, QdrantOptions, Quantization};
