//! What is added can be read, changed, found and removed.

use std::collections::BTreeSet;
use std::sync::Arc;

use reqwest::Method;
use sensorium_media as media;
use serde_json::{Value, json};

use crate::cases::cases;
use crate::client::{Api, document_ids, id, list};
use crate::media::{base64, bmp, fixture, png, sample, tiff, wav};
use crate::server::{Server, eventually};

#[tokio::test]
async fn documents() {
    // Every part has a file, so that what is kept can be counted.
    cases!(Arc::new(Server::start_with(&[("blobs.inline_bytes", "0")]).await);
        json_becomes_a_document,
        forms_become_documents,
        every_media_type_is_taken,
        a_bad_part_fails_alone,
        only_bad_parts_are_refused,
        an_external_id_replaces,
        lists_have_filters_and_pages,
        patches_reach_the_index,
        deleted_is_gone,
        a_shared_blob_stays_until_its_last_owner_goes,
        an_idempotency_key_repeats_the_answer,
        a_repeated_request_joins_the_first_one,
        known_bytes_are_neither_stored_nor_encoded_again,
        content_has_ranges_and_etags,
        thumbnails_are_small_pictures,
        sounds_have_peaks_and_windows,
        segments_know_their_places,
        large_pictures_are_tiled,
    );
}

/// The parts of a document, read anew.
async fn parts(api: &Api, document: &str) -> Vec<Value> {
    list(&api.read(&format!("/v1/documents/{document}")).await, "/parts").clone()
}

async fn segments(api: &Api, document: &str) -> Vec<Value> {
    api.all(&format!("/v1/documents/{document}/segments"), "segments", 100).await
}

async fn json_becomes_a_document(server: Arc<Server>) {
    let api = server.tenant("json");
    let document = json!({
        "collection": "trips", "external_id": "ride-1", "title": "Morning ride", "tags": ["bike", "dawn"],
        "metadata": {"year": 2026, "where": {"town": "Ulm"}},
        "parts": [{"text": "A red bicycle leans on the wall."}, {"base64": base64(&png(40, 30, 1)), "name": "wall.png"}],
    });
    let request = api.request(Method::POST, "/v1/documents").header("prefer", "wait=60").json(&document);
    let answer = api.send(request).await;
    let accepted = answer.expect(202);
    assert_eq!(answer.header("location"), format!("/v1/jobs/{}", id(&accepted["job"])));
    let added = &accepted["document"];
    for member in ["collection", "external_id", "title", "tags", "metadata"] {
        assert_eq!(added[member], document[member], "{member}");
    }
    assert_eq!((&added["status"], &added["version"]), (&json!("ready"), &json!(1)));
    assert_eq!(api.read(&format!("/v1/documents/{}", id(added))).await, *added);
    let parts = list(added, "/parts");
    assert_eq!(parts[0]["media_type"], "text/plain");
    assert_eq!((&parts[1]["media_type"], &parts[1]["name"]), (&json!("image/png"), &json!("wall.png")));
    assert_eq!(parts[1]["facts"], json!({"width_px": 40, "height_px": 30}));
    assert_eq!(api.read(&format!("/v1/parts/{}", id(&parts[1]))).await, parts[1]);
    assert_eq!(accepted["job"]["progress"]["segments"], 2);
}

async fn forms_become_documents(server: Arc<Server>) {
    let api = server.tenant("forms");
    let bare =
        api.add_files(None, &[("a", "one.txt", b"first words".to_vec()), ("b", "two.wav", wav(600, 440.0))]).await;
    let names: Vec<_> = list(&bare, "/document/parts").iter().map(|part| part["name"].clone()).collect();
    assert_eq!(names, ["one.txt", "two.wav"]);
    assert_eq!(bare["document"]["collection"], "default");
    let described = json!({"title": "Mixed", "parts": [{"file": "picture", "name": "renamed.png"}, {"text": "between"}, {"file": "words"}]});
    let files = [("words", "w.txt", b"last words".to_vec()), ("picture", "p.png", png(20, 20, 2))];
    let mixed = api.add_files(Some(&described), &files).await;
    let parts = list(&mixed, "/document/parts");
    let told: Vec<_> = parts.iter().map(|part| (part["name"].as_str(), part["modality"].as_str().unwrap())).collect();
    assert_eq!(told, [(Some("renamed.png"), "image"), (None, "text"), (Some("w.txt"), "text")]);
    let stray =
        api.post_form("/v1/documents", Some(("document", &json!({"parts": [{"text": "x"}]}))), &files[..1]).await;
    assert_eq!(stray.problem(422, "invalid")["errors"][0]["pointer"], "/parts");
    let missing = api.post_form("/v1/documents", Some(("document", &json!({"parts": [{"file": "nope"}]}))), &[]).await;
    assert_eq!(missing.problem(422, "invalid")["errors"][0]["pointer"], "/parts/0/file");
}

