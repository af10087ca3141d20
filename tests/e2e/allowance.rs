//! What a tenant may use: requests a minute, documents, bytes.

use std::sync::Arc;

use serde_json::json;

use crate::cases::cases;
use crate::client::{Api, id};
use crate::server::{Server, eventually};

#[tokio::test]
async fn allowances() {
    let own = r#"[
        {name = "slow", requests_per_minute = 60, request_burst = 3, max_documents = 0},
        {name = "small", max_documents = 0, max_blob_bytes = 10}
    ]"#
    .replace('\n', " ");
    let settings = [("tenants.max_documents", "2"), ("tenants.own", own.as_str()), ("blobs.inline_bytes", "0")];
    cases!(Arc::new(Server::start_with(&settings).await);
        too_many_requests_are_told_when_to_come_back,
        documents_are_bounded,
        bytes_are_bounded,
    );
}

async fn too_many_requests_are_told_when_to_come_back(server: Arc<Server>) {
    let slow = server.tenant("slow");
    let first = slow.get("/v1/models").await;
    assert_eq!(first.status, 200);
    assert_eq!(first.header("ratelimit-policy"), "\"requests\";q=3;w=3");
    assert!(first.header("ratelimit").starts_with("\"requests\";r=2;t="), "{}", first.header("ratelimit"));
    let refused = eventually("a request is refused", async || {
        let answer = slow.get("/v1/models").await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    refused.problem(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(refused.header("ratelimit").starts_with("\"requests\";r=0;t="), "{}", refused.header("ratelimit"));
    assert_eq!(server.tenant("quick").get("/v1/models").await.header("ratelimit"), "", "others are not bounded");
    slow.get("/v1/nothing").await.problem(404, "route_not_found");
    eventually("it is taken again", async || (slow.get("/v1/models").await.status == 200).then_some(())).await;
}

async fn fill(api: &Api, texts: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for text in texts {
        ids.push(api.add_text("default", text).await);
    }
    ids
}

async fn documents_are_bounded(server: Arc<Server>) {
    let api = server.tenant("documents");
    let kept = fill(&api, &["one", "two"]).await;
    let refused = api.post("/v1/documents", &json!({"parts": [{"text": "three"}]})).await;
    let problem = refused.problem(429, "over_quota");
    assert!(problem["detail"].as_str().unwrap().contains("2 documents"), "{problem}");
    let usage = api.read("/v1/usage").await;
    assert_eq!((&usage["documents"], &usage["max_documents"], &usage["blob_bytes"]), (&json!(2), &json!(2), &json!(6)));
    api.delete(&format!("/v1/documents/{}", kept[0])).await.expect(202);
    fill(&api, &["three"]).await;
    fill(&server.tenant("documents-2"), &["one"]).await;
}

async fn bytes_are_bounded(server: Arc<Server>) {
    let api = server.tenant("small");
    let kept = fill(&api, &["12345", "12345", "67890"]).await;
    assert_eq!(kept.len(), 3, "equal bytes count once");
    api.post("/v1/documents", &json!({"parts": [{"text": "x"}]})).await.problem(429, "over_quota");
    for document in &kept[..2] {
        api.delete(&format!("/v1/documents/{document}")).await.expect(202);
    }
    api.post("/v1/documents", &json!({"parts": [{"text": "123456"}]})).await.problem(429, "over_quota");
    let added = api.add(&json!({"parts": [{"text": "abcde"}]})).await;
    assert!(!id(&added["document"]).is_empty());
    eventually("what was refused is gone", async || (server.stored_blobs("small") == 2).then_some(())).await;
}
