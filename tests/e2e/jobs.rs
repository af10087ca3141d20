//! Background work can be followed and stopped.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use crate::cases::cases;
use crate::client::{Api, id, list};
use crate::media::{base64, png, wav};
use crate::server::{Server, eventually};

#[tokio::test]
async fn jobs() {
    cases!(Arc::new(Server::start_with(&[("jobs.workers", "1")]).await);
        a_job_is_followed_to_its_end,
        events_tell_every_change,
        queued_jobs_are_cancelled,
        another_tenant_has_no_such_job,
    );
}

/// More documents with large parts than may be worked on at once, small ones between them: all have their turn.
#[tokio::test]
async fn large_parts_take_turns() {
    let server = Server::start_with(&[("jobs.media_workers", "1"), ("jobs.workers", "8")]).await;
    let api = server.tenant("turns");
    let mut jobs = Vec::new();
    for number in 0..4 {
        let name = format!("large-{number}");
        jobs.push(enqueue(&api, &long_work(&name)).await);
        jobs.push(enqueue(&api, &json!({"parts": [{"text": format!("small {number}")}]})).await);
    }
    for accepted in jobs {
        let job = end_of(&api, &id(&accepted["job"])).await;
        assert_eq!(job["state"], "succeeded", "{job}");
    }
}

const FINAL: [&str; 3] = ["succeeded", "failed", "cancelled"];

/// A document that keeps the worker busy for a while.
fn long_work(name: &str) -> Value {
    let sound = base64(&wav(60_000, 300.0 + name.len() as f64));
    json!({"title": name, "parts": [{"text": name}, {"base64": sound}, {"base64": base64(&png(1300, 1300, name.len() as u8))}]})
}

async fn enqueue(api: &Api, document: &Value) -> Value {
    api.post("/v1/documents", document).await.expect(202)
}

async fn end_of(api: &Api, job: &str) -> Value {
    eventually("the job ends", async || {
        let request = api.request(Method::GET, &format!("/v1/jobs/{job}")).header("prefer", "wait=30");
        let job = api.send(request).await.expect(200);
        FINAL.contains(&job["state"].as_str().unwrap()).then_some(job)
    })
    .await
}

/// An event of a stream: its id and the job.
fn events(text: &str) -> Vec<(u64, Value)> {
    let blocks = text.split("\n\n").filter(|block| block.contains("data:"));
    let field = |block: &str, name: &str| {
        block.lines().find_map(|line| line.strip_prefix(name)).map(|rest| rest.trim().to_owned())
    };
    blocks
        .map(|block| {
            assert_eq!(field(block, "event:").as_deref(), Some("job"));
            (
                field(block, "id:").unwrap().parse().unwrap(),
                serde_json::from_str(&field(block, "data:").unwrap()).unwrap(),
            )
        })
        .collect()
}

