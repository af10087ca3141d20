//! The document tells of every route, and of no other.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use serde_json::Value;

use crate::cases::cases;
use crate::server::{Server, root, run};

#[tokio::test]
async fn openapi() {
    cases!(Arc::new(Server::start().await);
        the_document_and_the_routes_agree,
        operations_are_complete,
        the_committed_document_is_what_the_program_prints,
        the_documentation_needs_no_network,
    );
}

/// The routes of `src/router.rs`, as `METHOD path`.
fn routes() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("src/router.rs")).unwrap();
    let table = text.split(".fallback(").next().unwrap();
    let mut found = BTreeSet::new();
    for route in table.split(".route(").skip(1) {
        let path = route.split('"').nth(1).unwrap();
        for method in ["get", "post", "put", "patch", "delete"] {
            let methods = route.split('"').nth(2).unwrap();
            let called = methods
                .match_indices(&format!("{method}("))
                .any(|(at, _)| !methods[..at].ends_with(|c: char| c.is_alphanumeric() || c == ':' || c == '_'));
            if called {
                found.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    found
}

fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, methods)| {
        methods
            .as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    });
    each.collect()
}

async fn the_document_and_the_routes_agree(server: Arc<Server>) {
    let document = server.stranger().read("/openapi.json").await;
    let told: BTreeSet<String> = operations(&document).into_iter().map(|(name, _)| name).collect();
    let routed: BTreeSet<String> = routes()
        .into_iter()
        .filter(|name| name.contains(" /v1/") || name.ends_with('z') || name.ends_with("/metrics"))
        .collect();
    assert!(routed.len() >= 25, "{routed:?}");
    assert_eq!(told, routed);
}

async fn operations_are_complete(server: Arc<Server>) {
    let document = server.stranger().read("/openapi.json").await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut names = BTreeSet::new();
    for (name, operation) in operations(&document) {
        let operation_id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{name} has no id"));
        assert!(names.insert(operation_id), "{operation_id} is there twice");
        assert!(!operation["summary"].as_str().unwrap_or_default().is_empty(), "{name} has no summary");
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name}");
        if name.contains(" /v1/") {
            for status in ["400", "401", "403", "404", "413", "415", "422", "429", "500", "503"] {
                let content = &operation["responses"][status]["content"]["application/problem+json"];
                assert!(
                    content["schema"]["$ref"].as_str().is_some_and(|schema| schema.ends_with("/Problem")),
                    "{name}: {status}"
                );
            }
        }
        if let Some(body) = operation.pointer("/requestBody/content/application~1json/schema") {
            let schema =
                body["$ref"].as_str().map_or(body, |place| document.pointer(place.trim_start_matches('#')).unwrap());
            assert!(schema.get("example").is_some() || schema.get("examples").is_some(), "{name} has no example");
        }
    }
    let text = document.to_string();
    for place in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(place).is_some(), "{place} leads nowhere");
    }
}

async fn the_committed_document_is_what_the_program_prints(server: Arc<Server>) {
    let printed = run(&["openapi"]).await;
    assert!(printed.status.success());
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(server.stranger().get("/openapi.json").await.text(), printed);
    if let Ok(committed) = fs::read_to_string(root().join("openapi/openapi.json")) {
        assert!(committed == printed, "openapi/openapi.json is not what the code says; run: make openapi");
    }
}

async fn the_documentation_needs_no_network(server: Arc<Server>) {
    let stranger = server.stranger();
    let page = stranger.get("/docs").await.text();
    for file in page.split(['"', '\'']).filter(|text| matches!(text.rsplit_once('.'), Some((_, "js" | "css")))) {
        assert!(!file.contains("//"), "{file}");
        assert_eq!(stranger.get(&format!("/docs/{}", file.trim_start_matches("./"))).await.status, 200, "{file}");
    }
    assert!(page.contains(".js"), "{page}");
    let dashboard = stranger.get("/").await;
    assert!(dashboard.header("content-security-policy").contains("script-src 'self'"));
}
