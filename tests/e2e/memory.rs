//! Models in a bounded memory (`profile.memory_bytes`): they make room for each other, and nobody who asks notices but by the clock.

use std::fs;
use std::path::Path;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::client::{Api, document_ids, id, list};
use crate::media::{base64, wav};
use crate::profiles::{embeddings, models, profile, refused_to_start, speech, with_blip, with_whisper};
use crate::server::Server;

/// A profile of one model with two towers, for texts and for pictures.
fn pair(folder: &Path, model: &Path) -> String {
    let text = format!(
        r#"
name = "pair"
summary = "a small model with random weights"

[models.siglip]
folder = "{}"
licence = "Apache-2.0"

[spaces.visual]
dimensions = 32
towers = {{ text = "siglip", image = "siglip" }}
"#,
        model.display()
    );
    let path = folder.join("pair.toml");
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// A server that has room for either tower of the pair, and remembers no vector of a search.
async fn start_with_room_for_one(profile: &str) -> Server {
    let server = Server::start_with(&[("profile.name", profile)]).await;
    let bytes: Vec<u64> = towers(&server.owner()).await.iter().map(bytes).collect();
    assert!(bytes.len() == 2 && bytes.iter().all(|bytes| *bytes > 0), "{bytes:?}");
    let room = bytes.iter().max().unwrap().to_string();
    let settings = [("profile.name", profile), ("profile.memory_bytes", room.as_str()), ("encoder.cache_bytes", "0")];
    Server::start_with(&settings).await
}

/// All towers, as `GET /v1/models` tells of them.
async fn towers(api: &Api) -> Vec<Value> {
    let told = api.read("/v1/models").await;
    list(&told, "/spaces").iter().flat_map(|space| list(space, "/towers")).cloned().collect()
}

fn bytes(model: &Value) -> u64 {
    model["memory_bytes"].as_u64().unwrap()
}

fn is_loaded(model: &Value) -> bool {
    match model["state"].as_str().unwrap() {
        "loaded" => true,
        "on_demand" => false,
        other => panic!("a model is {other}"),
    }
}

/// What the towers in memory take.
async fn in_memory(api: &Api) -> Vec<String> {
    let loaded = towers(api).await.into_iter().filter(is_loaded);
    loaded.map(|tower| tower["modality"].as_str().unwrap().to_owned()).collect()
}

/// A picture of the small inputs, as a request has it.
fn picture() -> Value {
    json!({"base64": base64(&fs::read(models().join("inputs/pictures/00-rgb.png")).unwrap())})
}

async fn vector(api: &Api, input: &Value) -> Vec<f32> {
    embeddings(api, &json!({"inputs": [input]})).await.remove(0)
}

/// Batches of another size may round the last digit otherwise.
#[track_caller]
fn assert_same(found: &[f32], expected: &[f32]) {
    let is_same = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(is_same && found.len() == expected.len(), "{found:?}, not {expected:?}");
}

#[tokio::test]
async fn two_towers_take_turns_and_give_the_vectors_that_they_give_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let profile = pair(folder.path(), &models().join("siglip-small"));
    let inputs = [("text", json!({"text": "two red bicycles"})), ("image", json!({"image": picture()}))];
    let without_bound = Server::start_with(&[("profile.name", &profile)]).await;
    let mut expected = Vec::new();
    for (_, input) in &inputs {
        expected.push(vector(&without_bound.owner(), input).await);
    }
    assert_eq!(in_memory(&without_bound.owner()).await, ["text", "image"]);

    let server = start_with_room_for_one(&profile).await;
    let api = server.owner();
    assert_eq!(in_memory(&api).await.len(), 1, "at the start too");
    for _ in 0..3 {
        for ((modality, input), expected) in inputs.iter().zip(&expected) {
            assert_same(&vector(&api, input).await, expected);
            assert_eq!(in_memory(&api).await, [*modality]);
        }
    }
    // The tower of texts, which readiness would ask, is away.
    api.get("/readyz").await.expect(200);
    assert_eq!(in_memory(&api).await, ["image"]);
    for tower in towers(&api).await {
        assert_eq!((&tower["measured"]["encoded"], &tower["measured"]["failed"]), (&json!(3), &json!(0)), "{tower:#}");
    }
}

