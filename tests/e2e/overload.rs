//! More searches than may be answered at once: each is answered or told when to come back, and afterwards all is as before.

use futures::future::join_all;
use serde_json::json;

use crate::metrics::value;
use crate::server::{Server, eventually};

#[tokio::test]
async fn too_many_searches_are_told_when_to_come_back() {
    let settings = [("search.max_running", "1"), ("search.max_waiting", "2")];
    let server = Server::start_with(&settings).await;
    let api = server.owner();
    api.add_text("default", "a lighthouse above the harbour").await;
    let ask = async |number: usize| {
        let text = format!("ships that pass buoy {number} at night");
        api.post("/v1/search", &json!({"inputs": [{"text": text}]})).await
    };
    let answers = join_all((0..40).map(ask)).await;
    let (taken, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert!(taken.len() >= 3, "one runs and two wait: {} were taken", taken.len());
    assert!(!refused.is_empty(), "none was refused");
    for answer in &refused {
        let problem = answer.problem(429, "overloaded");
        assert!(problem["detail"].as_str().unwrap().contains("search.max_waiting"), "{problem}");
        assert!((1..=60).contains(&answer.header("retry-after").parse::<u64>().unwrap()));
    }

    let text = eventually("no search is left", async || {
        let text = api.get("/metrics").await.text();
        (value(&text, "sensorium_searches_running ") == 0).then_some(text)
    })
    .await;
    assert_eq!(value(&text, "sensorium_searches_waiting "), 0);
    assert_eq!(value(&text, "sensorium_searches_refused_total "), refused.len() as u64);
    assert_eq!(ask(40).await.status, 200);
}