async fn every_media_type_is_taken(server: Arc<Server>) {
    let api = server.tenant("types");
    let text = |words: &str| words.as_bytes().to_vec();
    let known = [
        ("note.txt", text("plain words"), "text/plain", "text"),
        ("note.md", text("# Heading\n\nMarked words."), "text/markdown", "text"),
        ("made.png", png(32, 24, 3), "image/png", "image"),
        ("grey.jpg", fixture("grey.jpg"), "image/jpeg", "image"),
        ("cmyk.jpg", fixture("cmyk.jpg"), "image/jpeg", "image"),
        ("moving.webp", fixture("moving.webp"), "image/webp", "image"),
        ("moving.gif", fixture("moving.gif"), "image/gif", "image"),
        ("dog.svg", sample("drawings/dog.svg"), "image/svg+xml", "image"),
        ("made.tiff", tiff(16, 12), "image/tiff", "image"),
        ("made.bmp", bmp(10, 7), "image/bmp", "image"),
        ("made.wav", wav(500, 330.0), "audio/wav", "audio"),
        ("tone.flac", fixture("tone.flac"), "audio/flac", "audio"),
        ("tone.mp3", fixture("tone.mp3"), "audio/mpeg", "audio"),
        ("tone.ogg", fixture("tone.ogg"), "audio/ogg", "audio"),
        ("tone.aac", fixture("tone.aac"), "audio/aac", "audio"),
        ("tone.m4a", fixture("tone.m4a"), "audio/mp4", "audio"),
    ];
    let files: Vec<_> = known.iter().map(|(name, bytes, ..)| (*name, *name, bytes.clone())).collect();
    let added = api.add_files(Some(&json!({"collection": "types"})), &files).await;
    assert_eq!(added["document"]["status"], "ready", "{added}");
    for (part, (name, bytes, media_type, modality)) in list(&added, "/document/parts").iter().zip(&known) {
        assert_eq!((&part["media_type"], &part["modality"]), (&json!(media_type), &json!(modality)), "{name}");
        assert_eq!((&part["status"], &part["size_bytes"]), (&json!("ready"), &json!(bytes.len())), "{name}");
        assert!(part["segments"].as_u64().unwrap() > 0, "{name}");
        let fact = match *modality {
            "text" => "characters",
            "image" => "width_px",
            _ => "duration_ms",
        };
        assert!(part["facts"][fact].as_u64().unwrap() > 0, "{name}: {part}");
        let filter = json!({"must": [{"key": "media_type", "match": {"value": media_type}}]});
        let hits = api.search(&json!({"inputs": [{"text": "anything"}], "filter": filter, "group_by": "none"})).await;
        let hits = list(&hits, "/hits");
        assert!(!hits.is_empty(), "{name} is not found");
        assert!(hits.iter().all(|hit| hit["segment"]["part"]["media_type"] == *media_type), "{name}");
    }
}

