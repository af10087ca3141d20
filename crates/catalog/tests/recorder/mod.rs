//! The statements that a catalog sends, as sqlx reports them.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

use sensorium_domain::contract::catalog as contract;
use sensorium_domain::contract::catalog::CatalogFixture;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

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

/// Tells the stories that between them send every statement, and returns those that read or write tables.
pub async fn statements<F: CatalogFixture>(fresh: impl AsyncFn() -> F) -> BTreeSet<String> {
    let _ = tracing::subscriber::set_global_default(Recorder);
    contract::a_blob_is_missing_until_its_bytes_are_stored(&fresh().await).await;
    contract::a_collection_goes_with_its_documents(&fresh().await).await;
    contract::a_deleted_document_is_gone_at_once(&fresh().await).await;
    contract::a_given_up_ingest_settles_the_document(&fresh().await).await;
    contract::a_next_version_replaces_the_last(&fresh().await).await;
    contract::a_patch_changes_what_it_names(&fresh().await).await;
    contract::a_retry_waits_and_a_release_does_not_count(&fresh().await).await;
    contract::collections_are_made_changed_and_listed(&fresh().await).await;
    contract::generations_are_only_added(&fresh().await).await;
    contract::idempotency_keys_answer_once(&fresh().await).await;
    contract::a_key_is_taken_with_its_document(&fresh().await).await;
    contract::a_new_job_is_taken_as_it_is_enqueued(&fresh().await).await;
    contract::jobs_are_listed_newest_first(&fresh().await).await;
    contract::keys_are_found_by_their_secret(&fresh().await).await;
    contract::numbers_add_up(&fresh().await).await;
    contract::paging_meets_every_document_once(&fresh().await).await;
    contract::segments_are_seen_with_part_and_document(&fresh().await).await;
    contract::small_bytes_come_with_their_document(&fresh().await).await;
    contract::documents_come_and_go_side_by_side(&fresh().await).await;
    contract::each_of_many_callers_gets_its_own_answer(&fresh().await).await;
    contract::vectors_go_with_their_last_segment(&fresh().await).await;
    contract::workers_know_how_long_to_sleep(&fresh().await).await;
    contract::a_failed_job_is_tried_again(&fresh().await).await;
    contract::keys_are_listed_and_revoked(&fresh().await).await;
    contract::old_jobs_are_forgotten(&fresh().await).await;
    contract::the_audit_log_keeps_everything(&fresh().await).await;
    contract::usage_follows_every_change(&fresh().await).await;
    contract::a_tenant_keeps_no_more_than_it_may(&fresh().await).await;
    contract::a_generation_takes_the_place_of_another(&fresh().await).await;
    contract::jobs_wait_for_a_switch(&fresh().await).await;
    contract::questions_are_remembered_for_a_while(&fresh().await).await;

    let asks = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
    let mut found = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner).clone();
    found.retain(|statement| asks.iter().any(|word| statement.starts_with(word)) && !statement.contains("sqlx"));
    assert!(found.len() > 60, "only {} statements were seen", found.len());
    found
}

/// What a reindex asks once for each round, or once in all: it concerns every document.
pub fn is_of_all_documents(statement: &str) -> bool {
    [
        "SELECT count(*) AS documents FROM documents d LEFT JOIN generation_documents",
        "INSERT INTO generation_documents (generation, document, tenant, version, updated_at) SELECT",
        "UPDATE parts SET segments = (SELECT count(*)",
    ]
    .iter()
    .any(|beginning| statement.starts_with(beginning))
}
