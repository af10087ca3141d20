//! What pods get as settings is read as the server reads it.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Container;
use sensorium::config::{Config, Role, load};
use sensorium_chart::Rendered;
use serde_json::json;

use crate::pods::{component, environment, pods};
use crate::rendered::{all, chart, named, render, values};

/// What a Secret that operators have made may hold.
fn elsewhere(variable: &str) -> String {
    match variable {
        "SENSORIUM__CATALOG__URL" => "postgresql://app:pass@postgres-rw:5432/app".to_owned(),
        _ => "0123456789abcdef0123456789abcdef".to_owned(),
    }
}

fn config(rendered: &Rendered, container: &Container) -> Result<Config, String> {
    let variables: BTreeMap<_, _> = environment(rendered, container, elsewhere);
    let args: Vec<_> = container.args.iter().flatten().map(String::as_str).collect();
    let listen = args.windows(2).find(|pair| pair[0] == "--listen").map(|pair| ("server.listen", pair[1].to_owned()));
    load(None, variables.into_iter(), listen.into_iter().collect()).map_err(|error| error.to_string())
}

#[test]
fn every_container_has_a_valid_configuration() {
    for (file, rendered) in all() {
        for pod in pods(&rendered) {
            for container in pod.containers() {
                let config = config(&rendered, container)
                    .unwrap_or_else(|error| panic!("{file}: {} of {}: {error}", container.name, pod.owner.name));
                let role = match (pod.owner.kind.as_str(), container.name.as_str()) {
                    ("Deployment", "api") => Role::Api,
                    ("Deployment", "worker") => Role::Worker,
                    _ => Role::All,
                };
                assert_eq!(config.server.role, role, "{file}: {}", container.name);
                let port = container.ports.iter().flatten().next().map(|port| port.container_port);
                let listens = port.is_some_and(|port| i32::from(config.server.listen.port()) == port);
                assert!(listens == (role != Role::All) && (!listens || config.server.listen.ip().is_unspecified()));
            }
        }
    }
}

#[test]
fn values_arrive_as_they_were_written() {
    let rendered = render("full");
    let pods = pods(&rendered);
    let api = pods.iter().find(|pod| component(pod.owner) == "api").unwrap();
    let config = config(&rendered, api.main()).unwrap();
    assert_eq!(config.server.max_body_bytes, 1 << 30);
    assert_eq!(config.server.max_body_memory_bytes, 1 << 32);
    assert_eq!(config.server.cors_origins, ["https://app.example.com", "https://admin.example.com"]);
    assert_eq!(config.auth.hs256_secret, "a \"quoted\" secret: with # and {} of 48 bytes ....");
    assert_eq!(config.catalog.url, "postgres://sensorium:a%22b#c: d@postgres:5432/sensorium?sslmode=require");
    assert_eq!(config.index.api_key, "1234567890");
    assert!(config.index.vectors_on_disk);
    assert!((config.search.lexical_weight - 0.5).abs() < 1e-6);
    assert_eq!(config.log.filter, "info,sensorium=debug");
    assert_eq!((config.blobs.access_key_id.as_str(), config.blobs.region.as_str()), ("AKIAEXAMPLE", "us-east-1"));
    let migrate = pods.iter().find(|pod| pod.owner.kind == "Job").unwrap();
    let migrate = self::config(&rendered, migrate.main()).unwrap();
    assert_eq!((migrate.catalog.url, migrate.catalog.statement_timeout_ms), (config.catalog.url, 120_000));
}

#[test]
fn an_option_that_does_not_exist_is_found() {
    for (over, told) in [
        (json!({"config": {"search": {"depht": 3}}}), "SENSORIUM__SEARCH__DEPHT: no option search.depht"),
        (json!({"config": {"jobs": {"workers": "many"}}}), "SENSORIUM__JOBS__WORKERS"),
        (json!({"secrets": {"index": {"apikey": {"value": "x"}}}}), "no option index.apikey"),
        (json!({"secrets": {"auth": {"hs256_secret": {"value": "short"}}}}), "at least 32 bytes"),
    ] {
        let mut values = values("minimal");
        sensorium_chart::merge(&mut values, &over);
        let rendered = chart().render("library", &values).unwrap();
        let error = config(&rendered, pods(&rendered)[0].main()).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn pods_have_time_to_end() {
    for (file, rendered) in all() {
        for pod in pods(&rendered).into_iter().filter(|pod| pod.owner.kind == "Deployment") {
            let config = config(&rendered, pod.main()).unwrap();
            let command = pod.main().lifecycle.clone().unwrap().pre_stop.unwrap().exec.unwrap().command.unwrap();
            let waits: u64 = command[1].parse().unwrap();
            let drains = Duration::from_millis(config.server.shutdown_deadline_ms) + Duration::from_secs(waits);
            let has = pod.spec.termination_grace_period_seconds.unwrap().unsigned_abs();
            assert!(Duration::from_secs(has) >= drains + Duration::from_secs(5), "{file}: {has} s");
        }
    }
}

#[test]
fn a_change_of_settings_makes_new_pods() {
    let sums = |over| {
        let mut values = values("minimal");
        sensorium_chart::merge(&mut values, &over);
        let rendered = chart().render("library", &values).unwrap();
        let deployment = named(&rendered, "Deployment", "library-sensorium-worker").unwrap();
        let annotations = &deployment.json["spec"]["template"]["metadata"]["annotations"];
        ["checksum/config", "checksum/secrets"].map(|key| annotations[key].as_str().unwrap().to_owned())
    };
    let before = sums(json!({"service": {"port": 81}}));
    assert_eq!(before, sums(json!({})));
    let config = sums(json!({"config": {"jobs": {"workers": 2}}}));
    assert!(config[0] != before[0] && config[1] == before[1]);
    let secret = sums(json!({"secrets": {"index": {"api_key": {"value": "k"}}}}));
    assert!(secret[0] == before[0] && secret[1] != before[1]);
}
