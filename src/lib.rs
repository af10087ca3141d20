//! Sensorium: documents of text, pictures and sounds go in; any modality finds any other.
//!
//! `router.rs` has every address; `startup.rs` names every implementation; ARCHITECTURE.md tells the rest.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod allowance;
pub mod auth;
pub mod backup;
pub mod blobs;
pub mod caption;
pub mod cli;
pub mod config;
pub mod dashboard;
pub mod data_folder;
pub mod embed;
pub mod error;
pub mod fsck;
pub mod http;
pub mod ingest;
pub mod jobs;
pub mod lifecycle;
pub mod media_pool;
pub mod metrics;
pub mod models;
pub mod on_demand;
pub mod openapi;
pub mod profile;
pub mod reindex;
pub mod router;
pub mod search;
pub mod startup;
pub mod telemetry;
pub mod tls;
pub mod transcribe;
