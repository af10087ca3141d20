//! A transaction that begins and takes its locks in one way to the server and back.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Executor, Postgres, raw_sql};

use crate::error::Result;

/// A transaction on a connection of a pool; rolled back where it was not committed. The connection is there until the end, which takes it away.
pub(super) struct Tx(Option<PoolConnection<Postgres>>);

impl Tx {
    /// Begins one by these statements of our own. Where one of them fails, the connection is rolled back as ever.
    pub(super) async fn begin(pool: &PgPool, statements: String) -> Result<Self> {
        let mut tx = Self(Some(pool.acquire().await?));
        (&mut *tx).execute(raw_sql(AssertSqlSafe(statements))).await?;
        Ok(tx)
    }

    /// Keeps what was written.
    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        self.end("COMMIT").await
    }

    /// Takes back what was written.
    pub(super) async fn rollback(self) -> Result<(), sqlx::Error> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, how: &'static str) -> Result<(), sqlx::Error> {
        (&mut *self).execute(raw_sql(how)).await?;
        self.0 = None;
        Ok(())
    }
}

#[allow(clippy::expect_used)] // who ends a transaction has it no more
impl Deref for Tx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.0.as_ref().expect("a connection until the end")
    }
}

#[allow(clippy::expect_used)] // who ends a transaction has it no more
impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect("a connection until the end")
    }
}

impl Drop for Tx {
    /// What the caller broke off is rolled back by a task of its own; where that fails, the connection goes.
    fn drop(&mut self) {
        let Some(mut connection) = self.0.take() else { return };
        tokio::spawn(async move {
            if (&mut *connection).execute(raw_sql("ROLLBACK")).await.is_err() {
                connection.close_on_drop();
            }
        });
    }
}
