//! What goes wrong in the database, in the port's words.

use std::path::Path;

use sensorium_domain::CatalogError;
use sqlx::migrate::MigrateError;

/// The result of everything in here. The second parameter lets `open` name the port's error.
pub(super) type Result<T, E = Fail> = std::result::Result<T, E>;

/// A [`CatalogError`] that `?` makes out of a database error.
#[derive(Debug)]
pub(super) struct Fail(CatalogError);

impl Fail {
    pub(super) fn not_found(what: &'static str) -> Self {
        Self(CatalogError::NotFound(what))
    }

    pub(super) fn conflict(why: impl Into<String>) -> Self {
        Self(CatalogError::Conflict(why.into()))
    }

    pub(super) fn lease_lost() -> Self {
        Self(CatalogError::LeaseLost)
    }

    /// A row that does not say what rows of its table say.
    pub(super) fn corrupt(column: &str, why: impl std::fmt::Display) -> Self {
        Self(CatalogError::Internal(format!("the column \"{column}\" holds something else: {why}")))
    }
}

impl From<Fail> for CatalogError {
    fn from(fail: Fail) -> Self {
        fail.0
    }
}

impl From<serde_json::Error> for Fail {
    fn from(error: serde_json::Error) -> Self {
        Self(CatalogError::Internal(format!("a value cannot be written as JSON: {error}")))
    }
}

impl From<sqlx::Error> for Fail {
    fn from(error: sqlx::Error) -> Self {
        let passes = match &error {
            sqlx::Error::Database(database) => {
                // The low byte of an extended result code is the primary one: https://www.sqlite.org/rescode.html
                let code = database.code().and_then(|code| code.parse::<u32>().ok());
                matches!(code.map(|code| code & 0xff), Some(BUSY | LOCKED | IO | FULL | CANNOT_OPEN))
            }
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => {
                true
            }
            _ => false,
        };
        let detail = error.to_string();
        Self(if passes { CatalogError::Unavailable(detail) } else { CatalogError::Internal(detail) })
    }
}

const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const IO: u32 = 10;
const FULL: u32 = 13;
const CANNOT_OPEN: u32 = 14;

/// Why the database at `path` could not be brought up to date.
pub(super) fn migration_error(path: &Path, error: &MigrateError) -> CatalogError {
    let path = path.display();
    CatalogError::Internal(match error {
        MigrateError::VersionMissing(version) => format!(
            "{path} was written by a newer version of Sensorium (schema {version}): start that version or a newer one"
        ),
        MigrateError::VersionMismatch(version) => {
            format!("{path} was written by another build of Sensorium (schema {version} differs)")
        }
        other => format!("{path} cannot be brought up to date: {other}"),
    })
}

/// Whether a statement failed because a row of that key is there already.
pub(super) fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
