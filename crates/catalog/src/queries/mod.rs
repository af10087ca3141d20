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

use super::{Connection, Database, Row, Store, Tx, dialect, json};
use crate::error::Result;
use crate::gathering::Gathering;

/// Rows of one statement: a database takes so many parameters (32,766 here, 65,535 there), and a row has thirteen at most.
const ROWS: usize = 500;

/// Ends a transaction before its caller is answered: what it did is kept, unless it was refused something. One that is only dropped is rolled
/// back by another task, some time after the answer. Until then it keeps its rows, and whoever takes jobs passes over those that it held. So
/// whatever may refuse its caller while it holds a job ends here.
async fn conclude<T>(tx: Tx, answer: Result<T>) -> Result<T> {
    if answer.is_ok() {
        tx.commit().await?;
    } else {
        // Where this fails the connection is gone, and what it held with it.
        let _ = tx.rollback().await;
    }
    answer
}

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
