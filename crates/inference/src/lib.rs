//! Models behind queues: many callers, an actor or two that have the towers work, batches by cost.
//!
//! - [`queue`] is pure: what waits, in which order it goes, and what no longer needs to go.
//! - [`cache`] is pure: the vectors of recent queries.
//! - `execute` runs one batch and keeps its failures apart.
//! - `rate` is pure: how fast work goes.
//! - `priority` puts the threads of ingest behind those of searches.
//! - `shared` is what callers and the actors share; `actor` is an actor's loop.
//! - [`LocalEncoder`] is the port [`Encoder`](sensorium_domain::encoder::Encoder) over all this.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod actor;
mod cache;
mod encoder;
mod execute;
mod key;
pub mod metrics;
pub mod options;
mod priority;
pub mod queue;
mod rate;
mod shared;

pub use encoder::{LocalEncoder, SetupError};
pub use metrics::Metrics;
pub use options::{Lanes, Options};
pub use priority::yielding_to_searches;
