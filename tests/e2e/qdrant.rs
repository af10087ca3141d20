//! With its index on a Qdrant server: the same answers, a problem that says when to try again while that is away, nothing lost, and
//! an index that is filled again when it was lost.

use serde_json::json;
use tokio::task::spawn_blocking;

use crate::client::{Api, id};
use crate::qdrant_process::Server as Qdrant;
use crate::server::{Server, eventually};

/// Does something to the server that blocks.
pub async fn on_a_thread(mut qdrant: Qdrant, act: fn(&mut Qdrant)) -> Qdrant {
    spawn_blocking(move || {
        act(&mut qdrant);
        qdrant
    })
    .await
    .unwrap()
}

async fn found_at_last(api: &Api, word: &str, document: &str) {
    let query = json!({"inputs": [{"text": word}], "spaces": ["lexical"]});
    eventually("the document is found", async || {
        let answer = api.post("/v1/search", &query).await;
        if answer.status == 503 {
            return None;
        }
        let hits = answer.expect(200)["hits"].clone();
        hits.as_array()?.iter().any(|hit| hit["document"]["id"] == document).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_and_comes_back() {
    let qdrant = spawn_blocking(Qdrant::start).await.unwrap();
    let url = qdrant.url();
    let settings = [
        ("index.url", url.as_str()),
        ("index.connect_timeout_ms", "500"),
        ("jobs.max_attempts", "100"),
        ("jobs.retry_cap_ms", "1000"),
    ];
    let mut server = Server::start_with(&settings).await;
    let api = server.owner();
    let first = api.add_text("default", "a lighthouse above the harbour").await;
    assert_eq!(api.with_word("lighthouse").await, [first.clone()]);
    assert!(!server.data_dir().join("index").exists(), "there is no second index in the folder");

    let qdrant = on_a_thread(qdrant, Qdrant::kill).await;
    let refused = api.post("/v1/search", &json!({"inputs": [{"text": "lighthouse"}]})).await;
    refused.problem(503, "unavailable");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    let accepted =
        api.post("/v1/documents", &json!({"parts": [{"text": "a windmill in the plain"}]})).await.expect(202);
    let second = id(&accepted["document"]);

    let qdrant = on_a_thread(qdrant, Qdrant::start_again).await;
    found_at_last(&api, "windmill", &second).await;
    found_at_last(&api, "lighthouse", &first).await;

    server.kill();
    let qdrant = on_a_thread(qdrant, Qdrant::start_empty).await;
    server.restart().await;
    let api = server.owner();
    found_at_last(&api, "windmill", &second).await;
    found_at_last(&api, "lighthouse", &first).await;
    drop(qdrant);
}
