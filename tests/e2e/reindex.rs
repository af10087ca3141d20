//! Another generation of the index takes the place of the live one while everything goes on, and gives it back.

use std::cell::Cell;
use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Api, document_ids, id};
use crate::cluster::{Stores, client};
use crate::metrics::value;
use crate::profiles::profile;
use crate::server::{Server, eventually};

/// The answer to a GET; none while the server makes room for the next generation's.
async fn read(api: &Api, path: &str) -> Option<Value> {
    let answer = api.try_send(api.request(Method::GET, path)).await.ok()?;
    (answer.status == 200).then(|| answer.json())
}

async fn ended(api: &Api, job: &str) -> Value {
    eventually("the reindex has ended", async || {
        let job = read(api, &format!("/v1/jobs/{job}")).await?;
        ["succeeded", "failed", "cancelled"].iter().any(|state| job["state"] == *state).then_some(job)
    })
    .await
}

async fn runs(api: &Api, generation: u32) {
    eventually("the generation is live", async || {
        (read(api, "/v1/models").await?["generation"] == generation).then_some(())
    })
    .await;
}

async fn reindex(api: &Api, request: &Value) -> Value {
    let job = api.post("/v1/reindex", request).await.expect(202);
    ended(api, &id(&job)).await
}

async fn reindexed(api: &Api, request: &Value, generation: u32) {
    let job = reindex(api, request).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    runs(api, generation).await;
}

async fn states(api: &Api) -> Vec<(u64, String, String)> {
    let generations = api.read("/v1/generations").await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let known = generations["generations"].as_array().unwrap().iter();
    known.map(|known| (known["number"].as_u64().unwrap(), text(&known["state"]), text(&known["profile"]))).collect()
}

async fn found(api: &Api, word: &str) -> BTreeSet<String> {
    let query = json!({"inputs": [{"text": word}], "spaces": ["lexical"], "page_size": 200});
    document_ids(&api.search(&query).await).into_iter().collect()
}

