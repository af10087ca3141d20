//! /metrics tells what happened, to the operator alone.

use serde_json::json;

use crate::server::{Server, eventually};

/// The value of the one line that begins so.
pub fn value(text: &str, line: &str) -> u64 {
    let found: Vec<&str> = text.lines().filter(|found| found.starts_with(line)).collect();
    let [only] = found[..] else { panic!("{} lines begin with {line}:\n{text}", found.len()) };
    only.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[tokio::test]
async fn what_was_done_is_counted() {
    let server = Server::start().await;
    let api = server.owner();
    api.add_text("default", "a lighthouse above the harbour").await;
    api.search(&json!({"inputs": [{"text": "ships at night"}]})).await;
    api.get("/v1/documents/nonsense").await;
    let answer = api.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
    let text = answer.text();
    assert!(text.ends_with("# EOF\n") && text.matches("# EOF").count() == 1, "{text}");
    let requests = "sensorium_http_requests_total{route=\"/v1/search\",method=\"POST\",status=\"200\"}";
    assert_eq!(value(&text, requests), 1);
    assert_eq!(value(&text, "sensorium_jobs_total{kind=\"ingest\",outcome=\"succeeded\"}"), 1);
    assert_eq!(value(&text, "sensorium_index_points "), 1);
    for stage in ["encode", "index", "fuse", "catalog"] {
        assert_eq!(value(&text, &format!("sensorium_search_stage_duration_seconds_count{{stage=\"{stage}\"}}")), 1);
    }
    assert_eq!(value(&text, "sensorium_encoder_encoded{space=\"shared\",modality=\"text\"}"), 2);
    assert_eq!(value(&text, "sensorium_encoder_queue_depth{queue=\"bulk\"}"), 0);
    // What stands in an address is no label: their number is that of the routes.
    assert!(!text.contains("nonsense"), "{text}");
    eventually("requests that answer are counted after they have answered", async || {
        let text = api.get("/metrics").await.text();
        let asked = "sensorium_http_requests_total{route=\"/metrics\",method=\"GET\",status=\"200\"}";
        text.lines().any(|line| line.starts_with(asked)).then_some(())
    })
    .await;

    server.with_scopes("default", "read write caption").get("/metrics").await.problem(403, "forbidden");
    server.with_scopes("other", "admin").get("/metrics").await.problem(403, "forbidden");
    server.stranger().get("/metrics").await.problem(401, "unauthorized");
}
