//! Profiles from a file: models of the hub's layout in spaces of their own. The models are the small ones of the comparison with the
//! reference, so what HTTP answers can be held against what Transformers gave.

use std::path::{Path, PathBuf};

use sensorium_domain::EncodeInput;
use sensorium_media::{Limits, decode_audio, decode_image, resample, sniff};
use sensorium_models::blip::{Decoding, GenerateOptions, MaxTokens};
use sensorium_models::generation::BeamOptions;
use sensorium_models::registry::{DType, Device};
use sensorium_models::weights::Weights;
use sensorium_models::whisper::TranscribeOptions;
use sensorium_models::{BlipCaptioner, Source, Whisper};
use serde_json::{Value, json};

use crate::client::{Api, id, list};
use crate::media::{base64, wav};
use crate::server::{Server, program, root};

/// The folder of the small models.
pub fn models() -> PathBuf {
    root().join("crates/models/tests/parity/small")
}

/// A profile as `standard` is one: pictures, sounds and texts in three spaces.
pub fn profile(folder: &Path, more: &str) -> PathBuf {
    let small = models();
    let small = small.display();
    let uses = [("whisper-mini", "transcriber"), ("blip-small", "captioner")];
    let uses = uses.iter().filter(|(model, _)| more.contains(model));
    let writers: Vec<String> = uses.map(|(model, key)| format!("{key} = \"{model}\"\n")).collect();
    let writers = writers.concat();
    let text = format!(
        r#"
name = "trial"
summary = "small models with random weights"
{writers}

[models.siglip]
folder = "{small}/siglip-small"
licence = "Apache-2.0"

[models.clap]
folder = "{small}/clap-larger-general"
licence = "MIT"

[models.e5]
folder = "{small}/text-e5-small"
licence = "BSD-3-Clause"

[spaces.visual]
dimensions = 32
towers = {{ text = "siglip", image = "siglip" }}

[spaces.sound]
dimensions = 32
towers = {{ text = "clap", audio = "clap" }}

[spaces.text]
dimensions = 32
towers = {{ text = "e5" }}
prompts = {{ query = "query: ", passage = "passage: " }}
{more}"#
    );
    let path = folder.join("trial.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// A model that writes down speech, for [`profile`].
pub fn with_whisper() -> String {
    let small = models();
    format!("[models.whisper-mini]\nfolder = \"{}/whisper-mini\"\nlicence = \"MIT\"\n", small.display())
}

async fn start(folder: &Path) -> Server {
    start_with(folder, "").await
}

async fn start_with(folder: &Path, more: &str) -> Server {
    let path = profile(folder, more).display().to_string();
    Server::start_with(&[("profile.name", &path), ("transcriber.queue", "0")]).await
}

/// What the reference gave for the inputs of a model, a row each.
fn expected(model: &str, name: &str) -> Vec<Vec<f32>> {
    let weights = Weights::open(&models().join(model).join("expected.safetensors")).unwrap();
    let shape = weights.shape(name).unwrap().to_vec();
    let flat = weights.tensor(name, &shape).unwrap();
    flat.chunks_exact(shape[1]).map(<[f32]>::to_vec).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The vectors that the server gives.
pub async fn embeddings(api: &Api, request: &Value) -> Vec<Vec<f32>> {
    let answer = api.post("/v1/embeddings", request).await.expect(200);
    let rows = list(&answer, "/data").iter().map(|row| row["embedding"].as_array().unwrap().iter());
    rows.map(|row| row.map(|number| number.as_f64().unwrap() as f32).collect()).collect()
}

#[tokio::test]
async fn every_space_gives_the_vectors_of_the_reference() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path()).await;
    let api = server.owner();
    let texts: Vec<String> =
        serde_json::from_slice(&std::fs::read(models().join("inputs/texts.json")).unwrap()).unwrap();
    // A text without words is no input over HTTP.
    let texts: Vec<(usize, &String)> = texts.iter().enumerate().filter(|(_, text)| !text.trim().is_empty()).collect();
    let cases = [
        ("visual", "document", "siglip-small", "text_features"),
        ("sound", "query", "clap-larger-general", "text"),
        ("text", "query", "text-e5-small", "query"),
        ("text", "document", "text-e5-small", "passage"),
    ];
    for (space, input_type, model, name) in cases {
        let inputs: Vec<Value> = texts.iter().map(|(_, text)| json!({"text": text})).collect();
        let request = json!({"inputs": inputs, "space": space, "input_type": input_type});
        let (found, expected) = (embeddings(&api, &request).await, expected(model, name));
        assert_eq!(found.len(), texts.len());
        for ((row, text), found) in texts.iter().zip(found) {
            let cosine = cosine(&found, &expected[*row]);
            assert!(cosine >= 0.9999, "{space} {input_type} {text}: {cosine}");
        }
    }
    let mut pictures: Vec<PathBuf> =
        std::fs::read_dir(models().join("inputs/pictures")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pictures.sort();
    let inputs: Vec<Value> =
        pictures.iter().map(|path| json!({"image": {"base64": base64(&std::fs::read(path).unwrap())}})).collect();
    let found = embeddings(&api, &json!({"inputs": inputs})).await;
    let expected = expected("siglip-small", "image_features");
    assert_eq!((found.len(), expected.len()), (4, 4));
    for (path, (found, expected)) in pictures.iter().zip(found.iter().zip(&expected)) {
        let cosine = cosine(found, expected);
        assert!(cosine >= 0.999, "{}: {cosine}", path.display());
    }
}

#[tokio::test]
async fn a_space_answers_what_it_was_made_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path()).await;
    let api = server.owner();
    let picture = base64(&std::fs::read(models().join("inputs/pictures/00-rgb.png")).unwrap());
    let parts = json!([{"text": "two red bicycles"}, {"base64": picture}, {"base64": base64(&wav(2500, 440.0))}]);
    let added = api.add(&json!({"parts": parts})).await;
    let document = id(&added["document"]);
    let segments = api.all(&format!("/v1/documents/{document}/segments"), "segments", 100).await;
    let windows: Vec<&Value> =
        segments.iter().filter(|segment| segment["modality"] == "audio").map(|segment| &segment["place"]).collect();
    assert_eq!(windows.len(), 4, "windows as long as the model hears, one every half: {windows:?}");

    let query = json!({"inputs": [{"text": "a bicycle"}], "group_by": "none", "explain": true, "page_size": 50});
    let answer = api.search(&query).await;
    let legs = |hit: &Value| -> Vec<(String, bool)> {
        list(hit, "/explain/legs")
            .iter()
            .map(|leg| (leg["space"].as_str().unwrap().to_owned(), leg["confidence"].is_number()))
            .collect()
    };
    let mut seen = Vec::new();
    for hit in list(&answer, "/hits") {
        let modality = hit["segment"]["modality"].as_str().unwrap();
        let wanted = match modality {
            "text" => vec![("text".to_owned(), false)],
            "image" => vec![("visual".to_owned(), true)],
            _ => vec![("sound".to_owned(), false)],
        };
        let found: Vec<_> = legs(hit).into_iter().filter(|(space, _)| space != "lexical").collect();
        assert_eq!(found, wanted, "{hit:#}");
        assert_eq!(hit["confidence"].is_number(), modality == "image", "SigLIP says how likely; the others rank");
        seen.push(modality.to_owned());
    }
    seen.sort();
    assert_eq!(seen, ["audio", "audio", "audio", "audio", "image", "text"]);

    let query = json!({"inputs": [{"image": {"base64": picture}}], "group_by": "none", "explain": true});
    let answer = api.search(&query).await;
    let spaces: Vec<_> = list(&answer, "/hits").iter().flat_map(&legs).map(|(space, _)| space).collect();
    assert_eq!(spaces, ["visual", "visual"], "a picture finds pictures and, in the space of both, texts");

    let sure = api.search(&json!({"inputs": [{"text": "a bicycle"}], "min_confidence": 0.0})).await;
    assert_eq!(list(&sure, "/hits").len(), 1, "what has no confidence has not this much");
    let labels = json!({"input": {"image": {"base64": picture}}, "labels": ["a cat", "a dog"]});
    let shares = api.post("/v1/classify", &labels).await.expect(200);
    let sum: f64 = list(&shares, "/labels").iter().map(|label| label["score"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-4);
    api.post("/v1/captions", &json!({"input": {"image": {"base64": picture}}})).await.problem(422, "not_in_profile");
    let both = json!({"inputs": [{"text": "a"}, {"image": {"base64": picture}}, {"audio": {"base64": base64(&wav(500, 440.0))}}]});
    let refused = api.post("/v1/embeddings", &both).await.problem(422, "not_in_profile");
    assert!(refused["detail"].as_str().unwrap().contains("text and image and audio"), "{refused}");
}

/// A model that describes pictures, for [`profile`].
pub fn with_blip() -> String {
    format!("[models.blip-small]\nfolder = \"{}/blip-small\"\nlicence = \"MIT\"\n", models().display())
}

#[tokio::test]
async fn pictures_are_described_in_sentences() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_with(folder.path(), &with_blip()).await;
    let api = server.owner();
    let bytes = std::fs::read(models().join("inputs/pictures/00-rgb.png")).unwrap();
    let expected = {
        let picture = decode_image(&bytes, sniff(&bytes, None).unwrap(), &Limits::default()).unwrap().on_white();
        let (width_px, height_px) = (picture.width_px, picture.height_px);
        let input = EncodeInput::Image { width_px, height_px, rgb: picture.rgb.into() };
        let model =
            BlipCaptioner::load(&Source::Folder(models().join("blip-small")), DType::F32, &Device::Cpu).unwrap();
        let decoding = Decoding::Beams { width: 3, options: BeamOptions::default() };
        let options = GenerateOptions { decoding, max_tokens: MaxTokens::New(30), ..GenerateOptions::default() };
        model.caption(&[input], None, &options).unwrap().remove(0).unwrap()
    };
    let input = json!({"image": {"base64": base64(&bytes)}});
    let answer = api.post("/v1/captions", &json!({"input": input})).await.expect(200);
    assert_eq!((&answer["method"], &answer["caption"]["text"]), (&json!("generated"), &json!(expected.text)));
    assert!(answer["caption"]["model"].as_str().unwrap().starts_with("blip-small@"), "{answer}");
    let sound = json!({"audio": {"base64": base64(&wav(500, 440.0))}});
    api.post("/v1/captions", &json!({"input": sound})).await.problem(422, "not_in_profile");
    let long = json!({"input": input, "prompt": "x".repeat(2000)});
    assert_eq!(api.post("/v1/captions", &long).await.problem(422, "invalid")["errors"][0]["pointer"], "/prompt");
}