async fn a_bad_part_fails_alone(server: Arc<Server>) {
    let api = server.tenant("bad-part");
    let whole = png(64, 64, 4);
    let files = [
        ("a", "good.txt", b"the walrus sleeps".to_vec()),
        ("b", "cut.png", whole[..whole.len() / 2].to_vec()),
        ("c", "paper.pdf", b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n".to_vec()),
        ("d", "good.wav", wav(400, 220.0)),
    ];
    let added = api.add_files(None, &files).await;
    assert_eq!(added["document"]["status"], "partial");
    let results = list(&added, "/job/parts");
    let codes: Vec<_> = results.iter().map(|part| part["error"]["code"].as_str().unwrap_or("fine")).collect();
    assert_eq!(codes, ["fine", "file_truncated", "media_type_unsupported", "fine"]);
    assert_eq!(results[1]["name"], "cut.png");
    assert_eq!(results[1]["segments"], 0);
    for (part, result) in list(&added, "/document/parts").iter().zip(results) {
        assert_eq!(part["error"], result["error"]);
        assert_eq!(part["status"] == "failed", !result["error"].is_null());
    }
    assert_eq!(api.with_word("walrus").await, [id(&added["document"])]);
}

async fn only_bad_parts_are_refused(server: Arc<Server>) {
    let api = server.tenant("all-bad");
    let files =
        [("a", "empty.txt", Vec::new()), ("b", "page.html", b"<!doctype html><html><body>x</body></html>".to_vec())];
    let answer = api.post_form("/v1/documents", None, &files).await;
    let problem = answer.problem(422, "file_empty");
    let pointers: Vec<_> = list(&problem, "/errors").iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/parts/0", "/parts/1"]);
    assert!(problem["detail"].as_str().unwrap().contains("empty.txt"), "{problem}");
    assert!(list(&api.read("/v1/documents").await, "/documents").is_empty());
    assert!(list(&api.read("/v1/jobs").await, "/jobs").is_empty());
    assert_eq!(server.stored_blobs("all-bad"), 0);
}

async fn an_external_id_replaces(server: Arc<Server>) {
    let api = server.tenant("upsert");
    let first = json!({"external_id": "a-7", "title": "Old", "tags": ["old"], "metadata": {"n": 1}, "parts": [{"text": "the zanzibar ferry"}, {"text": "second part"}]});
    let second = json!({"external_id": "a-7", "title": "New", "tags": ["new"], "metadata": {"m": 2}, "parts": [{"text": "the quokka smiles"}]});
    let document = id(&api.add(&first).await["document"]);
    let replaced = api.add(&second).await;
    assert_eq!(id(&replaced["document"]), document);
    let now = api.read(&format!("/v1/documents/{document}")).await;
    assert_eq!(now["version"], 2);
    for member in ["title", "tags", "metadata"] {
        assert_eq!(now[member], second[member], "{member}");
    }
    assert_eq!(list(&now, "/parts").len(), 1);
    assert_eq!(api.with_word("zanzibar").await, [""; 0]);
    assert_eq!(api.with_word("quokka").await, std::slice::from_ref(&document));
    assert_eq!(segments(&api, &document).await.len(), 1);
    let listed = api.all("/v1/documents?external_id=a-7", "documents", 10).await;
    assert_eq!(listed.len(), 1);
    let elsewhere = json!({"collection": "other", "external_id": "a-7", "parts": [{"text": "another collection"}]});
    assert_ne!(id(&api.add(&elsewhere).await["document"]), document, "an external id belongs to its collection");
    eventually("the old bytes are swept", async || (server.stored_blobs("upsert") == 2).then_some(())).await;
}

async fn lists_have_filters_and_pages(server: Arc<Server>) {
    let api = server.tenant("lists");
    let mut added = Vec::new();
    for n in 0..12 {
        let tags = if n % 2 == 0 { json!(["even"]) } else { json!(["odd"]) };
        let document = json!({"collection": "many", "external_id": format!("n{n}"), "tags": tags, "metadata": {"n": n}, "parts": [{"text": format!("number {n}")}]});
        added.push(id(&api.add(&document).await["document"]));
    }
    api.add_text("few", "elsewhere").await;
    added.reverse();
    let ids = |documents: Vec<Value>| documents.iter().map(id).collect::<Vec<_>>();
    for page_size in [1, 5, 12, 500] {
        let found = api.all("/v1/documents?collection=many", "documents", page_size).await;
        assert!(found.iter().all(|document| document.get("parts").is_none()));
        assert_eq!(ids(found), added, "newest first, pages of {page_size}");
    }
    assert_eq!(api.all("/v1/documents", "documents", 50).await.len(), 13);
    for (filter, count) in [
        (json!({"must": [{"key": "tags", "match": {"value": "even"}}]}), 6),
        (
            json!({"must": [{"key": "metadata.n", "range": {"gte": 3, "lt": 7}}], "must_not": [{"key": "tags", "match": {"value": "odd"}}]}),
            2,
        ),
        (
            json!({"should": [{"key": "external_id", "match": {"any": ["n1", "n2"]}}, {"key": "metadata.n", "match": {"value": 11}}]}),
            3,
        ),
        (json!({"must": [{"key": "metadata.n", "exists": false}]}), 1),
        (json!({"must": [{"key": "modality", "match": {"value": "image"}}]}), 0),
        (json!({"must": [{"key": "created_at", "range": {"gte": "2020-01-01T00:00:00Z"}}]}), 13),
    ] {
        let request = api.request(Method::GET, "/v1/documents").query(&[("filter", filter.to_string())]);
        let found = api.send(request).await.expect(200);
        assert_eq!(list(&found, "/documents").len(), count, "{filter}");
    }
}

async fn patches_reach_the_index(server: Arc<Server>) {
    let api = server.tenant("patches");
    let document = json!({"title": "Grey evening", "tags": ["old"], "metadata": {"keep": 1, "drop": 2}, "parts": [{"text": "a walk by the river"}]});
    let document = id(&api.add(&document).await["document"]);
    api.add_text("default", "something else").await;
    let path = format!("/v1/documents/{document}");
    let patched = api
        .patch(
            &path,
            &json!({"title": "Xylophone evening", "tags": ["new", "walk"], "metadata": {"drop": null, "add": 3}}),
        )
        .await;
    assert_eq!(patched.expect(202)["job"]["state"], "succeeded");
    let now = api.read(&path).await;
    assert_eq!(now["title"], "Xylophone evening");
    assert_eq!((&now["tags"], &now["metadata"]), (&json!(["new", "walk"]), &json!({"keep": 1, "add": 3})));
    for (key, value, found) in [
        ("tags", json!("new"), true),
        ("tags", json!("old"), false),
        ("metadata.add", json!(3), true),
        ("metadata.drop", json!(2), false),
    ] {
        let query =
            json!({"inputs": [{"text": "river"}], "filter": {"must": [{"key": key, "match": {"value": value}}]}});
        let expected = if found { vec![document.clone()] } else { Vec::new() };
        assert_eq!(document_ids(&api.search(&query).await), expected, "{key} {value}");
    }
    assert_eq!(api.with_word("xylophone").await, std::slice::from_ref(&document));
    assert_eq!(api.with_word("grey").await, [""; 0]);
    let cleared = api.patch(&path, &json!({"title": null})).await.expect(202);
    assert!(cleared["document"]["title"].is_null());
    api.patch(&path, &json!({"titel": "x"})).await.problem(422, "invalid");
    assert_eq!(
        api.patch(&path, &json!({"tags": [""]})).await.problem(422, "invalid")["errors"][0]["pointer"],
        "/tags/0"
    );
}

async fn deleted_is_gone(server: Arc<Server>) {
    let api = server.tenant("deletes");
    let added = api.add(&json!({"parts": [{"text": "the ibex climbs"}, {"base64": base64(&png(30, 30, 9))}]})).await;
    let (document, part) = (id(&added["document"]), id(&added["document"]["parts"][1]));
    let stays = api.add_text("default", "the ibex stays").await;
    let answer = api.send(api.request(Method::DELETE, &format!("/v1/documents/{document}"))).await;
    let job = id(&answer.expect(202));
    assert_eq!(answer.header("location"), format!("/v1/jobs/{job}"));
    assert_eq!(api.with_word("ibex").await, [stays], "not found any more at once");
    for path in [
        format!("/v1/documents/{document}"),
        format!("/v1/documents/{document}/segments"),
        format!("/v1/parts/{part}"),
        format!("/v1/parts/{part}/content"),
        format!("/v1/parts/{part}/thumbnail"),
    ] {
        api.get(&path).await.problem(404, "not_found");
    }
    let again = api.delete(&format!("/v1/documents/{document}")).await;
    if again.status != 404 {
        assert_eq!(id(&again.expect(202)), job, "while the job runs it is the answer");
    }
    let waiting = api.request(Method::GET, &format!("/v1/jobs/{job}")).header("prefer", "wait=60");
    assert_eq!(api.send(waiting).await.expect(200)["state"], "succeeded");
    api.delete(&format!("/v1/documents/{document}")).await.problem(404, "not_found");
    assert_eq!(api.all("/v1/documents", "documents", 10).await.len(), 1);
    eventually("the bytes are swept", async || (server.stored_blobs("deletes") == 1).then_some(())).await;
}

async fn a_shared_blob_stays_until_its_last_owner_goes(server: Arc<Server>) {
    let api = server.tenant("shared");
    let document = json!({"parts": [{"text": "two own the same words"}]});
    let (first, second) = (api.add(&document).await, api.add(&document).await);
    assert_eq!(server.stored_blobs("shared"), 1);
    assert_eq!(
        api.delete(&format!("/v1/documents/{}", id(&first["document"]))).await.expect(202)["state"],
        "succeeded"
    );
    let content = format!("/v1/parts/{}/content", id(&second["document"]["parts"][0]));
    assert_eq!(api.get(&content).await.text(), "two own the same words");
    api.delete(&format!("/v1/documents/{}", id(&second["document"]))).await.expect(202);
    eventually("the bytes are swept", async || (server.stored_blobs("shared") == 0).then_some(())).await;
    // The same bytes come back.
    let third = api.add(&document).await;
    let content = format!("/v1/parts/{}/content", id(&third["document"]["parts"][0]));
    assert_eq!(api.get(&content).await.text(), "two own the same words");
}

async fn an_idempotency_key_repeats_the_answer(server: Arc<Server>) {
    let api = server.tenant("idempotent");
    let document = json!({"parts": [{"text": "only once"}]});
    let send = async |path: &str, body: &Value, key: &str| {
        api.send(api.request(Method::POST, path).header("idempotency-key", key).header("prefer", "wait=60").json(body))
            .await
    };
    let first = send("/v1/documents", &document, "k-1").await;
    let again = send("/v1/documents", &document, "k-1").await;
    assert_eq!((first.expect(202), first.header("location")), (again.expect(202), again.header("location")));
    send("/v1/documents", &json!({"parts": [{"text": "other words"}]}), "k-1")
        .await
        .problem(422, "idempotency_mismatch");
    send("/v1/documents", &document, "").await.problem(422, "invalid");
    assert_eq!(api.all("/v1/documents", "documents", 10).await.len(), 1);
    send("/v1/documents", &document, "k-2").await.expect(202);
    assert_eq!(api.all("/v1/documents", "documents", 10).await.len(), 2);
    // A refused request leaves the key free.
    send("/v1/documents", &json!({"parts": [{"text": " "}]}), "k-3").await.problem(422, "file_empty");
    send("/v1/documents", &document, "k-3").await.expect(202);
    // Another tenant's key is another key.
    let other = server.tenant("idempotent-2");
    let request = other
        .request(Method::POST, "/v1/documents")
        .header("idempotency-key", "k-1")
        .json(&json!({"parts": [{"text": "theirs"}]}));
    assert_eq!(other.send(request).await.status, 202);
    let made = send("/v1/collections", &json!({"name": "once"}), "c-1").await;
    assert_eq!(made.expect(201), send("/v1/collections", &json!({"name": "once"}), "c-1").await.expect(201));
}

async fn a_repeated_request_joins_the_first_one(server: Arc<Server>) {
    let api = server.tenant("joined");
    let document = json!({"parts": [{"text": "asked for by several at once"}]});
    let ask = || api.request(Method::POST, "/v1/documents").header("idempotency-key", "same").json(&document);
    let answers = futures::future::join_all((0..8).map(|_| api.send(ask()))).await;
    for answer in &answers {
        assert!(answer.status == 202 || answer.status == 409, "{} {}", answer.status, answer.text());
    }
    let [found] = &api.all("/v1/documents", "documents", 10).await[..] else { panic!("more than one document") };
    let again = api.send(ask()).await;
    assert_eq!(again.expect(202)["document"]["id"], found["id"]);
    for answer in answers.iter().filter(|answer| answer.status == 202) {
        assert_eq!(answer.expect(202)["document"]["id"], found["id"]);
    }
}

async fn known_bytes_are_neither_stored_nor_encoded_again(server: Arc<Server>) {
    let api = server.tenant("known");
    let document = json!({"parts": [{"text": "seen before"}, {"base64": base64(&png(50, 40, 7))}, {"base64": base64(&wav(5000, 500.0))}]});
    let first = api.add(&document).await;
    let progress = &first["job"]["progress"];
    assert_eq!(progress["reused"], 0);
    assert_eq!(server.stored_blobs("known"), 3);
    let second = api.add(&document).await;
    assert_eq!(second["job"]["progress"]["reused"], progress["segments"]);
    assert_ne!(id(&first["document"]), id(&second["document"]));
    assert_eq!(server.stored_blobs("known"), 3);
    assert_eq!(api.with_word("seen").await.len(), 2);
}

async fn content_has_ranges_and_etags(server: Arc<Server>) {
    let api = server.tenant("content");
    let bytes = wav(700, 600.0);
    let added = api.add_files(None, &[("a", "töne \"1\".wav", bytes.clone())]).await;
    let part = &added["document"]["parts"][0];
    let path = part["content_url"].as_str().unwrap();
    let whole = api.get(path).await;
    assert_eq!((whole.status, &whole.body[..]), (200, &bytes[..]));
    assert_eq!((whole.header("content-type"), whole.header("accept-ranges")), ("audio/wav", "bytes"));
    assert_eq!(whole.header("x-content-type-options"), "nosniff");
    assert!(whole.header("content-security-policy").contains("sandbox"));
    let etag = whole.header("etag").to_owned();
    assert_eq!(etag, format!("\"{}\"", part["sha256"].as_str().unwrap()));
    let with = async |headers: &[(&str, &str)]| {
        let request =
            headers.iter().fold(api.request(Method::GET, path), |request, (name, value)| request.header(*name, *value));
        api.send(request).await
    };
    let size = bytes.len();
    let tail = format!("bytes={}-", size - 3);
    for (range, expected) in [
        ("bytes=0-9", 0..10),
        ("bytes=100-149", 100..150),
        ("bytes=-7", size - 7..size),
        (&tail, size - 3..size),
        ("bytes=10-99999999", 10..size),
    ] {
        let answer = with(&[("range", range)]).await;
        assert_eq!((answer.status, &answer.body[..]), (206, &bytes[expected.clone()]), "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {}-{}/{size}", expected.start, expected.end - 1));
        assert_eq!(answer.header("etag"), etag);
    }
    let outside = with(&[("range", "bytes=99999999-")]).await;
    outside.problem(416, "range_not_satisfiable");
    assert_eq!(outside.header("content-range"), format!("bytes */{size}"));
    let unchanged = with(&[("if-none-match", &etag)]).await;
    assert_eq!((unchanged.status, unchanged.body.len(), unchanged.header("etag")), (304, 0, etag.as_str()));
    assert_eq!(with(&[("if-none-match", "\"other\"")]).await.status, 200);
    assert_eq!(with(&[("if-range", "\"other\""), ("range", "bytes=0-9")]).await.status, 200);
    assert_eq!(with(&[("if-range", &etag), ("range", "bytes=0-9")]).await.status, 206);
    api.get("/v1/parts/prt_00000000000070008000000000000000/content").await.problem(404, "not_found");
}

