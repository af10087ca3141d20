//! Models behind queues: many callers, one actor that owns the towers, batches by cost.
//!
//! - [`queue`] is pure: what waits, in which order it goes, and what no longer needs to go.
//! - [`cache`] is pure: the vectors of recent queries.
//! - `execute` runs one batch and keeps its failures apart.
//! - `shared` is what callers and the actor share; `actor` is the actor's loop.
//! - [`LocalEncoder`] is the port [`Encoder`](sensorium_domain::encoder::Encoder) over all this.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod actor;
mod cache;
mod encoder;
mod execute;
mod key;
pub mod metrics;
pub mod options;
pub mod queue;
mod shared;

pub use encoder::{LocalEncoder, SetupError};
pub use metrics::Metrics;
pub use options::Options;
