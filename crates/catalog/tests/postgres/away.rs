//! The server goes away and comes back under an open catalog.

use std::sync::Arc;
use std::time::Duration;

use sensorium_catalog::{PostgresCatalog, PostgresOptions};
use sensorium_domain::contract::TestClock;
use sensorium_domain::{Catalog, CatalogError, Clock, JobId, JobKind, TenantId};
use sqlx::Executor;

use crate::server::{Database, Server, create, url};

/// Calls fail as unavailable while it is away, and the same handle goes on when it is back, with all that was answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalog_outlives_its_server() {
    let server = Server::own();
    create(&server, "catalog").await;
    let clock = Arc::new(TestClock::default());
    let options = PostgresOptions { patience: Duration::from_millis(500), ..PostgresOptions::default() };
    let catalog = PostgresCatalog::open(&url(&server, "catalog"), clock.clone(), options).await.unwrap();
    let tenant: TenantId = "acme".parse().unwrap();
    let [before, during, after] = [1, 2, 3].map(|number| JobId::new(clock.now(), number));
    catalog.enqueue(&tenant, before, JobKind::Rebuild).await.unwrap();
    let lease = catalog.lease_job("worker", 60_000).await.unwrap().unwrap();

    server.stop();
    for _ in 0..3 {
        let refused = catalog.enqueue(&tenant, during, JobKind::Rebuild).await;
        assert!(matches!(refused, Err(CatalogError::Unavailable(_))), "{refused:?}");
        let refused = catalog.heartbeat(&lease, 60_000).await;
        assert!(matches!(refused, Err(CatalogError::Unavailable(_))), "{refused:?}");
    }
    assert!(matches!(catalog.ping().await, Err(CatalogError::Unavailable(_))));

    server.start_again();
    catalog.enqueue(&tenant, after, JobKind::Rebuild).await.unwrap();
    assert_eq!(catalog.job(&tenant, before).await.unwrap().attempts, 1);
    catalog.heartbeat(&lease, 60_000).await.unwrap();
    assert!(matches!(catalog.job(&tenant, during).await, Err(CatalogError::NotFound(_))));
}

/// Connections that the server ends are replaced without a call noticing.
#[tokio::test]
async fn ended_connections_are_replaced() {
    let database = Database::fresh().await;
    let catalog = database.open_with(PostgresOptions::default()).await.unwrap();
    catalog.ping().await.unwrap();
    let mut other = database.connect().await;
    other
        .execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await
        .unwrap();
    for _ in 0..3 {
        catalog.ping().await.unwrap();
    }
}
