//! Many documents in one request.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::cases::cases;
use crate::client::{Answer, Api, id, list};
use crate::media::{base64, png};
use crate::server::Server;

const BATCH: &str = "/v1/documents/batch";

#[tokio::test]
async fn batches() {
    cases!(Arc::new(Server::start().await);
        many_documents_come_at_once,
        a_form_brings_the_files,
        one_that_is_refused_does_not_keep_the_others_back,
        nothing_but_refused_documents_are_a_problem,
        the_batch_itself_is_checked,
        a_repeated_batch_adds_nothing,
        what_a_batch_added_is_in_the_audit_log,
    );
}

/// Posts a batch that waits for its jobs.
async fn post(api: &Api, documents: &Value) -> Answer {
    let request = api.request(Method::POST, BATCH).header("prefer", "wait=60");
    api.send(request.json(&json!({"documents": documents}))).await
}

fn statuses(answer: &Value) -> Vec<u64> {
    list(answer, "/results").iter().map(|result| result["status"].as_u64().unwrap()).collect()
}

async fn many_documents_come_at_once(server: Arc<Server>) {
    let api = server.tenant("batch");
    let documents: Vec<_> = (0..100)
        .map(|n| json!({"external_id": format!("n-{n}"), "title": format!("Number {n}"), "parts": [{"text": format!("word{n} of a batch")}]}))
        .collect();
    let answer = post(&api, &json!(documents)).await.expect(202);
    assert_eq!((&answer["accepted"], &answer["refused"]), (&json!(100), &json!(0)));
    for (n, result) in list(&answer, "/results").iter().enumerate() {
        assert_eq!((&result["status"], &result["job"]["state"]), (&json!(202), &json!("succeeded")), "{result}");
        assert_eq!(result["document"]["external_id"], format!("n-{n}"));
        assert_eq!(result["document"]["parts"][0]["status"], "ready");
        assert!(result.get("problem").is_none(), "{result}");
    }
    assert_eq!(api.with_word("word41").await, [id(&answer["results"][41]["document"])]);
    let again = post(&api, &json!([documents[7]])).await.expect(202);
    assert_eq!(again["results"][0]["document"]["version"], 2);
    assert_eq!(again["results"][0]["document"]["id"], answer["results"][7]["document"]["id"]);
}

async fn a_form_brings_the_files(server: Arc<Server>) {
    let api = server.tenant("batch-form");
    let batch = json!({"documents": [
        {"external_id": "a", "parts": [{"file": "one"}, {"text": "beside it"}]},
        {"external_id": "b", "parts": [{"file": "two", "name": "second.png"}, {"file": "one"}]},
    ]});
    let files = [("one", "first.png", png(20, 10, 1)), ("two", "x.png", png(30, 10, 2))];
    let answer = api.post_form(BATCH, Some(("batch", &batch)), &files).await.expect(202);
    let names: Vec<_> = list(&answer, "/results")
        .iter()
        .flat_map(|result| list(result, "/document/parts").iter().map(|part| part["name"].clone()))
        .collect();
    assert_eq!(names, [json!("first.png"), Value::Null, json!("second.png"), json!("first.png")]);
    let unnamed = [("one", "first.png", png(20, 10, 1)), ("three", "x.png", png(30, 10, 2))];
    let problem = api.post_form(BATCH, Some(("batch", &batch)), &unnamed).await.problem(422, "invalid");
    assert!(problem["detail"].as_str().unwrap().contains("\"three\""), "{problem}");
}