async fn a_job_is_followed_to_its_end(server: Arc<Server>) {
    let api = server.tenant("followed");
    let accepted = enqueue(&api, &json!({"parts": [{"text": "followed"}]})).await;
    let (job, document) = (id(&accepted["job"]), id(&accepted["document"]));
    assert_eq!((&accepted["job"]["kind"], &accepted["job"]["document"]), (&json!("ingest"), &json!(document)));
    let ended = end_of(&api, &job).await;
    assert_eq!((&ended["state"], &ended["attempts"], &ended["error"]), (&json!("succeeded"), &json!(1), &Value::Null));
    assert_eq!(ended["progress"], json!({"stage": "done", "done": 1, "total": 1, "segments": 1, "reused": 0}));
    assert_eq!(list(&ended, "/parts")[0]["segments"], 1);
    assert!(
        ended["created_at"].as_str() <= ended["started_at"].as_str()
            && ended["started_at"].as_str() <= ended["finished_at"].as_str()
    );
    assert_eq!(api.read(&format!("/v1/documents/{document}")).await["status"], "ready");
    for (query, count) in [("?state=succeeded", 1), ("?state=queued", 0), ("?state=failed", 0), ("", 1)] {
        assert_eq!(api.all(&format!("/v1/jobs{query}"), "jobs", 10).await.len(), count, "{query}");
    }
    let deleted = api.delete(&format!("/v1/documents/{document}")).await.expect(202);
    assert_eq!(deleted["kind"], "delete");
    let kinds: Vec<_> =
        api.all("/v1/jobs", "jobs", 1).await.iter().map(|job| job["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["delete", "ingest"], "newest first");
    api.post(&format!("/v1/jobs/{job}/cancel"), &json!({})).await.problem(409, "conflict");
}

async fn events_tell_every_change(server: Arc<Server>) {
    let api = server.tenant("events");
    let job = id(&enqueue(&api, &long_work("events")).await["job"]);
    let path = format!("/v1/jobs/{job}/events");
    let stream = api.get(&path).await;
    assert_eq!((stream.status, stream.header("content-type")), (200, "text/event-stream"));
    let seen = events(&stream.text());
    assert!(seen.is_sorted_by(|a, b| a.0 < b.0), "ids ascend");
    assert!(seen.iter().all(|(number, job)| job["revision"] == *number));
    let states: Vec<_> = seen.iter().map(|(_, job)| job["state"].as_str().unwrap()).collect();
    assert_eq!(*states.last().unwrap(), "succeeded");
    assert!(states[..states.len() - 1].iter().all(|state| !FINAL.contains(state)), "{states:?}");
    assert!(seen.len() >= 2, "{states:?}");
    let later = async |last: u64| {
        events(&api.send(api.request(Method::GET, &path).header("last-event-id", last.to_string())).await.text())
    };
    let end = seen.last().unwrap();
    let resumed = later(seen[0].0).await;
    assert_eq!(resumed.last().unwrap().0, end.0);
    assert!(resumed.iter().all(|(number, _)| *number > seen[0].0));
    assert!(later(end.0).await.is_empty());
    assert_eq!(events(&api.get(&path).await.text()).len(), 1, "of an ended job only the end is told");
}

async fn queued_jobs_are_cancelled(server: Arc<Server>) {
    let api = server.tenant("cancelled");
    enqueue(&api, &long_work("keeps the worker busy")).await;
    enqueue(&api, &long_work("keeps it busier")).await;
    let queued = enqueue(&api, &json!({"external_id": "q", "parts": [{"text": "a capybara in the queue"}]})).await;
    let job = id(&queued["job"]);
    let cancelled = api.post(&format!("/v1/jobs/{job}/cancel"), &json!({})).await.expect(200);
    assert_eq!(cancelled["cancel_requested"], true);
    let ended = end_of(&api, &job).await;
    assert_eq!((&ended["state"], &ended["attempts"]), (&json!("cancelled"), &json!(0)));
    assert_eq!(api.with_word("capybara").await, [""; 0]);
    api.post(&format!("/v1/jobs/{job}/cancel"), &json!({})).await.problem(409, "conflict");
    assert_eq!(api.all("/v1/jobs?state=cancelled", "jobs", 10).await.len(), 1);
    // The same document can be added again.
    let again = enqueue(&api, &json!({"external_id": "q", "parts": [{"text": "a capybara at last"}]})).await;
    assert_eq!(end_of(&api, &id(&again["job"])).await["state"], "succeeded");
    assert_eq!(api.with_word("capybara").await, [id(&again["document"])]);
}

async fn another_tenant_has_no_such_job(server: Arc<Server>) {
    let job = id(&enqueue(&server.tenant("job-owner"), &json!({"parts": [{"text": "mine"}]})).await["job"]);
    let other = server.tenant("job-stranger");
    for path in [format!("/v1/jobs/{job}"), format!("/v1/jobs/{job}/events")] {
        other.get(&path).await.problem(404, "not_found");
    }
    other.post(&format!("/v1/jobs/{job}/cancel"), &json!({})).await.problem(404, "not_found");
    assert_eq!(end_of(&server.tenant("job-owner"), &job).await["state"], "succeeded");
}
