//! Connections that break, hosts that fail, disks that are full.

use std::fs;

use sensorium_sources::SourceError;

use crate::fake::{Fault, Scene, Who, model, owl, read, sha256, weights};
use crate::server::Reply;

/// Where the bytes of the weights are kept while they arrive.
fn partial(scene: &Scene) -> std::path::PathBuf {
    scene.cache().join("blobs").join(format!("{}.sensorium.incomplete", sha256(&weights())))
}

fn leave(scene: &Scene, bytes: &[u8]) {
    fs::create_dir_all(scene.cache().join("blobs")).unwrap();
    fs::write(partial(scene), bytes).unwrap();
}

#[test]
fn a_cut_connection_goes_on_where_it_broke_off() {
    let scene = Scene::new(model());
    // More breaks than tries: what arrives in between counts.
    for _ in 0..5 {
        scene.spoil(Who::Storage, "model.safetensors", Fault::Cut(150_000));
    }
    assert_eq!(read(&scene.pull().unwrap(), "model.safetensors"), weights());
    let ranges = scene.ranges();
    assert_eq!((ranges.len(), &ranges[0], ranges[1].as_deref()), (6, &None, Some("bytes=150000-")));
    assert_eq!(ranges[5].as_deref(), Some("bytes=750000-"));
}

#[test]
fn a_connection_that_always_breaks_is_given_up_and_what_arrived_is_kept() {
    let scene = Scene::new(model());
    scene.spoil(Who::Storage, "model.safetensors", Fault::Cut(1000));
    for _ in 0..3 {
        scene.spoil(Who::Storage, "model.safetensors", Fault::Cut(0));
    }
    let error = scene.pull().unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { tries: 3, .. }), "{error}");
    assert_eq!(fs::metadata(partial(&scene)).unwrap().len(), 1000);
    assert_eq!(read(&scene.pull().unwrap(), "model.safetensors"), weights());
    assert_eq!(scene.ranges().last().unwrap().as_deref(), Some("bytes=1000-"));
}

#[test]
fn a_small_file_that_is_cut_is_fetched_to_its_end() {
    let scene = Scene::new(model());
    scene.spoil(Who::Hub, "config.json", Fault::Cut(7));
    assert_eq!(read(&scene.pull().unwrap(), "config.json"), br#"{"model_type":"owl"}"#);
}

#[test]
fn a_host_without_ranges_sends_it_all_again() {
    let scene = Scene::new(model());
    leave(&scene, &weights()[..1000]);
    scene.spoil(Who::Storage, "model.safetensors", Fault::Whole);
    assert_eq!(read(&scene.pull().unwrap(), "model.safetensors"), weights());
    assert_eq!(scene.ranges(), [Some("bytes=1000-".to_owned())]);
}

#[test]
fn what_an_earlier_run_left_is_used_only_if_it_is_right() {
    let scene = Scene::new(model());
    leave(&scene, &[7; 1000]);
    assert_eq!(read(&scene.pull().unwrap(), "model.safetensors"), weights());
    assert_eq!(scene.ranges(), [Some("bytes=1000-".to_owned()), None]);
    // Longer than the file can be: it is begun anew.
    let scene = Scene::new(model());
    leave(&scene, &vec![7; 1_000_002]);
    assert_eq!(read(&scene.pull().unwrap(), "model.safetensors"), weights());
    // Complete, and only the name was missing: nothing is asked.
    let scene = Scene::new(model());
    leave(&scene, &weights());
    assert_eq!(read(&scene.pull().unwrap(), "model.safetensors"), weights());
    assert_eq!(scene.ranges(), []);
}

#[test]
fn a_wrong_content_is_not_installed() {
    let scene = Scene::new(model());
    let wrong = vec![1_u8; weights().len()];
    scene.spoil(Who::Storage, "model.safetensors", Fault::Instead(Reply::new(200, wrong.clone())));
    let error = scene.pull().unwrap_err();
    assert!(matches!(error, SourceError::WrongHash { by: "the hub", .. }), "{error}");
    assert!(error.to_string().contains(&sha256(&wrong)) && error.to_string().contains(&sha256(&weights())), "{error}");
    assert!(!partial(&scene).exists() && !scene.cache().join("blobs").join(sha256(&weights())).exists());
    // A wrong small file is found as well.
    let scene = Scene::new(model());
    scene.spoil(Who::Hub, "tokenizer.json", Fault::Instead(Reply::new(200, "[]")));
    assert!(matches!(scene.pull().unwrap_err(), SourceError::WrongHash { .. }));
}

#[test]
fn a_content_in_the_cache_that_was_spoilt_is_fetched_again() {
    let scene = Scene::new(model());
    fs::create_dir_all(scene.cache().join("blobs")).unwrap();
    fs::write(scene.cache().join("blobs").join(sha256(&weights())), "spoilt").unwrap();
    assert_eq!(read(&scene.pull().unwrap(), "model.safetensors"), weights());
}

#[test]
fn a_busy_hub_is_asked_again_when_it_says() {
    let scene = Scene::new(model());
    scene.spoil(Who::Hub, "/api/models", Fault::Instead(Reply::new(429, "").with("retry-after", "0")));
    scene.spoil(Who::Hub, "/api/models", Fault::Instead(Reply::new(503, "")));
    scene.spoil(Who::Storage, "model.safetensors", Fault::Instead(Reply::new(500, "")));
    scene.pull().unwrap();
    let scene = Scene::new(model());
    scene.spoil(Who::Hub, "/api/models", Fault::Instead(Reply::new(429, "").with("retry-after", "3600")));
    let error = scene.pull().unwrap_err();
    assert!(matches!(error, SourceError::TooMany { seconds: Some(3600), .. }), "{error}");
    assert!(error.to_string().contains("in 3600 s") && error.to_string().contains("HF_TOKEN"), "{error}");
    assert_eq!(scene.asked(Who::Hub).len(), 1, "an hour is not waited");
}

#[test]
fn a_hub_that_fails_is_given_up() {
    let scene = Scene::new(model());
    for _ in 0..4 {
        scene.spoil(Who::Hub, "/api/models", Fault::Instead(Reply::new(502, "")));
    }
    let error = scene.pull().unwrap_err();
    assert!(matches!(error, SourceError::ServerFailed { status: 502, tries: 3, .. }), "{error}");
    assert_eq!(scene.asked(Who::Hub).len(), 3);
}

#[test]
fn a_signed_address_that_ran_out_is_made_anew() {
    let scene = Scene::new(model());
    scene.spoil(Who::Storage, "model.safetensors", Fault::Instead(Reply::new(403, "expired")));
    scene.pull().unwrap();
    let redirects = scene.asked(Who::Hub).into_iter().filter(|target| target.ends_with("model.safetensors")).count();
    assert_eq!(redirects, 2);
}

#[test]
fn nobody_there() {
    let scene = Scene::new(model());
    let mut settings = scene.settings(&[]);
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    settings.endpoint = format!("http://{free}/").parse().unwrap();
    let error = sensorium_sources::Store::new(settings, scene.folder.path()).pull(&owl(), &mut |_| {}).unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { tries: 3, .. }), "{error}");
    assert!(error.to_string().contains("HF_HUB_OFFLINE=1"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    let scene = Scene::new(model());
    fs::create_dir_all(scene.cache().join("blobs")).unwrap();
    std::os::unix::fs::symlink("/dev/full", partial(&scene)).unwrap();
    let error = scene.pull().unwrap_err();
    assert!(matches!(error, SourceError::DiskFull { needed: 1_000_001, .. }), "{error}");
    assert!(error.to_string().contains("HF_HUB_CACHE"), "{error}");
}
