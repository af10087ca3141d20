//! Postgres keeps the contract of the catalog, and what is its own. Needs a Postgres server's programs.

#![allow(clippy::unwrap_used)]

mod away;
mod opening;
mod plans;
#[path = "../recorder/mod.rs"]
mod recorder;
mod refusals;
mod server;

use server::Database;

sensorium_domain::catalog_contract!(Database::fresh().await);
