//! Every refusal is a problem with the right status, code and place, and the server lives on.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::cases::cases;
use crate::client::{Answer, Api, list};
use crate::media::{base64, png, png_bomb, wav};
use crate::server::Server;

const MAX_BODY: &str = "200000";

#[tokio::test]
async fn errors() {
    let settings =
        [("server.max_body_bytes", MAX_BODY), ("ingest.max_duration_ms", "3000"), ("ingest.max_text_bytes", "20000")];
    cases!(Arc::new(Server::start_with(&settings).await);
        wrong_bodies,
        wrong_values,
        wrong_query_parameters,
        wrong_addresses_and_methods,
        too_large_bodies,
        wrong_content_types,
        bad_files,
        wrong_files_in_searches,
        a_type_is_told_from_the_content,
        every_fault_is_told_at_once,
        a_request_id_is_kept,
        the_server_lives_on,
    );
}

/// Every member must be there; if `pointer` is given, one of the errors must stand there.
#[track_caller]
fn check(what: &str, answer: &Answer, status: u16, code: &str, pointer: Option<&str>) -> Value {
    println!("{what}");
    let problem = answer.problem(status, code);
    if let Some(pointer) = pointer {
        let errors = list(&problem, "/errors");
        assert!(errors.iter().any(|error| error["pointer"] == pointer), "{what}: nothing at {pointer} in {problem}");
        assert!(errors.iter().all(|error| !error["detail"].as_str().unwrap().is_empty()), "{what}: {problem}");
    }
    problem
}

async fn post_raw(api: &Api, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
    api.send(api.request(Method::POST, path).header("content-type", content_type).body(body)).await
}

async fn wrong_bodies(server: Arc<Server>) {
    let api = server.tenant("bodies");
    let deep = format!("{{\"inputs\": [{{\"text\": {}", "[".repeat(5000));
    let deep_value =
        format!("{{\"filter\": {{\"must\": [{{\"key\": \"tags\", \"match\": {{\"value\": {}", "[".repeat(5000));
    let table = [
        ("cut off", "{\"inputs\": [", 400, "malformed", None),
        ("nothing", "", 400, "malformed", None),
        ("not JSON", "inputs=x", 400, "malformed", None),
        ("two values", "{\"inputs\": [{\"text\": \"a\"}]} {}", 400, "malformed", None),
        ("not a number", "{\"inputs\": [{\"text\": \"a\", \"weight\": NaN}]}", 400, "malformed", None),
        ("wrong and deep", &deep, 422, "invalid", Some("/inputs/0/text")),
        ("too deep", &deep_value, 400, "malformed", None),
        ("a list", "[]", 422, "invalid", None),
        ("a wrong type", "{\"inputs\": \"x\"}", 422, "invalid", Some("/inputs")),
        ("a wrong type inside", "{\"inputs\": [{\"text\": 5}]}", 422, "invalid", Some("/inputs/0/text")),
        ("an unknown field", "{\"inputz\": []}", 422, "invalid", Some("/inputz")),
        ("an unknown field inside", "{\"inputs\": [{\"txt\": \"a\"}]}", 422, "invalid", Some("/inputs/0/txt")),
        (
            "an unknown choice",
            "{\"inputs\": [{\"text\": \"a\"}], \"fusion\": {\"mode\": \"soon\"}}",
            422,
            "invalid",
            Some("/fusion/mode"),
        ),
        ("a negative size", "{\"inputs\": [{\"text\": \"a\"}], \"page_size\": -1}", 422, "invalid", Some("/page_size")),
        (
            "a wrong name",
            "{\"inputs\": [{\"text\": \"a\"}], \"collection\": \"a b\"}",
            422,
            "invalid",
            Some("/collection"),
        ),
    ];
    for (what, body, status, code, pointer) in table {
        let answer = post_raw(&api, "/v1/search", "application/json", body.to_owned()).await;
        let problem = check(what, &answer, status, code, pointer);
        assert_eq!(problem["instance"], "/v1/search");
    }
}

