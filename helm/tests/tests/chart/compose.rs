//! `compose.yaml`.

use std::fs;

use sensorium::config::load;
use sensorium_chart::read_yaml;
use serde_json::{Map, Value as Json};

use crate::rendered::{root, text};

fn services() -> (Map<String, Json>, Json) {
    let text = fs::read_to_string(root().join("compose.yaml")).unwrap();
    let whole = read_yaml("compose.yaml", &text).unwrap().remove(0);
    (whole["services"].as_object().unwrap().clone(), whole)
}

/// `${NAME:?what to do}` as Compose replaces it.
fn replaced(text: &str) -> String {
    let Some((before, rest)) = text.split_once("${") else { return text.to_owned() };
    let (inside, after) = rest.split_once('}').unwrap();
    let (name, advice) = inside.split_once(":?").unwrap_or_else(|| panic!("{inside} may be left out"));
    assert!(advice.contains("openssl rand"), "{name} does not say how it is made");
    format!("{before}{}{}", "0123456789abcdef".repeat(4), replaced(after))
}

#[test]
fn the_server_gets_a_valid_configuration() {
    let (services, _) = services();
    let variables = services["sensorium"]["environment"].as_object().unwrap().clone();
    let variables = variables.into_iter().map(|(name, value)| (name, replaced(value.as_str().unwrap())));
    // As the image's command says.
    let config = load(None, variables, vec![("server.listen", "0.0.0.0:8080".to_owned())]).unwrap();
    assert!(config.catalog.url.starts_with("postgres://sensorium:0123"), "{}", config.catalog.url);
    assert_eq!(config.index.url, "http://qdrant:6334");
}

#[test]
fn services_wait_for_services_that_are_there_and_can_tell() {
    let (services, _) = services();
    let waits = services["sensorium"]["depends_on"].as_object().unwrap();
    assert_eq!(waits.keys().collect::<Vec<_>>(), ["postgres", "qdrant"]);
    for (name, how) in waits {
        assert_eq!(how["condition"], "service_healthy");
        assert!(services[name]["healthcheck"]["test"].is_array(), "{name}");
    }
}

#[test]
fn what_is_kept_is_a_volume_and_only_this_machine_can_ask() {
    let (services, whole) = services();
    for (name, service) in &services {
        for mount in service["volumes"].as_array().unwrap() {
            let volume = mount.as_str().unwrap().split_once(':').unwrap().0;
            assert!(whole["volumes"].get(volume).is_some(), "{name}: {volume}");
        }
        for port in service.get("ports").and_then(Json::as_array).into_iter().flatten() {
            assert!(port.as_str().unwrap().starts_with("127.0.0.1:"), "{name}: {port}");
        }
    }
    let grace: u64 = text(&services["sensorium"], "/stop_grace_period").trim_end_matches('s').parse().unwrap();
    assert!(grace > 20, "server.shutdown_deadline_ms");
}
