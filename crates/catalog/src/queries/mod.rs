//! The port's calls in SQL that both databases understand. Compiled once for each of them, as a module of `sqlite` and of
//! `postgres`: what `super` has is that database's.

mod accept;
mod audit;
mod blobs;
mod collections;
mod deletions;
mod documents;
mod endings;
pub(super) mod filters;
pub(super) mod generations;
mod idempotency;
mod jobs;
mod keys;
mod leases;
mod listing;
mod port;
mod retries;
mod segments;
mod settings;
mod vectors;
mod versions;

use super::{Connection, Database, Row, Store, dialect, json};
