//! Who sees the token, and several at once.

use std::thread;

use crate::fake::{Fault, Scene, Who, model, owl, read, weights};
use crate::server::Reply;

#[test]
fn only_the_hub_sees_the_token() {
    let scene = Scene::new(model());
    scene.store_with(&[("HF_TOKEN", "hf_secret")]).pull(&owl(), &mut |_| {}).unwrap();
    let sent = |who| scene.requests(who).into_iter().map(|request| request.headers.get("authorization").cloned());
    assert!(sent(Who::Hub).all(|header| header.as_deref() == Some("Bearer hf_secret")));
    assert!(sent(Who::Storage).all(|header| header.is_none()));
    assert_eq!(sent(Who::Storage).count(), 1);
}

#[test]
fn a_redirect_within_the_hub_keeps_the_token() {
    let scene = Scene::new(model());
    let here = format!("/acme/owl/resolve/{}/config.json?moved", crate::fake::COMMIT);
    scene.spoil(Who::Hub, "config.json", Fault::Instead(Reply::new(307, "").with("location", &here)));
    scene.store_with(&[("HF_TOKEN", "hf_secret")]).pull(&owl(), &mut |_| {}).unwrap();
    let moved = scene.requests(Who::Hub).into_iter().find(|request| request.target.ends_with("moved")).unwrap();
    assert_eq!(moved.headers["authorization"], "Bearer hf_secret");
}

#[test]
fn several_that_pull_at_once_fetch_each_file_once() {
    let scene = Scene::new(model());
    thread::scope(|scope| {
        let pulls: Vec<_> = (0..4).map(|_| scope.spawn(|| scene.pull().unwrap())).collect();
        for pull in pulls {
            assert_eq!(read(&pull.join().unwrap(), "model.safetensors"), weights());
        }
    });
    assert_eq!(scene.asked(Who::Storage).len(), 1);
    assert_eq!(scene.store().lock().pins().unwrap().len(), 1);
}
