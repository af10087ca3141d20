//! No statement walks over a table that grows.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use sensorium_domain::contract::catalog as contract;
use sqlx::{AssertSqlSafe, Row};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::Folder;

static STATEMENTS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Keeps the text of every statement that sqlx reports.
struct Recorder;

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn event(&self, event: &Event<'_>) {
        let mut found = Statement::default();
        event.record(&mut found);
        let text = if found.whole.is_empty() { found.summary } else { found.whole };
        let mut statements = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner);
        statements.insert(text.trim().to_owned());
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Statement {
    summary: String,
    whole: String,
}

impl Visit for Statement {
    fn record_debug(&mut self, _: &Field, _: &dyn Debug) {}

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "summary" => value.clone_into(&mut self.summary),
            "db.statement" => value.clone_into(&mut self.whole),
            _ => {}
        }
    }
}

/// What may be walked: an index of only those rows that wait, from its beginning to the first that fits; small tables; the
/// rows of an insertion.
const ALLOWED: [&str; 7] = [
    "USING INDEX jobs_ready",
    "USING INDEX blobs_unowned",
    "USING COVERING INDEX blobs_unowned",
    "SCAN generations",
    "SCAN heads",
    "SCAN t",
    "ROW VALUES CLAUSE",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_walks_over_a_table() {
    let _ = tracing::subscriber::set_global_default(Recorder);
    contract::a_blob_is_missing_until_its_bytes_are_stored(&Folder::fresh()).await;
    contract::a_collection_goes_with_its_documents(&Folder::fresh()).await;
    contract::a_deleted_document_is_gone_at_once(&Folder::fresh()).await;
    contract::a_given_up_ingest_settles_the_document(&Folder::fresh()).await;
    contract::a_next_version_replaces_the_last(&Folder::fresh()).await;
    contract::a_patch_changes_what_it_names(&Folder::fresh()).await;
    contract::a_retry_waits_and_a_release_does_not_count(&Folder::fresh()).await;
    contract::collections_are_made_changed_and_listed(&Folder::fresh()).await;
    contract::generations_are_only_added(&Folder::fresh()).await;
    contract::idempotency_keys_answer_once(&Folder::fresh()).await;
    contract::jobs_are_listed_newest_first(&Folder::fresh()).await;
    contract::keys_are_found_by_their_secret(&Folder::fresh()).await;
    contract::numbers_add_up(&Folder::fresh()).await;
    contract::paging_meets_every_document_once(&Folder::fresh()).await;
    contract::segments_are_seen_with_part_and_document(&Folder::fresh()).await;
    contract::vectors_go_with_their_last_segment(&Folder::fresh()).await;
    contract::workers_know_how_long_to_sleep(&Folder::fresh()).await;

    let folder = Folder::fresh();
    contract::CatalogFixture::open(&folder).await;
    let mut connection = folder.connect().await;
    let statements = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mut explained = 0;
    let mut faults = Vec::new();
    for statement in statements {
        let asks = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
        if !asks.iter().any(|word| statement.starts_with(word)) || statement.contains("sqlx") {
            continue;
        }
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        for row in sqlx::query(explain).fetch_all(&mut connection).await.unwrap() {
            let step: String = row.get("detail");
            let walks = step.starts_with("SCAN") && !step.contains("VIRTUAL TABLE") && !step.contains("CONSTANT");
            let sorts = step.contains("TEMP B-TREE") && !statement.starts_with("WITH");
            if sorts {
                faults.push(format!("{step}\n    {statement}"));
            }
            if walks && !ALLOWED.iter().any(|allowed| step.contains(allowed)) {
                faults.push(format!("{step}\n    {statement}"));
            }
        }
        explained += 1;
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(explained > 60, "only {explained} statements were seen");
}
