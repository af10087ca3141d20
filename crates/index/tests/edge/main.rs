//! Qdrant Edge behind the port: the contract, reopening, damage, crashes and many callers at once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod callers;
mod contract;
mod crash;
mod folder;
mod sample;