/// Adds and replaces documents while `during` runs; what must be found afterwards.
async fn busy(api: &Api, word: &str, during: impl Future<Output = ()>) -> BTreeSet<String> {
    let is_over = Cell::new(false);
    let adding = async {
        let (mut kept, mut number) = (BTreeSet::new(), 0);
        while !is_over.get() {
            number += 1;
            let external_id = format!("{word}-{}", number % 7);
            let document = json!({"external_id": external_id, "parts": [{"text": format!("{word} {number}")}]});
            let request = api.request(Method::POST, "/v1/documents").json(&document);
            // A server that makes room may cut a connection off, or say 503; the document is then offered again under its id.
            if let Ok(answer) = api.try_send(request).await
                && answer.status != 503
            {
                kept.insert(id(&answer.expect(202)["document"]));
            }
        }
        kept
    };
    let until = async {
        during.await;
        is_over.set(true);
    };
    tokio::join!(adding, until).0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_is_built_switched_to_and_gone_back_from() {
    let mut server = Server::start_with(&[("ingest.chunk_tokens", "64")]).await;
    let api = server.owner();
    let mut herons = BTreeSet::new();
    for number in 0..30 {
        herons.insert(api.add_text("default", &format!("a heron stands in the water, number {number}")).await);
    }
    let other = server.tenant("other").add_text("default", "a heron of another tenant").await;
    assert_eq!(found(&api, "heron").await, herons);
    let gone = api.add_text("default", "a heron that flies away").await;

    // Other things go on meanwhile, and nothing of them is missing afterwards.
    let job = id(&api.post("/v1/reindex", &json!({"min_overlap": 0.99})).await.expect(202));
    api.post("/v1/reindex", &json!({})).await.problem(409, "conflict");
    api.delete(&format!("/v1/documents/{gone}")).await;
    let swifts = busy(&api, "swift", async {
        let job = ended(&api, &job).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        runs(&api, 2).await;
    })
    .await;
    assert_eq!(found(&api, "heron").await, herons);
    let counted =
        value(&api.get("/metrics").await.text(), "sensorium_jobs_total{kind=\"ingest\",outcome=\"succeeded\"}");
    assert!(counted >= 32, "counts go on: {counted}");
    eventually("what was added meanwhile is found", async || (found(&api, "swift").await == swifts).then_some(()))
        .await;
    assert_eq!(found(&server.tenant("other"), "heron").await, BTreeSet::from([other]));
    let expected = [(1, "retired", "starter"), (2, "live", "starter")];
    assert_eq!(states(&api).await, expected.map(|(number, state, name)| (number, state.to_owned(), name.to_owned())));
    let generations = api.read("/v1/generations").await;
    let recall = &generations["generations"][1]["recall"];
    assert!(recall["queries"].as_u64().unwrap() > 0 && recall["overlap"].as_f64().unwrap() >= 0.99, "{recall}");

    // Stored things are asked for and shown as before.
    let document = herons.first().unwrap();
    let similar = api.search(&json!({"inputs": [{"document": document}]})).await;
    assert!(document_ids(&similar).len() > 5, "{similar}");
    let segments = api.read(&format!("/v1/documents/{document}/segments")).await;
    assert_eq!(segments["segments"].as_array().unwrap().len(), 1);

    // The way back, with what was added since.
    let late = api.add_text("default", "a late heron").await;
    let everything: BTreeSet<String> = herons.iter().cloned().chain([late]).collect();
    reindexed(&api, &json!({"generation": 1}), 1).await;
    assert_eq!(found(&api, "heron").await, everything);
    for wrong in [json!({"generation": 1}), json!({"generation": 9}), json!({"generation": 2, "profile": "starter"})] {
        api.post("/v1/reindex", &wrong).await.problem(422, "invalid");
    }
    api.post("/v1/reindex", &json!({"profile": "nonsense"})).await.problem(422, "invalid");
    api.post("/v1/reindex", &json!({"min_overlap": 1.5})).await.problem(422, "invalid");
    server.tenant("other").post("/v1/reindex", &json!({})).await.problem(403, "forbidden");

    // A third one: the live one and the one before it are kept, and no other.
    reindexed(&api, &json!({}), 3).await;
    assert_eq!(found(&api, "heron").await, everything);
    let numbers = eventually("the oldest is removed", async || {
        let numbers: Vec<u64> = states(&api).await.iter().map(|(number, ..)| *number).collect();
        (numbers.len() == 2).then_some(numbers)
    })
    .await;
    assert_eq!(numbers, [1, 3]);
    assert!(!server.data_dir().join("index-g2").exists() && server.data_dir().join("index-g3").exists());
    server.kill();
    server.restart().await;
    let api = server.owner();
    runs(&api, 3).await;
    assert_eq!(found(&api, "heron").await, everything);
    assert!(server.stop().await.success());
    let checked = server.command(&["fsck"]).await;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_models_take_over() {
    let folder = tempfile::tempdir().unwrap();
    let trial = profile(folder.path(), "").display().to_string();
    let mut server = Server::start().await;
    let api = server.owner();
    for number in 0..12 {
        api.add_text("default", &format!("the ferry leaves at {number}")).await;
    }
    api.search(&json!({"inputs": [{"text": "when does the boat leave?"}]})).await;
    assert_eq!(api.read("/v1/models").await["profile"], "starter");

    // Random models find something else; who asks for likeness is told, and everything stays.
    let refused = reindex(&api, &json!({"profile": trial, "min_overlap": 1.0})).await;
    assert_eq!(refused["state"], "failed", "{refused}");
    assert!(refused["error"].as_str().unwrap().contains("of what the live one finds"), "{refused}");
    assert_eq!(api.read("/v1/models").await["generation"], 1);
    let added = api.add_text("default", "a ferry that was late").await;
    reindexed(&api, &json!({"generation": 2}), 2).await;
    let models = api.read("/v1/models").await;
    assert_eq!((models["profile"].as_str().unwrap(), models["spaces"].as_array().unwrap().len()), ("trial", 3));
    assert_eq!(found(&api, "ferry").await.len(), 13);
    let vectors = api.post("/v1/embeddings", &json!({"inputs": [{"text": "a"}], "space": "visual"})).await.expect(200);
    assert_eq!(vectors["data"][0]["embedding"].as_array().unwrap().len(), 32);
    let dense = api.search(&json!({"inputs": [{"document": added}], "targets": ["text"]})).await;
    assert!(!document_ids(&dense).is_empty(), "{dense}");

    // The choice lasts, and so does the way back.
    assert!(server.stop().await.success());
    server.restart().await;
    let api = server.owner();
    assert_eq!(api.read("/v1/models").await["profile"], "trial");
    reindexed(&api, &json!({"generation": 1}), 1).await;
    assert_eq!(api.read("/v1/models").await["profile"], "starter");
    assert_eq!(found(&api, "ferry").await.len(), 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_reindex_goes_on() {
    let mut server = Server::start_with(&[("jobs.workers", "2")]).await;
    let api = server.owner();
    let mut ids = BTreeSet::new();
    for number in 0..150 {
        let document = json!({"parts": [{"text": format!("a pelican, number {number}")}]});
        ids.insert(id(&api.post("/v1/documents", &document).await.expect(202)["document"]));
    }
    eventually("all is ready", async || (found(&api, "pelican").await == ids).then_some(())).await;
    let job = id(&api.post("/v1/reindex", &json!({})).await.expect(202));
    for done in [1, 60, 120] {
        let api = server.owner();
        eventually("the reindex has come so far", async || {
            let job = read(&api, &format!("/v1/jobs/{job}")).await?;
            (job["state"] == "succeeded" || job["progress"]["done"].as_u64()? >= done).then_some(())
        })
        .await;
        server.kill();
        server.restart().await;
    }
    let api = server.owner();
    assert_eq!(ended(&api, &job).await["state"], "succeeded");
    runs(&api, 2).await;
    assert_eq!(found(&api, "pelican").await, ids);
    api.add_text("default", "life goes on").await;
    assert!(server.stop().await.success());
    assert!(server.command(&["fsck"]).await.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_follows_on_postgres_and_qdrant() {
    let stores = Stores::start().await;
    let (first, second) = (stores.process("api").await, stores.process("all").await);
    let (front, back) = (client(&first, "default", "admin"), client(&second, "default", "admin"));
    let mut terns = BTreeSet::new();
    for number in 0..10 {
        terns.insert(front.add_text("default", &format!("tern {number}")).await);
    }
    let job = id(&front.post("/v1/reindex", &json!({})).await.expect(202));
    let more = busy(&front, "plover", async {
        assert_eq!(ended(&back, &job).await["state"], "succeeded");
        runs(&front, 2).await;
        runs(&back, 2).await;
    })
    .await;
    for api in [&front, &back] {
        assert_eq!(found(api, "tern").await, terns);
        eventually("what was added meanwhile is found", async || (found(api, "plover").await == more).then_some(()))
            .await;
    }
    stores.stop().await;
}
