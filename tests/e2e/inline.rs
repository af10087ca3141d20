//! Small parts are kept in the catalog, larger ones in the blob store; who asks for them cannot tell.

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Api, id, list};
use crate::media::{base64, png, wav};
use crate::server::{Server, eventually};

/// Both contents of the document, whole and in part.
async fn contents_are_right(api: &Api, parts: &[Value], contents: &[&[u8]; 3]) {
    for (part, bytes) in parts.iter().zip(contents) {
        let path = part["content_url"].as_str().unwrap();
        assert_eq!(api.get(path).await.body, *bytes);
        let some = api.send(api.request(Method::GET, path).header("range", "bytes=1-3")).await;
        assert_eq!((some.status, &some.body[..]), (206, &bytes[1..4]));
    }
    assert_eq!(api.get(&format!("/v1/parts/{}/thumbnail", id(&parts[1]))).await.status, 200);
    assert_eq!(api.get(&format!("/v1/parts/{}/peaks", id(&parts[2]))).await.status, 200);
}

#[tokio::test]
async fn small_parts_need_no_file() {
    let mut server = Server::start().await;
    let (picture, sound) = (png(12, 12, 5), wav(700, 440.0));
    assert!(picture.len() < 4096 && sound.len() > 4096);
    let contents = [b"a lighthouse".as_slice(), &picture, &sound];
    let document = json!({"parts": [
        {"text": "a lighthouse"}, {"base64": base64(&picture)}, {"base64": base64(&sound)},
    ]});
    let added = server.owner().add(&document).await;
    let parts = list(&added, "/document/parts").clone();
    assert_eq!(server.stored_blobs("default"), 1, "the sound's");
    contents_are_right(&server.owner(), &parts, &contents).await;

    server.kill();
    server.restart().await;
    contents_are_right(&server.owner(), &parts, &contents).await;
    let same = server.owner().add(&document).await;
    assert_eq!(same["job"]["progress"]["reused"], 3);
    assert!(server.stop().await.success());
    let checked = server.command(&["fsck", "--json"]).await;
    let report: Value = serde_json::from_slice(&checked.stdout).unwrap_or_default();
    assert_eq!((&report["clean"], &report["blobs"]), (&json!(true), &json!(1)), "{report:#}");

    server.restart().await;
    let api = server.owner();
    for gone in [&added, &same] {
        let path = format!("/v1/documents/{}", id(&gone["document"]));
        api.send(api.request(Method::DELETE, &path).header("prefer", "wait=60")).await;
    }
    eventually("the sound's file is swept", async || (server.stored_blobs("default") == 0).then_some(())).await;
    let again = api.add(&document).await;
    contents_are_right(&api, list(&again, "/document/parts"), &contents).await;
}

#[tokio::test]
async fn too_much_for_the_catalog_is_refused() {
    let mut command = crate::server::program();
    command.args(["check-config"]).env("SENSORIUM__BLOBS__INLINE_BYTES", "65537");
    let checked = crate::server::finish(command).await;
    let said = format!("{}{}", String::from_utf8_lossy(&checked.stderr), String::from_utf8_lossy(&checked.stdout));
    assert!(!checked.status.success());
    assert!(said.contains("blobs.inline_bytes: must be 65536 at most"), "{said}");
}
