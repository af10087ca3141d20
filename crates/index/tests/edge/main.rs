//! Qdrant Edge behind the port: the contract, reopening, damage, crashes, many callers at once and the scores of words.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod callers;
mod contract;
mod crash;
mod folder;
mod sample;
mod words;
