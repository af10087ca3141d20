//! The behaviour of every [`Catalog`](crate::Catalog).
//!
//! Each function is a story told on fresh, empty data. An implementation's test file runs them all, each as a test of its
//! own, through [`catalog_contract!`](crate::catalog_contract).

// A story says what went wrong by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

use std::sync::Arc;

use async_trait::async_trait;

use crate::catalog::Catalog;
use crate::contract::TestClock;

mod blobs;
mod collections;
mod crashes;
mod documents;
mod filters;
mod generations;
mod ingest;
mod isolation;
mod jobs;
mod leases;
mod operations;
mod sample;
mod segments;
mod settings;
mod side_by_side;
mod texts;

pub use blobs::{
    a_blob_is_missing_until_its_bytes_are_stored, a_claim_keeps_a_blob_until_it_ends,
    a_deletion_that_died_is_taken_over, a_document_needs_stored_blobs, a_shared_blob_stays_until_its_last_owner_goes,
    bytes_are_recorded_with_their_document, no_blob_is_lost_between_claims_and_sweeps,
    small_bytes_come_with_their_document,
};
pub use collections::{a_collection_goes_with_its_documents, collections_are_made_changed_and_listed};
pub use crashes::{a_crash_loses_no_promise, a_second_handle_sees_the_same};
pub use documents::{
    a_deleted_document_is_gone_at_once, a_document_is_accepted_whole, a_next_version_stops_the_ingest_of_the_last,
    a_patch_changes_what_it_names, paging_meets_every_document_once, racing_upserts_make_one_document,
};
pub use filters::filters_mean_what_the_domain_says;
pub use generations::{
    a_generation_takes_the_place_of_another, jobs_wait_for_a_switch, no_job_slips_by_a_switch,
    questions_are_remembered_for_a_while,
};
pub use ingest::{
    a_failed_next_version_leaves_the_live_one, a_given_up_ingest_settles_the_document,
    a_late_finish_does_not_hide_a_newer_version, a_next_version_replaces_the_last, an_ingest_brings_a_version_to_life,
    failed_parts_fail_alone, finishing_a_doomed_document_does_nothing,
};
pub use isolation::{tenants_share_no_content, tenants_share_no_documents, tenants_share_no_jobs};
pub use jobs::{
    a_cancel_stops_what_can_be_stopped, every_visible_change_raises_the_revision, jobs_are_listed_newest_first,
};
pub use leases::{
    a_lease_that_expired_goes_to_another, a_new_job_is_taken_as_it_is_enqueued,
    a_retry_waits_and_a_release_does_not_count, an_ingest_brings_its_input_along, jobs_are_leased_many_at_a_time,
    jobs_of_one_document_never_run_side_by_side, jobs_of_one_document_run_in_order, no_job_is_leased_twice,
    tenants_take_turns, the_loser_of_a_lease_can_write_nothing, workers_know_how_long_to_sleep,
};
pub use operations::{
    a_failed_job_is_tried_again, a_tenant_keeps_no_more_than_it_may, keys_are_listed_and_revoked,
    old_jobs_are_forgotten, the_audit_log_keeps_everything, usage_follows_every_change,
};
pub use segments::{
    segments_are_seen_with_part_and_document, vectors_are_kept_with_their_segments, vectors_come_back_as_halves,
    vectors_go_with_their_last_segment,
};
pub use settings::{
    a_key_is_taken_with_its_document, generations_are_only_added, idempotency_keys_answer_once,
    keys_are_found_by_their_secret, numbers_add_up,
};
pub use side_by_side::{documents_come_and_go_side_by_side, each_of_many_callers_gets_its_own_answer};

pub use texts::{a_zero_character_comes_back_or_is_refused, texts_come_back_as_they_were_given};

/// Data that can be opened, and opened again as after a crash.
#[async_trait]
pub trait CatalogFixture: Send + Sync {
    /// The clock that every handle goes by.
    fn clock(&self) -> Arc<TestClock>;

    /// Another handle on the same data.
    async fn open(&self) -> Arc<dyn Catalog>;
}

/// Makes one `#[tokio::test]` of every story. The argument is an expression that gives a fresh
/// [`CatalogFixture`](crate::contract::catalog::CatalogFixture).
#[macro_export]
macro_rules! catalog_contract {
    ($fresh:expr) => {
        $crate::catalog_contract!(@each $fresh;
            a_blob_is_missing_until_its_bytes_are_stored,
            a_claim_keeps_a_blob_until_it_ends,
            a_deletion_that_died_is_taken_over,
            a_document_needs_stored_blobs,
            a_shared_blob_stays_until_its_last_owner_goes,
            bytes_are_recorded_with_their_document,
            small_bytes_come_with_their_document,
            no_blob_is_lost_between_claims_and_sweeps,
            a_collection_goes_with_its_documents,
            collections_are_made_changed_and_listed,
            a_crash_loses_no_promise,
            a_second_handle_sees_the_same,
            a_deleted_document_is_gone_at_once,
            a_document_is_accepted_whole,
            a_next_version_stops_the_ingest_of_the_last,
            a_patch_changes_what_it_names,
            paging_meets_every_document_once,
            racing_upserts_make_one_document,
            filters_mean_what_the_domain_says,
            a_failed_next_version_leaves_the_live_one,
            a_given_up_ingest_settles_the_document,
            a_late_finish_does_not_hide_a_newer_version,
            a_next_version_replaces_the_last,
            an_ingest_brings_a_version_to_life,
            failed_parts_fail_alone,
            finishing_a_doomed_document_does_nothing,
            tenants_share_no_content,
            tenants_share_no_documents,
            tenants_share_no_jobs,
            a_cancel_stops_what_can_be_stopped,
            every_visible_change_raises_the_revision,
            jobs_are_listed_newest_first,
            a_lease_that_expired_goes_to_another,
            a_new_job_is_taken_as_it_is_enqueued,
            a_retry_waits_and_a_release_does_not_count,
            an_ingest_brings_its_input_along,
            jobs_are_leased_many_at_a_time,
            jobs_of_one_document_never_run_side_by_side,
            jobs_of_one_document_run_in_order,
            no_job_is_leased_twice,
            tenants_take_turns,
            the_loser_of_a_lease_can_write_nothing,
            workers_know_how_long_to_sleep,
            a_failed_job_is_tried_again,
            keys_are_listed_and_revoked,
            old_jobs_are_forgotten,
            the_audit_log_keeps_everything,
            usage_follows_every_change,
            a_generation_takes_the_place_of_another,
            jobs_wait_for_a_switch,
            no_job_slips_by_a_switch,
            questions_are_remembered_for_a_while,
            a_tenant_keeps_no_more_than_it_may,
            documents_come_and_go_side_by_side,
            each_of_many_callers_gets_its_own_answer,
            segments_are_seen_with_part_and_document,
            vectors_are_kept_with_their_segments,
            vectors_come_back_as_halves,
            vectors_go_with_their_last_segment,
            generations_are_only_added,
            idempotency_keys_answer_once,
            a_key_is_taken_with_its_document,
            keys_are_found_by_their_secret,
            numbers_add_up,
            a_zero_character_comes_back_or_is_refused,
            texts_come_back_as_they_were_given,
        );
    };
    (@each $fresh:expr; $($story:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                let fixture = $fresh;
                $crate::contract::catalog::$story(&fixture).await;
            }
        )*
    };
}
