//! No statement has to walk over a table that grows: every one can be answered by an index.

use sensorium_domain::contract::catalog::CatalogFixture;
use sqlx::{AssertSqlSafe, Executor, Row};

use crate::recorder;
use crate::server::Database;

/// Tables of a few rows, or of a bounded number.
const SMALL: [&str; 3] = ["Seq Scan on generations", "Seq Scan on models", "Seq Scan on recent_queries"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_finds_an_index() {
    let statements = recorder::statements(async || Database::fresh().await).await;
    let database = Database::fresh().await;
    database.open().await;
    let mut connection = database.connect().await;
    // Tables are walked only where nothing else is possible; plans do not look at values, so that any will do.
    connection.execute("SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan").await.unwrap();
    let mut faults = Vec::new();
    for statement in statements {
        if let Err(error) = connection.execute(AssertSqlSafe(format!("PREPARE asked AS {statement}"))).await {
            faults.push(format!("{error}\n    {statement}"));
            continue;
        }
        let parameters =
            "SELECT coalesce(cardinality(parameter_types), 0) FROM pg_prepared_statements WHERE name = 'asked'";
        let parameters: i32 = sqlx::query_scalar(parameters).fetch_one(&mut connection).await.unwrap();
        let values = vec!["NULL"; parameters as usize].join(", ");
        let values = if values.is_empty() { values } else { format!("({values})") };
        let plan = connection.fetch_all(AssertSqlSafe(format!("EXPLAIN EXECUTE asked{values}"))).await.unwrap();
        let steps: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let walks = |step: &&String| step.contains("Seq Scan") && !SMALL.iter().any(|table| step.contains(table));
        if let Some(step) = steps.iter().find(walks).filter(|_| !recorder::is_of_all_documents(&statement)) {
            faults.push(format!("{step}\n    {statement}"));
        }
        connection.execute("DEALLOCATE asked").await.unwrap();
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