async fn thumbnails_are_small_pictures(server: Arc<Server>) {
    let api = server.tenant("thumbnails");
    let files = [
        ("a", "wide.png", png(600, 300, 5)),
        ("b", "dog.svg", sample("drawings/dog.svg")),
        ("c", "t.txt", b"words".to_vec()),
        ("d", "turned.jpg", fixture("turned.jpg")),
    ];
    let added = api.add_files(None, &files).await;
    let parts = list(&added, "/document/parts");
    let url = |part: usize, query: &str| format!("/v1/parts/{}/thumbnail{query}", id(&parts[part]));
    for (part, query, width, height) in [
        (0, "", 256, 128),
        (0, "?size=64", 64, 32),
        (0, "?size=100&region=0,0,300,300", 100, 100),
        (1, "?size=128", 128, 128),
    ] {
        let answer = api.get(&url(part, query)).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        let kind = media::sniff(&answer.body, None).unwrap();
        assert_eq!(answer.header("content-type"), kind.as_str());
        let picture = media::decode_image(&answer.body, kind, &media::Limits::default()).unwrap();
        assert_eq!((picture.width_px, picture.height_px), (width, height), "{query}");
        let etag = answer.header("etag").to_owned();
        let again = api.send(api.request(Method::GET, &url(part, query)).header("if-none-match", etag)).await;
        assert_eq!(again.status, 304);
    }
    let upright = api.get(&url(3, "?size=64")).await;
    assert_eq!(upright.header("content-type"), "image/jpeg");
    api.get(&url(2, "")).await.problem(404, "not_found");
    for wrong in ["?size=0", "?size=5000", "?region=1,2,3", "?size=x", "?colour=red"] {
        api.get(&url(0, wrong)).await.problem(422, "invalid");
    }
}