/// A form with a sound and fields.
pub fn speech<'a>(sound: &[u8], fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str, Vec<u8>)> {
    let fields = fields.iter().map(|(name, value)| (*name, "", value.as_bytes().to_vec()));
    std::iter::once(("file", "speech.wav", sound.to_vec())).chain(fields).collect()
}

#[tokio::test]
async fn speech_is_written_down_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let server = start_with(folder.path(), &with_whisper()).await;
    let api = server.owner();
    let sound = std::fs::read(models().join("inputs/sounds/00.wav")).unwrap();
    let ask = async |path: &str, fields: &[(&str, &str)]| api.post_form(path, None, &speech(&sound, fields)).await;
    let path = "/v1/audio/transcriptions";
    let expected = {
        let decoded = decode_audio(&sound, sniff(&sound, None).unwrap(), &Limits::default()).unwrap();
        let samples = resample(&decoded, 16_000).unwrap().samples;
        let source = Source::Folder(models().join("whisper-mini"));
        let whisper = Whisper::load(&source, DType::F32, &Device::Cpu).unwrap();
        let options = TranscribeOptions { language: Some("de".to_owned()), ..TranscribeOptions::default() };
        whisper.transcribe(&samples, &options, &mut |_| std::ops::ControlFlow::Continue(())).unwrap()
    };
    let json = ask(path, &[("language", "german"), ("model", "whisper-1")]).await.expect(200);
    assert_eq!(json["text"], expected.text);
    let text = ask(path, &[("language", "de"), ("response_format", "text")]).await;
    assert_eq!(text.text(), format!("{}\n", expected.text));
    let verbose = ask(path, &[("language", "de"), ("response_format", "verbose_json")]).await.expect(200);
    assert_eq!(verbose["language"], "german");
    assert_eq!(list(&verbose, "/segments").len(), expected.segments.len());
    assert!(verbose["duration"].as_f64().unwrap() > 0.0 && verbose.get("words").is_none(), "{verbose}");
    assert!(ask(path, &[("response_format", "vtt")]).await.text().starts_with("WEBVTT\n\n"));
    assert_eq!(ask(path, &[("response_format", "srt")]).await.status, 200);

    let faults = [
        ("language", "klingon"),
        ("response_format", "docx"),
        ("temperature", "2"),
        ("timestamp_granularities[]", "letter"),
        ("model", "whisper-9"),
        ("stream", "true"),
    ];
    for (field, value) in faults {
        let problem = ask(path, &[(field, value)]).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], format!("/{field}"), "{problem}");
    }
    ask("/v1/audio/translations", &[("language", "de")]).await.problem(422, "invalid");
    api.post_form(path, None, &[("language", "", b"de".to_vec())]).await.problem(422, "invalid");
    api.post_form(path, None, &[("file", "x.wav", b"nothing".to_vec())]).await.problem(415, "media_type_mismatch");
    api.post(path, &json!({"file": "x"})).await.problem(415, "unsupported_content_type");
    let told = api.read("/v1/models").await;
    assert!(told["transcriber"]["model"].as_str().unwrap().starts_with("whisper-mini@"));

    // One is worked on and none may wait.
    let several = futures::future::join_all((0..8).map(|_| ask(path, &[]))).await;
    assert!(several.iter().any(|answer| answer.status == 200));
    for answer in several.iter().filter(|answer| answer.status != 200) {
        answer.problem(429, "overloaded");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    }

    let without = Server::start().await;
    let refused = without.owner().post_form(path, None, &speech(&sound, &[])).await;
    refused.problem(422, "not_in_profile");
}

