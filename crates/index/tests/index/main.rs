//! The indexes behind the port. Qdrant Edge: the contract, reopening, damage, crashes, many callers at once and the scores of words.
//! A Qdrant server: the contract, the same answers as Edge, outages, other shapes and settings, tenants, and a cluster.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod edge;
mod sample;
mod server;
