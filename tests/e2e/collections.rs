//! Collections come, change and go with their documents.

use std::sync::Arc;

use serde_json::json;

use crate::cases::cases;
use crate::client::{document_ids, list};
use crate::server::{Server, eventually};

#[tokio::test]
async fn collections() {
    // Every part has a file, so that what is kept can be counted.
    cases!(Arc::new(Server::start_with(&[("blobs.inline_bytes", "0")]).await);
        a_collection_lives,
        a_deleted_collection_takes_its_documents_along,
        documents_make_their_collection,
    );
}

async fn a_collection_lives(server: Arc<Server>) {
    let api = server.tenant("lives");
    let made = api
        .post(
            "/v1/collections",
            &json!({"name": "holiday", "description": "The journey", "metadata": {"year": 2025, "drop": 1}}),
        )
        .await;
    let collection = made.expect(201);
    assert_eq!(made.header("location"), "/v1/collections/holiday");
    assert_eq!((&collection["name"], &collection["description"]), (&json!("holiday"), &json!("The journey")));
    assert_eq!(api.read("/v1/collections/holiday").await, collection);
    api.post("/v1/collections", &json!({"name": "holiday"})).await.problem(409, "conflict");
    let patched = api
        .patch("/v1/collections/holiday", &json!({"description": null, "metadata": {"drop": null, "more": true}}))
        .await
        .expect(200);
    assert_eq!((&patched["description"], &patched["metadata"]), (&json!(null), &json!({"year": 2025, "more": true})));
    for name in ["c", "a", "b"] {
        api.post("/v1/collections", &json!({"name": name})).await.expect(201);
    }
    for page_size in [1, 3, 50] {
        let names: Vec<_> = api
            .all("/v1/collections", "collections", page_size)
            .await
            .iter()
            .map(|c| c["name"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["a", "b", "c", "holiday"]);
    }
    api.patch("/v1/collections/nope", &json!({})).await.problem(404, "not_found");
    api.delete("/v1/collections/nope").await.problem(404, "not_found");
}

async fn a_deleted_collection_takes_its_documents_along(server: Arc<Server>) {
    let api = server.tenant("doomed");
    for n in 0..5 {
        api.add_text("doomed", &format!("the pangolin number {n}")).await;
    }
    let stays = api.add_text("stays", "the pangolin that stays").await;
    assert_eq!(api.with_word("pangolin").await.len(), 6);
    let answer = api.send(api.request(reqwest::Method::DELETE, "/v1/collections/doomed")).await;
    let job = answer.expect(202);
    assert_eq!(job["kind"], "delete_collection");
    assert_eq!(api.with_word("pangolin").await, std::slice::from_ref(&stays), "not found any more at once");
    eventually("the job ends", async || {
        (api.read(answer.header("location")).await["state"] == "succeeded").then_some(())
    })
    .await;
    assert_eq!(api.all("/v1/documents", "documents", 10).await.len(), 1);
    assert_eq!(api.all("/v1/documents?collection=doomed", "documents", 10).await.len(), 0);
    api.get("/v1/collections/doomed").await.problem(404, "not_found");
    eventually("the bytes are swept", async || (server.stored_blobs("doomed") == 1).then_some(())).await;
    let again = api.add_text("doomed", "the pangolin is back").await;
    let found = api.search(&json!({"inputs": [{"text": "pangolin"}], "collection": "doomed"})).await;
    assert_eq!(document_ids(&found), [again]);
}

async fn documents_make_their_collection(server: Arc<Server>) {
    let api = server.tenant("makes");
    assert!(list(&api.read("/v1/collections").await, "/collections").is_empty());
    api.add_text("by-itself", "words").await;
    assert_eq!(api.read("/v1/collections/by-itself").await["name"], "by-itself");
}