async fn one_that_is_refused_does_not_keep_the_others_back(server: Arc<Server>) {
    let api = server.tenant("batch-mixed");
    let documents = json!([
        {"external_id": "a", "parts": [{"text": "kept"}]},
        {"external_id": "a", "parts": [{"text": "twice"}]},
        {"parts": [{"base64": base64(b"\x00\x01 no file")}]},
        {"tags": [""], "parts": [{"text": "a tag of nothing"}]},
        {"parts": []},
        {"collection": "other", "external_id": "a", "parts": [{"text": "elsewhere"}]},
    ]);
    let answer = post(&api, &documents).await.expect(202);
    assert_eq!(statuses(&answer), [202, 422, 415, 422, 422, 202]);
    assert_eq!((&answer["accepted"], &answer["refused"]), (&json!(2), &json!(4)));
    let pointers: Vec<_> =
        (1..5).map(|n| answer["results"][n]["problem"]["errors"][0]["pointer"].as_str().unwrap()).collect();
    let places = ["/documents/1/external_id", "/documents/2/parts/0", "/documents/3/tags/0", "/documents/4/parts"];
    assert_eq!(pointers, places);
    for result in list(&answer, "/results").iter().filter(|result| result["status"] != 202) {
        assert_eq!(result["problem"]["status"], result["status"]);
        assert!(result.get("document").is_none() && result.get("job").is_none(), "{result}");
    }
    assert_eq!(list(&api.read("/v1/documents").await, "/documents").len(), 2);
}

async fn nothing_but_refused_documents_are_a_problem(server: Arc<Server>) {
    let api = server.tenant("batch-refused");
    let documents = json!([{"parts": []}, {"tags": [""], "parts": [{"text": "x"}]}]);
    let problem = post(&api, &documents).await.problem(422, "invalid");
    assert!(problem["detail"].as_str().unwrap().starts_with("none of the 2 documents"), "{problem}");
    let pointers: Vec<_> = list(&problem, "/errors").iter().map(|error| error["pointer"].clone()).collect();
    assert_eq!(pointers, ["/documents/0/parts", "/documents/1/tags/0"]);
}

async fn the_batch_itself_is_checked(server: Arc<Server>) {
    let api = server.tenant("batch-checked");
    let document = json!({"parts": [{"text": "a"}]});
    for (body, place) in [
        (json!({}), "/documents"),
        (json!({"documents": []}), "/documents"),
        (json!({"documents": vec![document.clone(); 101]}), "/documents"),
        (json!({"documents": [document, {"titel": "x"}]}), "/documents/1/titel"),
    ] {
        let problem = api.post(BATCH, &body).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], place, "{problem}");
    }
    assert!(list(&api.read("/v1/documents").await, "/documents").is_empty());
}

async fn a_repeated_batch_adds_nothing(server: Arc<Server>) {
    let api = server.tenant("batch-repeated");
    let send = async |documents: &Value| {
        let request = api.request(Method::POST, BATCH).header("idempotency-key", "k").header("prefer", "wait=60");
        api.send(request.json(&json!({"documents": documents}))).await.expect(202)
    };
    let (one, two) = (json!({"parts": [{"text": "one"}]}), json!({"parts": [{"text": "two"}]}));
    let first = send(&json!([one, {"parts": []}])).await;
    assert_eq!(statuses(&first), [202, 422]);
    let second = send(&json!([one, two])).await;
    assert_eq!(statuses(&second), [202, 202], "the one that was refused is added now");
    assert_eq!(second["results"][0]["document"], first["results"][0]["document"]);
    let third = send(&json!([two, two])).await;
    assert_eq!(statuses(&third), [422, 202]);
    assert_eq!(third["results"][0]["problem"]["code"], "idempotency_mismatch");
    assert_eq!(list(&api.read("/v1/documents").await, "/documents").len(), 2);
}

async fn what_a_batch_added_is_in_the_audit_log(server: Arc<Server>) {
    let admin = server.with_scopes("batch-audit", "admin");
    let answer =
        post(&admin, &json!([{"parts": [{"text": "one"}]}, {"parts": []}, {"parts": [{"text": "two"}]}])).await;
    let answer = answer.expect(202);
    let entries = admin.all("/v1/audit", "entries", 10).await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!((&entries[0]["action"], &entries[0]["subject"]), (&json!(format!("POST {BATCH}")), &json!(BATCH)));
    let jobs: Vec<_> = [0, 2].iter().map(|n| format!("/v1/jobs/{}", id(&answer["results"][*n]["job"]))).collect();
    assert_eq!(entries[0]["detail"], json!({"jobs": jobs}));
}
