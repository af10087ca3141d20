//! Several processes on one Postgres, one Qdrant and one bucket: each job runs once, whoever took the request.

use std::collections::BTreeSet;

use serde_json::json;

use crate::client::id;
use crate::cluster::{Stores, client};
use crate::server::{Server, eventually};

const DOCUMENTS: usize = 40;

/// Jobs of this process that ended so.
async fn jobs(server: &Server, outcome: &str) -> u64 {
    let text = client(server, "default", "admin").get("/metrics").await.text();
    let line = format!("sensorium_jobs_total{{kind=\"ingest\",outcome=\"{outcome}\"}}");
    let found = text.lines().find(|found| found.starts_with(&line));
    found.map_or(0, |found| found.rsplit_once(' ').unwrap().1.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_job_runs_once_on_postgres_and_qdrant() {
    let stores = Stores::start().await;
    let front = stores.process("api").await;
    let api = client(&front, "acme", "read write");
    let add = async |number: usize| {
        let document = json!({"parts": [{"text": format!("lighthouse number {number} of the coast")}]});
        id(&api.post("/v1/documents", &document).await.expect(202)["document"])
    };
    let mut documents = BTreeSet::new();
    for number in 0..DOCUMENTS {
        documents.insert(add(number).await);
    }
    let queued = api.all("/v1/jobs?state=queued", "jobs", 100).await;
    assert_eq!(queued.len(), DOCUMENTS, "who answers requests alone works on no job");

    let (both, worker) = tokio::join!(stores.process("all"), stores.process("worker"));
    client(&worker, "acme", "read write").post("/v1/search", &json!({})).await.problem(404, "route_not_found");
    let elsewhere = client(&both, "acme", "read write");
    loop {
        eventually("all jobs have ended", async || {
            (elsewhere.all("/v1/jobs?state=succeeded", "jobs", 100).await.len() == documents.len()).then_some(())
        })
        .await;
        if jobs(&both, "succeeded").await > 0 && jobs(&worker, "succeeded").await > 0 {
            break;
        }
        // One has taken all of them before the other had begun: one more comes until the other is there first.
        assert!(documents.len() < 100, "the work is shared");
        documents.insert(add(documents.len()).await);
    }
    let (first, second) = (jobs(&both, "succeeded").await, jobs(&worker, "succeeded").await);
    assert_eq!(first + second, documents.len() as u64, "{first} and {second}");
    for server in [&front, &both, &worker] {
        for outcome in ["failed", "lease_lost", "gone", "cancelled"] {
            assert_eq!(jobs(server, outcome).await, 0, "{outcome}");
        }
    }
    for api in [&api, &elsewhere] {
        let found: BTreeSet<String> = api.with_word("lighthouse").await.into_iter().collect();
        assert_eq!(found, documents);
    }
    let refused = crate::server::program()
        .args(["check-config", "--data-dir", &front.data_dir_text()])
        .env("SENSORIUM__SERVER__ROLE", "worker")
        .output()
        .unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("server.role"), "{refused:?}");
    stores.stop().await;
}
