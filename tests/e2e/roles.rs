//! Several processes on one Postgres, one Qdrant and one bucket: each job runs once, whoever took the request.

use std::collections::BTreeSet;

use serde_json::json;
use tokio::task::spawn_blocking;

use crate::client::{Api, id};
use crate::postgres_process::Server as Postgres;
use crate::qdrant_process::Server as Qdrant;
use crate::s3::store_with_a_bucket;
use crate::server::{Server, eventually};

const SECRET: &str = "a secret of more than thirty-two characters";
const DOCUMENTS: usize = 40;

/// Jobs of this process that ended so.
async fn jobs(server: &Server, outcome: &str) -> u64 {
    let token =
        server.token_with(SECRET, &json!({"tenant": "default", "scope": "admin", "exp": crate::server::now_s() + 600}));
    let text = server.with_credentials(&token).get("/metrics").await.text();
    let line = format!("sensorium_jobs_total{{kind=\"ingest\",outcome=\"{outcome}\"}}");
    let found = text.lines().find(|found| found.starts_with(&line));
    found.map_or(0, |found| found.rsplit_once(' ').unwrap().1.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_job_runs_once_on_postgres_and_qdrant() {
    let (postgres, qdrant) = spawn_blocking(|| (Postgres::start(), Qdrant::start())).await.unwrap();
    let store = store_with_a_bucket().await;
    let (qdrant_url, endpoint) = (qdrant.url(), store.url());
    let start = async |role: &str| {
        let settings = [
            ("server.role", role),
            ("auth.hs256_secret", SECRET),
            ("catalog.url", postgres.url.as_str()),
            ("index.url", qdrant_url.as_str()),
            ("blobs.url", "s3://library"),
            ("blobs.endpoint", endpoint.as_str()),
            ("blobs.region", "us-east-1"),
            ("blobs.access_key_id", "test"),
            ("blobs.secret_access_key", "test"),
        ];
        Server::start_with(&settings).await
    };
    let front = start("api").await;
    let token = front
        .token_with(SECRET, &json!({"tenant": "acme", "scope": "read write", "exp": crate::server::now_s() + 600}));
    let api = front.with_credentials(&token);
    let mut documents = BTreeSet::new();
    for number in 0..DOCUMENTS {
        let document = json!({"parts": [{"text": format!("lighthouse number {number} of the coast")}]});
        documents.insert(id(&api.post("/v1/documents", &document).await.expect(202)["document"]));
    }
    let queued = api.all("/v1/jobs?state=queued", "jobs", 100).await;
    assert_eq!(queued.len(), DOCUMENTS, "who answers requests alone works on no job");

    let (both, worker) = tokio::join!(start("all"), start("worker"));
    worker.with_credentials(&token).post("/v1/search", &json!({})).await.problem(404, "route_not_found");
    let elsewhere: Api = both.with_credentials(&token);
    eventually("all jobs have ended", async || {
        (elsewhere.all("/v1/jobs?state=succeeded", "jobs", 100).await.len() == DOCUMENTS).then_some(())
    })
    .await;
    let (first, second) = (jobs(&both, "succeeded").await, jobs(&worker, "succeeded").await);
    assert_eq!(first + second, DOCUMENTS as u64, "{first} and {second}");
    assert!(first > 0 && second > 0, "the work is shared: {first} and {second}");
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
    spawn_blocking(|| drop((postgres, qdrant))).await.unwrap();
}