async fn sounds_have_peaks_and_windows(server: Arc<Server>) {
    let api = server.tenant("sounds");
    let added = api.add_files(None, &[("a", "long.wav", wav(10_000, 440.0)), ("b", "t.txt", b"words".to_vec())]).await;
    let parts = list(&added, "/document/parts");
    assert_eq!(parts[0]["facts"], json!({"duration_ms": 10_000, "sample_rate_hz": 16_000}));
    let peaks = api.read(&format!("/v1/parts/{}/peaks?buckets=50", id(&parts[0]))).await;
    assert_eq!(peaks["duration_ms"], 10_000);
    let pairs = list(&peaks, "/peaks");
    assert_eq!(pairs.len(), 50);
    for pair in pairs {
        let (low, high) = (pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap());
        assert!((-0.4..-0.3).contains(&low) && (0.3..0.4).contains(&high), "{pair}");
    }
    let default = api.read(&format!("/v1/parts/{}/peaks", id(&parts[0]))).await;
    assert_eq!(list(&default, "/peaks").len(), 400);
    api.get(&format!("/v1/parts/{}/peaks?buckets=0", id(&parts[0]))).await.problem(422, "invalid");
    api.get(&format!("/v1/parts/{}/peaks", id(&parts[1]))).await.problem(404, "not_found");
    let windows: Vec<_> = segments(&api, &id(&added["document"]))
        .await
        .into_iter()
        .filter(|segment| segment["kind"] == "window")
        .collect();
    let mut reached = 0;
    for window in &windows {
        assert_eq!(window["place"]["kind"], "time");
        let (start, end) = (window["place"]["start_ms"].as_u64().unwrap(), window["place"]["end_ms"].as_u64().unwrap());
        assert!(start <= reached && start < end && end <= 10_000, "no gaps: {windows:?}");
        reached = end;
    }
    assert_eq!(reached, 10_000);
    assert!(windows.len() >= 4, "windows overlap: {windows:?}");
}

