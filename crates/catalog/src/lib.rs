//! The catalog on SQLite: one file, nothing else to install.
//!
//! [`SqliteCatalog`] implements [`sensorium_domain::Catalog`]; `sqlite/port.rs` is the table of its calls, and each
//! file beside it holds one concern. What 202 has promised survives a `kill -9` and a loss of power: the log is
//! synced at every commit.

mod sqlite;

pub use sqlite::{SqliteCatalog, SqliteOptions};
