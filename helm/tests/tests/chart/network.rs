//! Who may talk to whom.

use serde_json::{Value as Json, json};

use crate::pods::{component, labels, pods};
use crate::rendered::{of_kind, render};

#[test]
fn each_policy_is_of_one_component() {
    for file in ["full", "gpu-worker"] {
        let rendered = render(file);
        let pods = pods(&rendered);
        let policies: Vec<_> = of_kind(&rendered, "NetworkPolicy").collect();
        assert_eq!(policies.len(), 2, "{file}");
        for policy in policies {
            let wanted = labels(policy, "/spec/podSelector/matchLabels");
            let found: Vec<_> = pods.iter().filter(|pod| pod.has(&wanted)).map(|pod| component(pod.owner)).collect();
            assert_eq!(found, [component(policy)], "{file}");
            assert_eq!(policy.json["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
        }
    }
    assert_eq!(of_kind(&render("minimal"), "NetworkPolicy").count(), 0);
}

fn ingress(file: &str, part: &str) -> Json {
    let rendered = render(file);
    let policy = of_kind(&rendered, "NetworkPolicy").find(|policy| component(policy) == part).unwrap();
    policy.json["spec"]["ingress"].clone()
}

#[test]
fn a_worker_is_reached_by_nobody_but_the_monitor() {
    assert_eq!(ingress("gpu-worker", "worker"), Json::Null);
    let monitors = ingress("full", "worker");
    assert_eq!(monitors.as_array().unwrap().len(), 1);
    assert!(monitors[0]["from"][0]["namespaceSelector"].is_object(), "{monitors}");
}

#[test]
fn the_api_is_open_until_clients_are_named() {
    let open = ingress("gpu-worker", "api");
    assert_eq!(open, json!([{"ports": [{"port": "http"}]}]));
    let named = ingress("full", "api");
    assert_eq!(named.as_array().unwrap().len(), 2, "clients and monitors");
    assert!(named.as_array().unwrap().iter().all(|rule| rule["from"][0]["namespaceSelector"].is_object()));
}

#[test]
fn names_and_the_stores_can_be_reached() {
    let rendered = render("full");
    for policy in of_kind(&rendered, "NetworkPolicy") {
        let egress = &policy.json["spec"]["egress"];
        let ports: Vec<_> = egress[0]["ports"].as_array().unwrap().iter().map(|port| port["port"].as_u64()).collect();
        assert_eq!(ports, [53, 53, 5432, 6334, 9000, 443].map(Some));
        assert_eq!(egress[1]["ports"][0]["port"], 4317);
    }
}
