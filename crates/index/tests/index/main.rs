//! The indexes behind the port. Qdrant Edge: the contract, reopening, damage, crashes, many callers at once and the scores of words.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod edge;
mod sample;
