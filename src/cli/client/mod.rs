//! The commands that talk to a running server over its public API: `add`, `search`, `documents`, `jobs`,
//! `collections`, `reindex` and `models running`.
//!
//! Each command has an `Args` struct and a `run(args, connection)`; [`problem::finish`] prints what went wrong
//! and gives the process its exit code.

pub mod add;
pub mod collections;
pub mod connection;
pub mod documents;
pub mod jobs;
pub mod models;
pub mod output;
pub mod problem;
pub mod reindex;
pub mod search;
pub mod table;

mod files;
mod highlight;
mod hits;
mod http;
mod idempotency;
mod inputs;
mod outcome;
mod pages;
mod patience;
mod place;
mod sse;
mod upload;
mod waiting;
mod watch;

pub use connection::ConnectionArgs;
pub use problem::finish;
