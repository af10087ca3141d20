//! A pull that goes well, and what is here afterwards.

use std::collections::BTreeMap;
use std::fs;

use sensorium_sources::{Check, Event, Presence, SourceError};

use crate::fake::{COMMIT, Scene, Who, at, model, owl, read, sha256, weights};

#[test]
fn the_first_pull_pins_the_commit_and_every_file() {
    let scene = Scene::new(model());
    let store = scene.store();
    assert_eq!(store.presence(&owl()).unwrap(), Presence::Absent);
    let snapshot = scene.pull().unwrap();
    assert_eq!(read(&snapshot, "model.safetensors"), weights());
    let lock = fs::read_to_string(scene.folder.path().join("data/models.lock")).unwrap();
    for part in ["repository = \"acme/owl\"", "revision = \"main\"", COMMIT, &sha256(&weights()), "bytes = 1000001"] {
        assert!(lock.contains(part), "{part} is not in {lock}");
    }
    assert!(!lock.contains("README") && !lock.contains(".bin"), "{lock}");
    assert_eq!(scene.asked(Who::Storage).len(), 1, "the pickle is not fetched");
    assert_eq!(store.presence(&owl()).unwrap(), Presence::Here(snapshot));
}

#[test]
fn what_is_here_is_not_asked_for_again() {
    let scene = Scene::new(model());
    let first = scene.pull().unwrap();
    let asked = scene.asked(Who::Hub).len();
    assert_eq!(scene.pull().unwrap(), first);
    assert_eq!(scene.store().check(&owl(), Check::Quick, &mut |_| {}).unwrap(), first);
    assert_eq!(scene.asked(Who::Hub).len(), asked);
    // Another data folder has its own pins and shares the files.
    let other = sensorium_sources::Store::new(scene.settings(&[]), &scene.folder.path().join("other"));
    other.pull(&owl(), &mut |_| {}).unwrap();
    assert_eq!(scene.asked(Who::Storage).len(), 1);
}

#[test]
fn the_cache_is_laid_out_as_other_tools_expect() {
    let scene = Scene::new(model());
    scene.pull().unwrap();
    let cache = scene.cache();
    assert_eq!(fs::read_to_string(cache.join("refs/main")).unwrap(), COMMIT);
    let link = cache.join("snapshots").join(COMMIT).join("model.safetensors");
    assert_eq!(fs::read_link(&link).unwrap().to_str().unwrap(), format!("../../blobs/{}", sha256(&weights())));
    let left_over = fs::read_dir(cache.join("blobs")).unwrap().flatten();
    assert!(left_over.into_iter().all(|entry| !entry.file_name().to_string_lossy().contains("incomplete")));
}

#[test]
fn files_of_the_cache_serve_without_the_hub() {
    let scene = Scene::new(model());
    scene.pull().unwrap();
    let asked = scene.asked(Who::Hub).len();
    fs::remove_dir_all(scene.folder.path().join("data")).unwrap();
    let offline = scene.store_with(&[("HF_HUB_OFFLINE", "1")]);
    let snapshot = offline.pull(&owl(), &mut |_| {}).unwrap();
    assert_eq!(
        (snapshot.pin.commit.as_str(), read(&snapshot, "tokenizer.json").as_slice()),
        (COMMIT, b"{}".as_slice())
    );
    assert_eq!(scene.asked(Who::Hub).len(), asked);
    let error = offline.pull(&at("v2"), &mut |_| {}).unwrap_err();
    assert!(matches!(error, SourceError::Offline { .. }) && error.to_string().contains("acme/owl@v2"), "{error}");
    fs::remove_file(snapshot.folder.join("tokenizer.json")).unwrap();
    let error = offline.pull(&owl(), &mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("tokenizer.json") && error.contains("HF_HUB_OFFLINE"), "{error}");
    fs::remove_dir_all(scene.folder.path().join("data")).unwrap();
    for (file, named) in
        [("model.safetensors", "model.safetensors of acme/owl"), ("config.json", "config.json of acme/owl")]
    {
        fs::remove_file(snapshot.folder.join(file)).unwrap();
        let error = offline.pull(&owl(), &mut |_| {}).unwrap_err();
        assert!(matches!(error, SourceError::Offline { .. }) && error.to_string().contains(named), "{error}");
    }
}

#[test]
fn weights_in_several_files_and_the_parts_of_a_sentence_model_come_along() {
    let index = br#"{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}"#;
    let modules = br#"[{"path":"","type":"t.Transformer"},{"path":"1_Pooling","type":"t.Pooling"}]"#;
    let scene = Scene::new(vec![
        ("config.json", b"{}".to_vec()),
        ("modules.json", modules.to_vec()),
        ("1_Pooling/config.json", b"{\"pooling_mode_mean_tokens\":true}".to_vec()),
        ("model.safetensors.index.json", index.to_vec()),
        ("model-00001-of-00002.safetensors", b"one".to_vec()),
        ("model-00002-of-00002.safetensors", b"two".to_vec()),
        ("onnx/model.onnx", b"no".to_vec()),
    ]);
    let snapshot = scene.pull().unwrap();
    assert_eq!(read(&snapshot, "model-00002-of-00002.safetensors"), b"two");
    assert!(read(&snapshot, "1_Pooling/config.json").starts_with(b"{\"pooling"));
    assert_eq!(snapshot.pin.files.len(), 6);
}

