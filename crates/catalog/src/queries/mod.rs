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
use crate::gathering::Gathering;

/// Rows of one statement: a database takes so many parameters (32,766 here, 65,535 there), and a row has thirteen at most.
const ROWS: usize = 500;

/// The calls that go together with others of their kind, all for the generation of one handle.
#[derive(Default)]
pub(super) struct Groups {
    claims: Gathering<blobs::Claim>,
    stored: Gathering<blobs::Stored>,
    accepted: Gathering<accept::Accept>,
    documents: Gathering<documents::Get>,
    parts: Gathering<documents::PartsOf>,
    kept: Gathering<vectors::Get>,
    vectors: Gathering<vectors::Put>,
    endings: Gathering<endings::Finish>,
    jobs: Gathering<jobs::Get>,
    keys: Gathering<keys::BySecret>,
    audit: Gathering<audit::Record>,
}
