//! What goes wrong in the database, in the port's words.

use sensorium_domain::CatalogError;
use sensorium_domain::catalog::Quota;
use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;

/// The result of everything in here. The second parameter lets `open` name the port's error.
pub(crate) type Result<T, E = Fail> = std::result::Result<T, E>;

/// A [`CatalogError`] that `?` makes out of a database error.
#[derive(Debug, Clone)]
pub(crate) struct Fail(CatalogError);

impl Fail {
    pub(crate) fn not_found(what: &'static str) -> Self {
        Self(CatalogError::NotFound(what))
    }

    pub(crate) fn conflict(why: impl Into<String>) -> Self {
        Self(CatalogError::Conflict(why.into()))
    }

    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self.0, CatalogError::Conflict(_))
    }

    pub(crate) fn is_unavailable(&self) -> bool {
        matches!(self.0, CatalogError::Unavailable(_))
    }

    /// A call whose work ended before it could answer.
    pub(crate) fn broken_off() -> Self {
        Self(CatalogError::Internal("the call was broken off".to_owned()))
    }

    pub(crate) fn over_quota(quota: Quota) -> Self {
        Self(CatalogError::OverQuota(quota))
    }

    pub(crate) fn lease_lost() -> Self {
        Self(CatalogError::LeaseLost)
    }

    /// A row that does not say what rows of its table say.
    pub(crate) fn corrupt(column: &str, why: impl std::fmt::Display) -> Self {
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
        let detail = error.to_string();
        Self(match &error {
            sqlx::Error::Database(database) => of_database(&**database, detail),
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed | sqlx::Error::Io(_) => {
                CatalogError::Unavailable(detail)
            }
            _ => CatalogError::Internal(detail),
        })
    }
}

fn of_database(error: &dyn DatabaseError, detail: String) -> CatalogError {
    let code = error.code().unwrap_or_default();
    if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        return match &*code {
            UNTRANSLATABLE_CHARACTER | CHARACTER_NOT_IN_REPERTOIRE => {
                CatalogError::Invalid("a text has the character U+0000, which the catalog cannot keep".to_owned())
            }
            code if PASSING.iter().any(|class| code.starts_with(class)) => CatalogError::Unavailable(detail),
            _ => CatalogError::Internal(detail),
        };
    }
    // The low byte of an extended result code is the primary one: https://www.sqlite.org/rescode.html
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(BUSY | LOCKED | IO | FULL | CANNOT_OPEN) => CatalogError::Unavailable(detail),
        _ => CatalogError::Internal(detail),
    }
}

const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const IO: u32 = 10;
const FULL: u32 = 13;
const CANNOT_OPEN: u32 = 14;

// https://www.postgresql.org/docs/15/errcodes-appendix.html
const UNTRANSLATABLE_CHARACTER: &str = "22P05";
const CHARACTER_NOT_IN_REPERTOIRE: &str = "22021";
/// What passes: lost connections (08), a replica that has not been promoted yet (25006), rolled back for another's sake
/// (40), full (53), locked for too long (55), cancelled or shut down (57), disks (58).
const PASSING: [&str; 7] = ["08", "25006", "40", "53", "55", "57", "58"];

/// Why the database could not be brought up to date.
pub(crate) fn migration_error(database: impl std::fmt::Display, error: MigrateError) -> CatalogError {
    CatalogError::Internal(match error {
        MigrateError::Execute(error) => return Fail::from(error).into(),
        MigrateError::VersionMissing(version) => format!(
            "{database} was written by a newer version of Sensorium (schema {version}): start that version or a newer one"
        ),
        MigrateError::VersionMismatch(version) => {
            format!("{database} was written by another build of Sensorium (schema {version} differs)")
        }
        other => format!("{database} cannot be brought up to date: {other}"),
    })
}

/// Whether a statement failed because a row of that key is there already.
pub(crate) fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(DatabaseError::is_unique_violation)
}