#[test]
fn a_pull_request_is_a_revision() {
    let scene = Scene::new(model());
    let snapshot = scene.store().pull(&at("refs/pr/2"), &mut |_| {}).unwrap();
    assert_eq!(snapshot.pin.commit, COMMIT);
    assert_eq!(fs::read_to_string(scene.cache().join("refs/refs/pr/2")).unwrap(), COMMIT);
}

#[test]
fn a_file_that_was_changed_is_found() {
    let scene = Scene::new(model());
    let store = scene.store();
    let snapshot = scene.pull().unwrap();
    let path = snapshot.folder.join("model.safetensors").canonicalize().unwrap();
    // A byte in the middle flips and the time of change stays: a full check finds it.
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    let mut spoilt = weights();
    spoilt[500_000] ^= 1;
    fs::write(&path, &spoilt).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    store.check(&owl(), Check::Quick, &mut |_| {}).unwrap();
    let error = store.check(&owl(), Check::Full, &mut |_| {}).unwrap_err();
    assert!(matches!(&error, SourceError::WrongHash { by: "models.lock", .. }), "{error}");
    assert!(error.to_string().contains(&sha256(&spoilt)) && error.to_string().contains(&sha256(&weights())), "{error}");
    // From then on every check knows, and a pull puts it right.
    assert!(store.check(&owl(), Check::Quick, &mut |_| {}).is_err());
    assert_eq!(read(&scene.pull().unwrap(), "model.safetensors"), weights());
    // One that was cut is found at once.
    fs::write(&path, &spoilt[..10]).unwrap();
    let error = store.check(&owl(), Check::Quick, &mut |_| {}).unwrap_err();
    assert!(matches!(error, SourceError::WrongLength { found: 10, expected: 1_000_001, .. }), "{error}");
    assert!(matches!(store.presence(&owl()).unwrap(), Presence::Incomplete(_)));
    fs::remove_file(&path).unwrap();
    let error = store.check(&owl(), Check::Quick, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("sensorium models pull"), "{error}");
    // And a pull puts it right.
    assert_eq!(read(&scene.pull().unwrap(), "model.safetensors"), weights());
}

#[test]
fn what_the_profile_knows_beforehand_must_hold() {
    let scene = Scene::new(model());
    let mut known = owl();
    known.sha256 = BTreeMap::from([("model.safetensors".to_owned(), sha256(&weights()))]);
    scene.store().pull(&known, &mut |_| {}).unwrap();
    known.sha256 = BTreeMap::from([("model.safetensors".to_owned(), "0".repeat(64))]);
    let error = scene.store().pull(&known, &mut |_| {}).unwrap_err();
    assert!(matches!(error, SourceError::WrongHash { by: "the profile", .. }), "{error}");
}

#[test]
fn removing_frees_what_no_other_revision_uses() {
    let scene = Scene::new(model());
    let store = scene.store();
    scene.pull().unwrap();
    store.pull(&at("refs/pr/2"), &mut |_| {}).unwrap();
    assert_eq!(store.remove(&at("refs/pr/2")).unwrap(), 0, "the same commit is in use as main");
    assert!(matches!(store.presence(&owl()).unwrap(), Presence::Here(_)));
    assert_eq!(store.remove(&owl()).unwrap(), 1_000_001 + 20 + 2);
    assert_eq!(store.presence(&owl()).unwrap(), Presence::Absent);
    assert_eq!(fs::read_dir(scene.cache().join("blobs")).unwrap().count(), 0);
    assert_eq!(store.remove(&owl()).unwrap(), 0);
    scene.pull().unwrap();
}

#[test]
fn progress_is_told_file_by_file() {
    let scene = Scene::new(model());
    let mut told = Vec::new();
    let mut arrived = 0;
    let mut listen = |event: Event| match event {
        Event::File { path, bytes, have: 0 } => told.push((path.to_owned(), bytes)),
        Event::Arrived(bytes) => arrived = bytes,
        _ => {}
    };
    scene.store().pull(&owl(), &mut listen).unwrap();
    let expected = [("config.json", 20), ("tokenizer.json", 2), ("model.safetensors", 1_000_001)];
    assert_eq!(told, expected.map(|(path, bytes)| (path.to_owned(), bytes)));
    assert_eq!(arrived, 1_000_001);
}