async fn wrong_values(server: Arc<Server>) {
    let api = server.tenant("values");
    let long = "x".repeat(1001);
    let search = |change: Value| {
        let mut body = json!({"inputs": [{"text": "a"}]});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        ("/v1/search", body)
    };
    let table = [
        (search(json!({"inputs": []})), "/inputs"),
        (search(json!({"inputs": [{"text": " "}]})), "/inputs/0/text"),
        (search(json!({"inputs": [{}]})), "/inputs/0"),
        (search(json!({"inputs": [{"text": "a", "segment": "seg_00000000000070008000000000000000"}]})), "/inputs/0"),
        (search(json!({"inputs": [{"text": "a"}, {"text": "b", "weight": 0}]})), "/inputs/1/weight"),
        (search(json!({"inputs": [{"text": "a", "weight": 11}]})), "/inputs/0/weight"),
        (search(json!({"inputs": [{"image": {"base64": "%%%"}}]})), "/inputs/0/image"),
        (search(json!({"inputs": [{"document": "doc_1"}]})), "/inputs/0/document"),
        (search(json!({"inputs": vec![json!({"text": "a"}); 17]})), "/inputs"),
        (search(json!({"page_size": 0})), "/page_size"),
        (search(json!({"page_size": 201})), "/page_size"),
        (search(json!({"segments_per_group": 0})), "/segments_per_group"),
        (search(json!({"depth": 0})), "/depth"),
        (search(json!({"min_confidence": 1.5})), "/min_confidence"),
        (search(json!({"fusion": {"k": 0}})), "/fusion/k"),
        (search(json!({"targets": ["smell"]})), "/targets/0"),
        (search(json!({"spaces": ["nope"]})), "/spaces/0"),
        (search(json!({"collection": "a", "collections": ["b"]})), "/collections"),
        (search(json!({"filter": {"must": [{"key": "nope", "exists": true}]}})), "/filter/must/0/key"),
        (search(json!({"filter": {"should": [{"key": "tags"}]}})), "/filter/should/0"),
        (search(json!({"filter": {"must_not": [{"key": "metadata.n", "range": {}}]}})), "/filter/must_not/0/range"),
        (("/v1/documents", json!({})), "/parts"),
        (("/v1/documents", json!({"parts": []})), "/parts"),
        (("/v1/documents", json!({"parts": [{}]})), "/parts/0"),
        (("/v1/documents", json!({"parts": [{"text": "a", "base64": "YQ=="}]})), "/parts/0"),
        (("/v1/documents", json!({"parts": [{"text": "a"}, {"base64": "not base64!"}]})), "/parts/1/base64"),
        (("/v1/documents", json!({"title": long, "parts": [{"text": "a"}]})), "/title"),
        (("/v1/documents", json!({"external_id": "", "parts": [{"text": "a"}]})), "/external_id"),
        (("/v1/documents", json!({"tags": ["a", ""], "parts": [{"text": "a"}]})), "/tags/1"),
        (("/v1/documents", json!({"tags": vec!["t"; 101], "parts": [{"text": "a"}]})), "/tags"),
        (("/v1/documents", json!({"metadata": {"x": "y".repeat(70_000)}, "parts": [{"text": "a"}]})), "/metadata"),
        (("/v1/documents", json!({"metadata": [], "parts": [{"text": "a"}]})), "/metadata"),
        (("/v1/documents", json!({"collection": "../up", "parts": [{"text": "a"}]})), "/collection"),
        (("/v1/documents", json!({"parts": vec![json!({"text": "a"}); 101]})), "/parts"),
        (("/v1/collections", json!({"name": "a/b"})), "/name"),
        (("/v1/collections", json!({"name": "a", "description": long})), "/description"),
        (("/v1/embeddings", json!({"inputs": []})), "/inputs"),
        (("/v1/embeddings", json!({"inputs": [{"text": ""}]})), "/inputs/0/text"),
    ];
    for ((path, body), pointer) in table {
        let answer = api.post(path, &body).await;
        let what = format!("{path} {pointer}");
        check(&what, &answer, 422, "invalid", Some(pointer));
    }
    assert!(list(&api.read("/v1/documents").await, "/documents").is_empty());
}

