//! What the hub does not give, and what users are told to do.

use sensorium_sources::SourceError;

use crate::fake::{Fault, Scene, Who, at, model, owl};
use crate::server::Reply;

fn refused(status: u16, code: Option<&str>, variables: &[(&str, &str)]) -> SourceError {
    let scene = Scene::new(model());
    let reply = Reply::new(status, "{}");
    let reply = match code {
        Some(code) => reply.with("x-error-code", code),
        None => reply,
    };
    scene.spoil(Who::Hub, "/api/models", Fault::Instead(reply));
    let error = scene.store_with(variables).pull(&owl(), &mut |_| {}).unwrap_err();
    assert_eq!(scene.asked(Who::Hub).len(), 1, "a refusal is not tried again");
    error
}

#[test]
fn gated() {
    let error = refused(401, Some("GatedRepo"), &[]);
    let text = error.to_string();
    assert!(matches!(error, SourceError::Gated { with_token: false, .. }));
    assert!(text.contains("accept its terms at http://127.0.0.1") && text.contains("/acme/owl"), "{text}");
    assert!(text.contains("set HF_TOKEN"), "{text}");
    let error = refused(403, Some("GatedRepo"), &[("HF_TOKEN", "hf_secret")]);
    assert!(matches!(error, SourceError::Gated { with_token: true, .. }), "{error}");
    assert!(!error.to_string().contains("hf_secret"));
}

#[test]
fn gated_only_for_its_files() {
    let scene = Scene::new(model());
    let gate = Reply::new(403, "").with("x-error-code", "GatedRepo");
    scene.spoil(Who::Hub, "model.safetensors", Fault::Instead(gate));
    assert!(matches!(scene.pull().unwrap_err(), SourceError::Gated { .. }));
}

#[test]
fn a_repository_that_is_missing_or_private() {
    for (status, code) in [(401, Some("RepoNotFound")), (404, Some("RepoNotFound")), (401, None), (404, None)] {
        let error = refused(status, code, &[]);
        assert!(matches!(error, SourceError::NoRepository { .. }), "{status} {code:?}: {error}");
        assert!(error.to_string().contains("check the name") && error.to_string().contains("HF_TOKEN"), "{error}");
    }
}

#[test]
fn a_token_that_is_refused() {
    let error = refused(401, None, &[("HF_TOKEN", "hf_old")]);
    assert!(matches!(error, SourceError::Token { .. }) && error.to_string().contains("settings/tokens"), "{error}");
}

#[test]
fn a_revision_that_is_missing() {
    let scene = Scene::new(model());
    let error = scene.store().pull(&at("v9"), &mut |_| {}).unwrap_err();
    assert!(matches!(error, SourceError::NoRevision { .. }), "{error}");
    assert!(error.to_string().contains("no revision \"v9\""), "{error}");
}

#[test]
fn a_repository_with_pickles_only() {
    let scene = Scene::new(vec![("config.json", b"{}".to_vec()), ("pytorch_model.bin", b"x".to_vec())]);
    let error = scene.pull().unwrap_err();
    assert!(matches!(error, SourceError::OnlyPickle { .. }), "{error}");
    assert_eq!(scene.asked(Who::Hub).len(), 1, "nothing is fetched of it");
    let scene = Scene::new(vec![("config.json", b"{}".to_vec()), ("owl.gguf", b"x".to_vec())]);
    assert!(matches!(scene.pull().unwrap_err(), SourceError::NoWeights { .. }));
    let scene = Scene::new(vec![("model.safetensors", b"x".to_vec())]);
    assert!(matches!(scene.pull().unwrap_err(), SourceError::NoConfig { .. }));
}

#[test]
fn an_endpoint_that_is_no_hub() {
    for reply in [Reply::new(200, "<!doctype html>"), Reply::new(418, ""), Reply::new(302, ""), Reply::new(200, "{}")] {
        let scene = Scene::new(model());
        scene.spoil(Who::Hub, "/api/models", Fault::Instead(reply));
        let error = scene.pull().unwrap_err();
        assert!(matches!(error, SourceError::Protocol { .. }) && error.to_string().contains("HF_ENDPOINT"), "{error}");
    }
}

#[test]
fn a_redirect_without_an_end() {
    let scene = Scene::new(model());
    for _ in 0..20 {
        let around = Reply::new(307, "").with("location", "/api/models/acme/owl/revision/main?blobs=true");
        scene.spoil(Who::Hub, "/api/models", Fault::Instead(around));
    }
    let error = scene.pull().unwrap_err().to_string();
    assert!(error.contains("redirects without an end"), "{error}");
}

#[test]
fn another_commit_or_content_than_was_asked_for() {
    let other = Fault::Header("x-repo-commit", "f".repeat(40));
    let scene = Scene::new(model());
    scene.spoil(Who::Hub, "config.json", other);
    assert!(scene.pull().unwrap_err().to_string().contains("in place of"));
    let scene = Scene::new(model());
    scene.spoil(Who::Hub, "model.safetensors", Fault::Header("x-linked-etag", format!("\"{}\"", "f".repeat(64))));
    assert!(scene.pull().unwrap_err().to_string().contains("ETag"));
}
