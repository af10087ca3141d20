//! The catalog, on SQLite (one file, nothing else to install) and on Postgres (many servers share it).
//!
//! [`SqliteCatalog`] and [`PostgresCatalog`] implement [`sensorium_domain::Catalog`]. `queries` has the port's calls, a file
//! for each concern and `port.rs` as their table, in SQL that both databases understand. It is compiled once for each, so
//! no statement and no row is generic. `sqlite` and `postgres` have what differs: opening, transactions and locks, how
//! values are bound and read (`dialect.rs`), and conditions on JSON (`json.rs`).
//!
//! What 202 has promised survives a `kill -9` and a loss of power: every commit is synced.

// `queries` is a module of both databases on purpose.
#![allow(clippy::duplicate_mod)]

mod columns;
mod error;
mod gathering;
mod half_floats;
mod merge_patch;
mod postgres;
mod sqlite;

pub use postgres::{PostgresCatalog, PostgresOptions};
pub use sqlite::{SqliteCatalog, SqliteOptions};
