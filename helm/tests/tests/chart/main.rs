//! The chart, `compose.yaml` and the Dockerfile, as far as that can be told without running them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod compose;
mod faults;
mod image;
mod links;
mod network;
mod pods;
mod rendered;
mod safety;
mod settings;
