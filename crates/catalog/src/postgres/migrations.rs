//! The schema is brought up to date by whoever starts first; the others wait.
//!
//! While a new version is rolled out, old processes work on a schema that is ahead of them, and may have to start on it.
//! So a migration only adds (expand); what no version needs any more goes in a later release, by a migration whose name
//! begins with `contract`. A process refuses a schema from which something has been taken away that it may need.

use std::time::Duration;

use sensorium_domain::CatalogError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::error::{Fail, migration_error};

/// Runs the migrations under an advisory lock of the database. `database` names it in errors.
pub(super) async fn run(connect: &PgConnectOptions, patience: Duration, database: &str) -> Result<(), CatalogError> {
    // Without the time limits of the pool: a migration of a large table takes as long as it takes.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(patience)
        .connect_with(connect.clone())
        .await
        .map_err(Fail::from)?;
    let mut migrator = sqlx::migrate!("../../migrations/postgres");
    migrator.set_ignore_missing(true);
    migrator.run(&pool).await.map_err(|error| migration_error(database, error))?;
    let newest = migrator.iter().map(|migration| migration.version).max().unwrap_or(0);
    let contracted: Option<i64> = sqlx::query_scalar(
        "SELECT min(version) FROM _sqlx_migrations WHERE version > $1 AND description LIKE 'contract%'",
    )
    .bind(newest)
    .fetch_one(&pool)
    .await
    .map_err(Fail::from)?;
    pool.close().await;
    match contracted {
        Some(version) => Err(migration_error(database, MigrateError::VersionMissing(version))),
        None => Ok(()),
    }
}