async fn wrong_query_parameters(server: Arc<Server>) {
    let api = server.tenant("parameters");
    for path in [
        "/v1/documents?page_size=0",
        "/v1/documents?page_size=501",
        "/v1/documents?page_size=many",
        "/v1/documents?page_token=nonsense",
        "/v1/documents?nope=1",
        "/v1/documents?collection=a%20b",
        "/v1/documents?filter=%7B%22must%22%3A%5B%7B%22key%22%3A%22nope%22%2C%22exists%22%3Atrue%7D%5D%7D",
        "/v1/jobs?state=asleep",
        "/v1/jobs?document=5",
        "/v1/jobs?page_size=0",
        "/v1/collections?page_size=0",
    ] {
        check(path, &api.get(path).await, 422, "invalid", None);
    }
    check("a filter that is not JSON", &api.get("/v1/documents?filter=%7B").await, 400, "malformed", None);
}

async fn wrong_addresses_and_methods(server: Arc<Server>) {
    let api = server.tenant("addresses");
    for path in ["/v1/nope", "/v2/search", "/nope", "/docs/nope.js", "/dashboard/nope.js", "/v1/documents/"] {
        check(path, &api.get(path).await, 404, "route_not_found", None);
    }
    for path in [
        "/v1/documents/nonsense",
        "/v1/documents/doc_00000000000070008000000000000000",
        "/v1/parts/doc_00000000000070008000000000000000",
        "/v1/jobs/%00",
        "/v1/jobs/job_00000000000070008000000000000000",
        "/v1/jobs/job_00000000000070008000000000000000/events",
        "/v1/collections/nothing-here",
        "/v1/collections/a%20b",
    ] {
        check(path, &api.get(path).await, 404, "not_found", None);
    }
    for (method, path) in [
        (Method::GET, "/v1/search"),
        (Method::DELETE, "/v1/documents"),
        (Method::PUT, "/v1/documents/doc_00000000000070008000000000000000"),
        (Method::POST, "/v1/models"),
        (Method::POST, "/livez"),
        (Method::PATCH, "/v1/jobs"),
    ] {
        let answer = api.send(api.request(method.clone(), path)).await;
        check(&format!("{method} {path}"), &answer, 405, "method_not_allowed", None);
        assert!(!answer.header("allow").is_empty(), "{method} {path}: RFC 9110 demands Allow");
    }
}

async fn too_large_bodies(server: Arc<Server>) {
    let api = server.tenant("large");
    let body = json!({"parts": [{"text": "x".repeat(200_000)}]}).to_string();
    let told = check(
        "with a length",
        &post_raw(&api, "/v1/documents", "application/json", body.clone()).await,
        413,
        "too_large",
        None,
    );
    assert!(told["detail"].as_str().unwrap().contains(MAX_BODY), "{told}");
    let pieces = |body: &str| {
        let pieces: Vec<Result<Vec<u8>, std::io::Error>> =
            body.as_bytes().chunks(30_000).map(|piece| Ok(piece.to_vec())).collect();
        reqwest::Body::wrap_stream(futures::stream::iter(pieces))
    };
    check(
        "in pieces",
        &post_raw(&api, "/v1/documents", "application/json", pieces(&body)).await,
        413,
        "too_large",
        None,
    );
    let form =
        format!("--b\r\ncontent-disposition: form-data; name=\"a\"; filename=\"a.txt\"\r\n\r\n{body}\r\n--b--\r\n");
    let kind = "multipart/form-data; boundary=b";
    check("a form", &post_raw(&api, "/v1/documents", kind, form.clone()).await, 413, "too_large", None);
    check("a form in pieces", &post_raw(&api, "/v1/documents", kind, pieces(&form)).await, 413, "too_large", None);
}