/// What a server says that does not start.
pub fn refused_to_start(data_dir: &str, profile: &str, settings: &[(&str, String)]) -> String {
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir, "--profile", profile]);
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    let output = command.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[tokio::test]
async fn models_are_told_and_another_profile_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path()).await;
    let told = server.owner().read("/v1/models").await;
    assert_eq!(told["profile"], "trial");
    let mut towers: Vec<String> = Vec::new();
    for space in list(&told, "/spaces") {
        for tower in list(space, "/towers") {
            let model = tower["model"].as_str().unwrap();
            let (name, revision) = model.split_once('@').unwrap();
            assert!(revision.len() >= 12, "{model}");
            towers.push(format!("{} {} {name} {}", space["name"], tower["modality"], tower["licence"]));
        }
    }
    towers.sort();
    let wanted = [
        r#""sound" "audio" clap "MIT""#,
        r#""sound" "text" clap "MIT""#,
        r#""text" "text" e5 "BSD-3-Clause""#,
        r#""visual" "image" siglip "Apache-2.0""#,
        r#""visual" "text" siglip "Apache-2.0""#,
    ];
    assert_eq!(towers, wanted);
    assert!(server.stop().await.success());

    let refused = |name: &str| refused_to_start(&server.data_dir_text(), name, &[]);
    let text = refused("starter");
    assert!(text.contains("made with the profile trial"), "{text}");
    let text = refused("nonsense");
    assert!(text.contains("profile.name") && text.contains("standard"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let text = refused(&profile(folder.path(), "[spaces.text.calibration]").display().to_string());
    assert!(text.contains("calibration"), "{text}");
}