async fn segments_know_their_places(server: Arc<Server>) {
    let api = server.tenant("segments");
    let text = (1..=6).fold("# Täglich\n\n".to_owned(), |text, n| {
        format!("{text}## Chapter {n}\n\n{}\n\n", format!("Sentence about the Größe of number {n} 🚲. ").repeat(12))
    });
    let added = api.add_files(None, &[("a", "long.md", text.clone().into_bytes())]).await;
    let document = id(&added["document"]);
    let all = segments(&api, &document).await;
    assert!(all.len() >= 6, "{} segments", all.len());
    let chars: Vec<char> = text.chars().collect();
    let mut headings = BTreeSet::new();
    for (ordinal, segment) in all.iter().enumerate() {
        assert_eq!((&segment["kind"], &segment["modality"]), (&json!("chunk"), &json!("text")));
        assert_eq!(segment["ordinal"], ordinal);
        let place = &segment["place"];
        assert_eq!(place["kind"], "characters");
        let (start, end) =
            (place["start_char"].as_u64().unwrap() as usize, place["end_char"].as_u64().unwrap() as usize);
        let words: String = chars[start..end].iter().collect();
        // The text is without Markdown's marks; the place is in the source.
        let plain =
            |text: &str| text.split_whitespace().filter(|word| !word.trim_matches('#').is_empty()).collect::<String>();
        assert_eq!(plain(segment["text"].as_str().unwrap()), plain(&words));
        headings.extend(place["heading"].as_str().map(str::to_owned));
    }
    for n in 1..=6 {
        assert!(headings.iter().any(|heading| heading.contains(&format!("Chapter {n}"))), "{headings:?}");
    }
    for page_size in [1, 4] {
        assert_eq!(api.all(&format!("/v1/documents/{document}/segments"), "segments", page_size).await, all);
    }
    assert_eq!(parts(&api, &document).await[0]["segments"], all.len());
}

async fn large_pictures_are_tiled(server: Arc<Server>) {
    let api = server.tenant("tiles");
    let added = api.add_files(None, &[("a", "large.png", png(1300, 700, 6))]).await;
    let all = segments(&api, &id(&added["document"])).await;
    assert_eq!(all[0]["kind"], "image");
    assert_eq!(all[0]["place"], json!({"kind": "whole"}));
    assert!(all.len() > 2, "{all:?}");
    for tile in &all[1..] {
        assert_eq!((&tile["kind"], &tile["place"]["kind"]), (&json!("tile"), &json!("region")));
        let number = |name: &str| tile["place"][name].as_u64().unwrap();
        assert!(number("x_px") + number("width_px") <= 1300 && number("y_px") + number("height_px") <= 700, "{tile}");
    }
}