async fn wrong_content_types(server: Arc<Server>) {
    let api = server.tenant("content-types");
    let body = "{\"inputs\": [{\"text\": \"a\"}]}";
    for path in ["/v1/search", "/v1/documents", "/v1/collections", "/v1/embeddings"] {
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            check(
                &format!("{path} {kind}"),
                &post_raw(&api, path, kind, body).await,
                415,
                "unsupported_content_type",
                None,
            );
        }
    }
    for kind in ["application/json; charset=utf-8", "Application/JSON"] {
        assert_eq!(post_raw(&api, "/v1/search", kind, body).await.status, 200, "{kind}");
    }
    check("no boundary", &post_raw(&api, "/v1/search", "multipart/form-data", body).await, 400, "malformed", None);
    let cut = "--b\r\ncontent-disposition: form-data; name=\"query\"\r\n\r\n{\"inp";
    check(
        "a form cut off",
        &post_raw(&api, "/v1/search", "multipart/form-data; boundary=b", cut).await,
        400,
        "malformed",
        None,
    );
    let none = "--b\r\ncontent-disposition: form-data; name=\"other\"\r\n\r\n{}\r\n--b--\r\n";
    check(
        "no query",
        &post_raw(&api, "/v1/search", "multipart/form-data; boundary=b", none).await,
        422,
        "invalid",
        Some("/query"),
    );
}

async fn bad_files(server: Arc<Server>) {
    let api = server.tenant("bad-files");
    let whole = png(64, 64, 1);
    let mut lying = wav(300, 400.0);
    lying[20] = 99; // an unknown coding
    let entities = "<!DOCTYPE s [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]><svg xmlns=\"http://www.w3.org/2000/svg\"><text>&b;</text></svg>";
    let uses = (1..24).fold("<g id=\"g0\"><rect width=\"9\" height=\"9\"/></g>".to_owned(), |svg, n| {
        format!("{svg}<g id=\"g{n}\"><use href=\"#g{0}\"/><use href=\"#g{0}\"/></g>", n - 1)
    });
    let bomb = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"><defs>{uses}</defs><use href=\"#g23\"/></svg>"
    );
    let table: [(&str, Vec<u8>, u16, &str); 17] = [
        ("empty.png", Vec::new(), 422, "file_empty"),
        ("blank.txt", b" \n\t ".to_vec(), 422, "file_empty"),
        ("cut.png", whole[..whole.len() - 40].to_vec(), 422, "file_truncated"),
        ("head.png", whole[..20].to_vec(), 422, "file_truncated"),
        ("bomb.png", png_bomb(60_000, 60_000), 413, "image_too_large"),
        ("long.wav", wav(4000, 300.0), 413, "audio_too_long"),
        ("coding.wav", lying, 415, "media_type_unsupported"),
        ("paper.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n".to_vec(), 415, "media_type_unsupported"),
        ("page.html", b"<!DOCTYPE html>\n<html><body>hello</body></html>".to_vec(), 415, "media_type_unsupported"),
        (
            "files.zip",
            b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0a".to_vec(),
            415,
            "media_type_unsupported",
        ),
        ("files.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03abc".to_vec(), 415, "media_type_unsupported"),
        ("noise.bin", (0..999u32).map(|n| ((n * 7919) >> 3) as u8).collect(), 415, "media_type_unknown"),
        ("video.mp4", crate::media::fixture("video.mp4"), 415, "media_type_unsupported"),
        ("opus.ogg", crate::media::fixture("opus.ogg"), 415, "media_type_unsupported"),
        ("long.txt", "words ".repeat(4000).into_bytes(), 413, "text_too_large"),
        ("entities.svg", entities.as_bytes().to_vec(), 422, "file_corrupt"),
        ("uses.svg", bomb.into_bytes(), 413, "image_too_complex"),
    ];
    for (name, bytes, status, code) in table {
        let answer = api.post_form("/v1/documents", None, &[("a", name, bytes)]).await;
        let problem = check(name, &answer, status, code, Some("/parts/0"));
        assert!(problem["detail"].as_str().unwrap().contains(name), "{problem}");
    }
    assert!(list(&api.read("/v1/documents").await, "/documents").is_empty());
}