#[tokio::test]
async fn searches_and_ingest_share_room_for_one_tower() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_with_room_for_one(&pair(folder.path(), &models().join("siglip-small"))).await;
    let api = server.owner();
    let picture = picture();
    let add = async |number: usize| {
        let parts = json!([{"text": format!("bicycle number {number}")}, picture]);
        id(&api.add(&json!({"parts": parts})).await["document"])
    };
    let search = async |number: usize| {
        let input = match number % 2 {
            0 => json!({"text": format!("a bicycle, {number}")}),
            _ => json!({"image": picture}),
        };
        api.search(&json!({"inputs": [input], "page_size": 50})).await
    };
    let (mut added, _) = tokio::join!(join_all((0..6).map(&add)), join_all((0..12).map(&search)));
    added.sort();
    for number in 0..2 {
        let mut found = document_ids(&search(number).await);
        found.sort();
        assert_eq!(found, added);
    }
    assert_eq!(in_memory(&api).await, ["image"]);
}

#[tokio::test]
async fn a_tower_that_cannot_be_read_again_is_told_and_tried_with_the_next_request() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("siglip");
    fs::create_dir(&model).unwrap();
    for file in fs::read_dir(models().join("siglip-small")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), model.join(file.file_name())).unwrap();
    }
    let server = start_with_room_for_one(&pair(folder.path(), &model)).await;
    let api = server.owner();
    let (text, image) = (json!({"text": "two red bicycles"}), json!({"image": picture()}));
    let expected = vector(&api, &text).await;
    vector(&api, &image).await;

    let (weights, aside) = (model.join("model.safetensors"), model.join("aside"));
    fs::rename(&weights, &aside).unwrap();
    let ask = async || api.post("/v1/embeddings", &json!({"inputs": [text]})).await;
    ask().await.problem(500, "internal");
    assert!(server.log().contains("(text, space visual) could not be read"), "{}", server.log());
    fs::rename(&aside, &weights).unwrap();
    assert_same(&vector(&api, &text).await, &expected);
    let counts: Vec<_> = towers(&api).await.iter().map(|tower| tower["measured"]["failed"].clone()).collect();
    assert_eq!(counts, [1, 0]);
}

#[tokio::test]
async fn models_that_write_and_towers_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let path = profile(folder.path(), &(with_whisper() + &with_blip())).display().to_string();
    let told = Server::start_with(&[("profile.name", &path)]).await;
    let of_towers: Vec<u64> = towers(&told.owner()).await.iter().map(bytes).collect();
    let told = told.owner().read("/v1/models").await;
    let writers = ["transcriber", "captioner"].map(|writer| bytes(&told[writer]));
    let largest_tower = *of_towers.iter().max().unwrap();
    assert!(largest_tower < writers[0] && writers[1] < writers[0], "whisper is the largest: {told:#}");

    let room = writers[0].to_string();
    let server = Server::start_with(&[("profile.name", &path), ("profile.memory_bytes", &room)]).await;
    let api = server.owner();
    let picture = json!({"image": picture()});
    let transcribe = async || api.post_form("/v1/audio/transcriptions", None, &speech(&wav(500, 440.0), &[])).await;
    let caption = async || api.post("/v1/captions", &json!({"input": picture})).await;
    let states = async || {
        let told = api.read("/v1/models").await;
        ["transcriber", "captioner"].map(|writer| is_loaded(&told[writer]))
    };
    assert_eq!(states().await, [false, false]);
    transcribe().await.expect(200);
    assert_eq!((states().await, in_memory(&api).await.len()), ([true, false], 0), "it takes all the room");
    let described = caption().await.expect(200);
    assert_eq!(states().await, [false, true]);
    let vector_before = vector(&api, &picture).await;
    let turns = join_all((0..3).map(|_| async { tokio::join!(transcribe(), caption(), vector(&api, &picture)) })).await;
    for (text, again, found) in &turns {
        assert_eq!((text.status, again.status), (200, 200));
        assert_eq!(again.json()["caption"], described["caption"], "it is the same model after it was read again");
        assert_same(found, &vector_before);
    }

    let too_small = |bytes: u64| {
        let folder = tempfile::tempdir().unwrap();
        let settings = [("SENSORIUM__PROFILE__MEMORY_BYTES", bytes.to_string())];
        refused_to_start(&folder.path().display().to_string(), &path, &settings)
    };
    let text = too_small(largest_tower - 1);
    let wanted = format!(") alone takes {largest_tower}");
    assert!(text.contains("profile.memory_bytes") && text.contains(&wanted), "{text}");
    let text = too_small(writers[0] - 1);
    assert!(text.contains("whisper-mini@") && text.contains(&room), "{text}");
}
