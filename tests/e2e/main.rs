//! End-to-end tests: the real program, over HTTP and its command line. A module a story; a module's cases share one server, and
//! each case has a tenant of its own. `E2E_CASE=word` runs only the cases with that word in their names.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]
#![allow(
    clippy::cloned_ref_to_slice_refs,
    clippy::comparison_to_empty,
    clippy::single_char_pattern,
    clippy::case_sensitive_file_extension_comparisons,
    clippy::precedence
)] // tests say it plainly

mod allowance;
mod auth;
mod backup;
mod batch;
mod cases;
mod cli;
mod client;
mod cluster;
mod collections;
mod config;
mod crash;
mod documents;
mod errors;
mod index_folder;
mod inline;
mod issuer;
mod jobs;
mod layering;
mod media;
mod memory;
mod metrics;
mod openapi;
mod outages;
mod overload;
mod postgres_process;
mod profiles;
mod qdrant;
#[path = "../../crates/index/tests/index/server/process.rs"]
mod qdrant_process;
mod reindex;
mod retrieval;
mod roles;
mod s3;
mod search;
mod server;
mod traces;
