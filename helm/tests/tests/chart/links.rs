//! What objects say about each other.

use std::collections::BTreeSet;

use sensorium_chart::{Object, Rendered};
use serde_json::Value as Json;

use crate::pods::{Pod, component, is_hook, labels, pods};
use crate::rendered::{all, named, of_kind, render, text, texts, values};

/// The one deployment whose pods `selector` takes; more than one, or a job's, is a fault.
fn selected<'a>(pods: &'a [Pod<'a>], object: &Object, selector: &str) -> &'a Pod<'a> {
    let wanted = labels(object, selector);
    let found: Vec<_> = pods.iter().filter(|pod| pod.has(&wanted)).collect();
    assert_eq!(found.len(), 1, "{} {} selects {wanted:?}", object.kind, object.name);
    found[0]
}

fn ports(pod: &Pod) -> Vec<String> {
    pod.main().ports.iter().flatten().filter_map(|port| port.name.clone()).collect()
}

#[test]
fn names_are_given_once() {
    for (file, rendered) in all() {
        let names: BTreeSet<_> = rendered.objects.iter().map(|object| (&object.kind, &object.name)).collect();
        assert_eq!(names.len(), rendered.objects.len(), "{file}: {names:?}");
        assert!(rendered.notes.contains("sensorium token"), "{}", rendered.notes);
    }
}

#[test]
fn deployments_select_their_own_pods_and_no_others() {
    for (file, rendered) in all() {
        let pods = pods(&rendered);
        let components: BTreeSet<_> = of_kind(&rendered, "Deployment").map(component).collect();
        assert_eq!(components, ["api", "worker"].into(), "{file}");
        for deployment in of_kind(&rendered, "Deployment") {
            let own = selected(&pods, deployment, "/spec/selector/matchLabels");
            assert_eq!(own.owner.name, deployment.name, "{file}");
        }
    }
}

#[test]
fn services_lead_to_ports_that_are_there() {
    for (file, rendered) in all() {
        let pods = pods(&rendered);
        for service in of_kind(&rendered, "Service") {
            let pod = selected(&pods, service, "/spec/selector");
            assert_eq!(component(pod.owner), component(service), "{file}");
            let port = text(&service.json, "/spec/ports/0/targetPort");
            assert!(ports(pod).iter().any(|name| name == port), "{file}: {port}");
        }
        for ingress in of_kind(&rendered, "Ingress") {
            let backend = "/spec/rules/0/http/paths/0/backend/service";
            let service = named(&rendered, "Service", text(&ingress.json, &format!("{backend}/name"))).unwrap();
            assert_eq!(component(service), "api");
            let port = text(&ingress.json, &format!("{backend}/port/name"));
            assert_eq!(port, text(&service.json, "/spec/ports/0/name"));
        }
    }
}

