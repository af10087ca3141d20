//! No statement walks over a table that grows.

use sensorium_domain::contract::catalog::CatalogFixture;
use sqlx::{AssertSqlSafe, Row};

use crate::{Folder, recorder};

/// What may be walked: an index of only those rows that wait, from its beginning to the first that fits; small tables; the
/// rows of an insertion; what was found by keys and is looked at in a window.
const ALLOWED: [&str; 10] = [
    "USING INDEX jobs_ready",
    "USING INDEX blobs_unowned",
    "USING COVERING INDEX blobs_unowned",
    "SCAN generations",
    "SCAN models",
    "SCAN recent_queries",
    "SCAN heads",
    "SCAN t",
    "ROW VALUES CLAUSE",
    "SCAN (subquery",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_walks_over_a_table() {
    let statements = recorder::statements(async || Folder::fresh()).await;
    let folder = Folder::fresh();
    folder.open().await;
    let mut connection = folder.connect().await;
    let mut faults = Vec::new();
    for statement in statements {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        for row in sqlx::query(explain).fetch_all(&mut connection).await.unwrap() {
            let step: String = row.get("detail");
            let walks = step.starts_with("SCAN") && !step.contains("VIRTUAL TABLE") && !step.contains("CONSTANT");
            let sorts =
                step.contains("TEMP B-TREE") && !statement.starts_with("WITH") && !statement.contains(" WINDOW ");
            if sorts {
                faults.push(format!("{step}\n    {statement}"));
            }
            if walks
                && !recorder::is_of_all_documents(&statement)
                && !ALLOWED.iter().any(|allowed| step.contains(allowed))
            {
                faults.push(format!("{step}\n    {statement}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
