//! An index folder that cannot be used is put aside and filled again from the kept vectors: no model runs for it, nothing is lost.

use std::fs;

use serde_json::json;

use crate::client::list;
use crate::server::{Server, eventually};

/// Stops the server, does something to its index folder, starts it again; the document must be found as before.
async fn found_again_after(harm: impl FnOnce(&std::path::Path)) {
    let mut server = Server::start().await;
    let api = server.owner();
    let document = api.add_text("default", "a lighthouse above the harbour").await;
    let query = json!({"inputs": [{"text": "a beacon for ships"}], "spaces": ["shared"]});
    let before = api.search(&query).await;
    assert!(server.stop().await.success());
    harm(&server.data_dir().join("index"));
    server.restart().await;
    let api = server.owner();
    eventually("the index is filled again", async || {
        let after = api.search(&query).await;
        let same = list(&after, "/hits").first().is_some_and(|hit| hit["document"]["id"] == document);
        same.then(|| assert_eq!(after["hits"][0]["segment"]["score"], before["hits"][0]["segment"]["score"]))
    })
    .await;
    let folders: Vec<_> = fs::read_dir(server.data_dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let aside = folders.iter().filter(|name| name.to_string_lossy().starts_with("index.aside-")).count();
    assert_eq!(aside, 1, "{folders:?}");
}

#[tokio::test]
async fn of_another_format() {
    found_again_after(|index| {
        let shape = json!({"version": 1, "spaces": {"shared": 384}, "words": {"language": "english"}});
        fs::write(index.join("sensorium-index.json"), shape.to_string()).unwrap();
    })
    .await;
}

#[tokio::test]
async fn damaged() {
    found_again_after(|index| fs::write(index.join("sensorium-index.json"), "{").unwrap()).await;
}