#[test]
fn what_scales_and_what_protects_is_of_a_deployment() {
    let mut seen = BTreeSet::new();
    for (file, rendered) in all() {
        let pods = pods(&rendered);
        let mut scaled = BTreeSet::new();
        for scaler in of_kind(&rendered, "HorizontalPodAutoscaler") {
            let target = text(&scaler.json, "/spec/scaleTargetRef/name");
            assert!(named(&rendered, text(&scaler.json, "/spec/scaleTargetRef/kind"), target).is_some(), "{file}");
            let bounds = ["minReplicas", "maxReplicas"].map(|bound| scaler.json["spec"][bound].as_u64().unwrap());
            assert!(bounds[0] <= bounds[1]);
            scaled.insert(target.to_owned());
            seen.insert(scaler.kind.clone());
        }
        for deployment in of_kind(&rendered, "Deployment") {
            // A number here would undo what the scaler has done, at every upgrade.
            let counted = deployment.json["spec"]["replicas"].is_number();
            assert_eq!(counted, !scaled.contains(&deployment.name), "{file}: {}", deployment.name);
        }
        for budget in of_kind(&rendered, "PodDisruptionBudget") {
            let pod = selected(&pods, budget, "/spec/selector/matchLabels");
            assert_eq!(pod.owner.name, budget.name, "{file}");
            seen.insert(budget.kind.clone());
        }
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn the_monitor_finds_both_services_and_names_a_token() {
    let rendered = render("full");
    let monitor = of_kind(&rendered, "ServiceMonitor").next().unwrap();
    let wanted = labels(monitor, "/spec/selector/matchLabels");
    for service in of_kind(&rendered, "Service") {
        let own = labels(service, "/metadata/labels");
        assert!(wanted.iter().all(|(key, value)| own.get(key) == Some(value)), "{}", service.name);
        assert_eq!(text(&monitor.json, "/spec/endpoints/0/port"), text(&service.json, "/spec/ports/0/name"));
    }
    assert_eq!(of_kind(&rendered, "Service").count(), 2);
    assert_eq!(text(&monitor.json, "/spec/endpoints/0/path"), "/metrics");
    let token = monitor.json.pointer("/spec/endpoints/0/authorization/credentials").unwrap();
    assert_eq!((token["name"].as_str(), token["key"].as_str()), (Some("sensorium-metrics"), Some("token")));
}

/// Kind, name and key of everything that a pod takes from elsewhere.
fn taken(pod: &Pod) -> Vec<(&'static str, String, Option<String>)> {
    let mut taken = Vec::new();
    for container in pod.containers() {
        for source in container.env_from.iter().flatten() {
            taken.extend(source.config_map_ref.iter().map(|map| ("ConfigMap", map.name.clone(), None)));
            taken.extend(source.secret_ref.iter().map(|secret| ("Secret", secret.name.clone(), None)));
        }
        let from = container.env.iter().flatten().filter_map(|variable| variable.value_from.as_ref());
        let keys = from.filter_map(|from| from.secret_key_ref.as_ref());
        taken.extend(keys.map(|key| ("Secret", key.name.clone(), Some(key.key.clone()))));
    }
    for volume in pod.spec.volumes.iter().flatten() {
        let claim = volume.persistent_volume_claim.iter().map(|claim| claim.claim_name.clone());
        taken.extend(claim.map(|name| ("PersistentVolumeClaim", name, None)));
        let secret = volume.secret.iter().filter_map(|secret| secret.secret_name.clone());
        taken.extend(secret.map(|name| ("Secret", name, None)));
    }
    let account = pod.spec.service_account_name.iter().filter(|name| *name != "default");
    taken.extend(account.map(|name| ("ServiceAccount", name.clone(), None)));
    let pull = pod.spec.image_pull_secrets.iter().flatten();
    taken.extend(pull.map(|secret| ("Secret", secret.name.clone(), None)));
    taken
}

fn keys(object: &Object) -> Vec<&String> {
    let data = ["data", "stringData"].into_iter().filter_map(|part| object.json[part].as_object());
    data.flat_map(|data| data.keys()).collect()
}

#[test]
fn what_pods_take_is_there_or_named_in_the_values() {
    for (file, rendered) in all() {
        let given = values(&file);
        let given: BTreeSet<_> = texts(&given).into_iter().collect();
        for pod in pods(&rendered) {
            for (kind, name, key) in taken(&pod) {
                let Some(object) = named(&rendered, kind, &name) else {
                    assert!(given.contains(name.as_str()), "{file}: {} takes {kind} {name}", pod.owner.name);
                    continue;
                };
                assert!(key.is_none_or(|key| keys(object).contains(&&key)), "{file}: a key of {name}");
                // Hooks come before everything else, and see only one another.
                assert!(!is_hook(pod.owner) || is_hook(object), "{file}: {} takes {name}", pod.owner.name);
            }
        }
    }
}

#[test]
fn nothing_secret_stands_outside_secrets() {
    for (file, rendered) in all() {
        let secrets: Vec<String> =
            of_kind(&rendered, "Secret").flat_map(|secret| labels(secret, "/stringData").into_values()).collect();
        for object in rendered.objects.iter().filter(|object| object.kind != "Secret") {
            let said = texts(&object.json);
            assert!(!secrets.iter().any(|secret| said.contains(&secret.as_str())), "{file}: {}", object.name);
        }
        assert_eq!(secrets.is_empty(), file == "existing-secrets", "{file}");
    }
}

#[test]
fn migrations_come_first_and_once() {
    for (file, rendered) in all() {
        let jobs: Vec<_> = of_kind(&rendered, "Job").collect();
        assert_eq!(jobs.len(), usize::from(file != "gpu-worker"), "{file}");
        for job in jobs {
            assert!(is_hook(job), "{file}");
            assert_eq!(job.json.pointer("/spec/template/spec/containers/0/args"), Some(&Json::from(vec!["migrate"])));
        }
        assert_hooks_are_removed(&rendered);
    }
}

fn assert_hooks_are_removed(rendered: &Rendered) {
    for hook in rendered.objects.iter().filter(|object| is_hook(object)) {
        let policy = text(&hook.json, "/metadata/annotations/helm.sh~1hook-delete-policy");
        assert_eq!(policy, "before-hook-creation,hook-succeeded", "{}", hook.name);
    }
}
