//! What is missing or wrong in the values is told, and how.

use sensorium_chart::merge;
use serde_json::{Value as Json, json};

use crate::rendered::{chart, values};

fn told(over: &Json) -> String {
    let mut values = values("minimal");
    merge(&mut values, over);
    chart().render("library", &values).unwrap_err().to_string()
}

#[test]
fn nothing_works_without_what_has_to_be_set() {
    let error = chart().render("library", &json!({})).unwrap_err().to_string();
    assert!(error.contains("secrets.catalog.url: set value or existingSecret"), "{error}");
    for (over, part) in [
        (json!({"secrets": {"catalog": {"url": {"value": ""}}}}), "secrets.catalog.url"),
        (json!({"config": {"index": {"url": ""}}}), "config.index.url: set the address"),
        (json!({"config": {"blobs": {"url": null}}}), "config.blobs.url: set the bucket"),
        (json!({"secrets": {"auth": {"hs256_secret": {"value": ""}}}}), "secrets.auth.hs256_secret: set value"),
        (json!({"ingress": {"enabled": true}}), "ingress.hosts: name at least one host"),
        (json!({"serviceMonitor": {"enabled": true}}), "serviceMonitor.tokenSecret.name: name the Secret"),
    ] {
        let told = told(&over);
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn an_issuer_of_tokens_takes_the_place_of_the_secret() {
    let mut values = values("minimal");
    let issuer = json!({"jwks_url": "https://login.example.com/keys", "audience": "sensorium"});
    merge(&mut values, &json!({"secrets": {"auth": {"hs256_secret": {"value": ""}}}, "config": {"auth": issuer}}));
    chart().render("library", &values).unwrap();
}

#[test]
fn values_of_a_wrong_form_do_not_become_objects() {
    for (over, part) in [
        (json!({"service": {"type": 3}}), "Service \"library-sensorium\""),
        (json!({"worker": {"nodeSelector": {"gpu": true}}}), "Deployment \"library-sensorium-worker\""),
        (json!({"api": {"resources": {"requets": {"cpu": "1"}}}}), "/resources/requets"),
        (json!({"worker": {"tolerations": [{"keey": "gpu"}]}}), "/tolerations/0/keey"),
        (json!({"extraEnv": [{"name": "A", "vaule": "b"}]}), "/env/"),
    ] {
        let told = told(&over);
        assert!(told.contains(part), "{told}");
    }
}

#[test]
fn long_and_odd_names_stay_names() {
    let long = "a-release-whose-name-is-as-long-as-helm-lets-it-be-53";
    for release in [long, "123", "sensorium", "library"] {
        let rendered = chart().render(release, &values("full")).unwrap();
        for object in &rendered.objects {
            assert!(object.name.len() <= 63 && !object.name.contains("--"), "{}", object.name);
        }
    }
    let alone = chart().render("sensorium", &values("minimal")).unwrap();
    assert!(alone.objects.iter().any(|object| object.name == "sensorium-worker"), "not sensorium-sensorium");
}