async fn wrong_files_in_searches(server: Arc<Server>) {
    let api = server.tenant("search-files");
    let sound = base64(&wav(300, 400.0));
    let bomb = base64(&png_bomb(60_000, 60_000));
    let table = [
        (json!({"image": {"base64": sound}}), 415, "wrong_modality", "/image"),
        (json!({"audio": {"base64": base64(&png(8, 8, 1))}}), 415, "wrong_modality", "/audio"),
        (json!({"image": {"base64": base64(b"only words")}}), 415, "wrong_modality", "/image"),
        (json!({"image": {"base64": bomb}}), 413, "image_too_large", "/image"),
        (json!({"image": {"base64": ""}}), 422, "file_empty", "/image"),
    ];
    for (input, status, code, pointer) in table {
        let search = api.post("/v1/search", &json!({"inputs": [{"text": "a"}, input]})).await;
        check("search", &search, status, code, Some(&format!("/inputs/1{pointer}")));
        let embeddings = api.post("/v1/embeddings", &json!({"inputs": [input]})).await;
        check("embeddings", &embeddings, status, code, Some(&format!("/inputs/0{pointer}")));
        let classify = api.post("/v1/classify", &json!({"input": input, "labels": ["a", "b"]})).await;
        check("classify", &classify, status, code, Some(&format!("/input{pointer}")));
        let captions = api.post("/v1/captions", &json!({"input": input})).await;
        check("captions", &captions, status, code, Some(&format!("/input{pointer}")));
    }
}

async fn a_type_is_told_from_the_content(server: Arc<Server>) {
    let api = server.tenant("sniffed");
    let files = [
        ("a", "sound.png", wav(300, 400.0)),
        ("b", "picture.txt", png(16, 16, 1)),
        ("c", "words.wav", b"only words".to_vec()),
        ("d", "words.pdf", b"not a paper".to_vec()),
    ];
    let added = api.add_files(None, &files).await;
    assert_eq!(added["document"]["status"], "ready");
    let types: Vec<_> =
        list(&added, "/document/parts").iter().map(|part| part["media_type"].as_str().unwrap()).collect();
    assert_eq!(types, ["audio/wav", "image/png", "text/plain", "text/plain"]);
}

async fn every_fault_is_told_at_once(server: Arc<Server>) {
    let api = server.tenant("at-once");
    let query = json!({"inputs": [{"text": "a", "weight": 0}, {}], "page_size": 0, "fusion": {"k": 0}, "min_confidence": 7, "filter": {"must": [{"key": "x", "exists": true}]}});
    let problem = check("search", &api.post("/v1/search", &query).await, 422, "invalid", None);
    assert!(list(&problem, "/errors").len() >= 6, "{problem}");
    let document = json!({"title": "x".repeat(2000), "tags": ["", ""], "parts": [{}, {"base64": "!"}]});
    let problem = check("document", &api.post("/v1/documents", &document).await, 422, "invalid", None);
    assert_eq!(list(&problem, "/errors").len(), 5, "{problem}");
}

async fn a_request_id_is_kept(server: Arc<Server>) {
    let api = server.tenant("request-ids");
    let own = api.send(api.request(Method::GET, "/v1/nope").header("x-request-id", "my-request_42")).await;
    assert_eq!(own.problem(404, "route_not_found")["request_id"], "my-request_42");
    let odd = api.send(api.request(Method::GET, "/v1/nope").header("x-request-id", "a b\"c<script>")).await;
    assert!(odd.header("x-request-id").starts_with("req_"), "{:?}", odd.headers);
}

async fn the_server_lives_on(server: Arc<Server>) {
    let api = server.stranger();
    for path in ["/livez", "/readyz"] {
        assert_eq!(api.read(path).await["status"], "ok");
    }
}

#[tokio::test]
async fn a_list_is_no_object() {
    let server = Server::start().await;
    let api = server.tenant("lists");
    for body in ["[null, [], [{\"text\": \"a\"}]]", "{\"inputs\": [[\"a\"]]}"] {
        let answer = post_raw(&api, "/v1/search", "application/json", body).await;
        check(body, &answer, 422, "invalid", None);
    }
}
