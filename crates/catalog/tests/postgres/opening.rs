//! Who opens a database, and who is refused.

use std::sync::Arc;
use std::time::Duration;

use sensorium_catalog::{PostgresCatalog, PostgresOptions};
use sensorium_domain::contract::TestClock;
use sensorium_domain::{Catalog, CatalogError};
use sqlx::AssertSqlSafe;

use crate::server::Database;

/// Processes that start together bring the schema up to date once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_open_a_new_database_at_once() {
    let database = Arc::new(Database::fresh().await);
    let mut tasks = Vec::new();
    for _ in 0..6 {
        let database = database.clone();
        tasks.push(tokio::spawn(async move { database.open_with(PostgresOptions::default()).await }));
    }
    for task in tasks {
        let catalog = task.await.unwrap().unwrap();
        catalog.ping().await.unwrap();
        catalog.close().await;
    }
}

/// While a new version is rolled out an old process may start, unless something that it needs has been taken away.
#[tokio::test]
async fn a_newer_schema_is_refused_when_something_is_gone() {
    let database = Database::fresh().await;
    database.open_with(PostgresOptions::default()).await.unwrap().close().await;
    let mut connection = database.connect().await;
    let mut apply = async |version: i64, description: &str| {
        let insert = format!(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES ({version}, '{description}', TRUE, '', 0)"
        );
        sqlx::query(AssertSqlSafe(insert)).execute(&mut connection).await.unwrap();
    };
    apply(998, "a column more").await;
    database.open_with(PostgresOptions::default()).await.unwrap().close().await;
    apply(999, "contract old column").await;
    let Err(error) = database.open_with(PostgresOptions::default()).await else { panic!("it was opened") };
    assert!(error.to_string().contains("newer version of Sensorium (schema 999)"), "{error}");
    assert!(error.to_string().contains("the database test_"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let database = Database::fresh().await;
    let open = async |url: String| {
        let options = PostgresOptions { patience: Duration::from_millis(500), ..PostgresOptions::default() };
        PostgresCatalog::open(&url, Arc::new(TestClock::default()), options).await.map(|_| ())
    };
    let missing = open(database.url().replace("test_", "nothing_")).await.unwrap_err();
    assert!(missing.to_string().contains("nothing_"), "{missing}");
    let unread = open("postgres://user@host:port/x".to_owned()).await.unwrap_err();
    assert!(matches!(unread, CatalogError::Internal(_)), "{unread}");
    let away = open("postgres://user@127.0.0.1:1/x".to_owned()).await.unwrap_err();
    assert!(matches!(away, CatalogError::Unavailable(_)), "{away}");
}
