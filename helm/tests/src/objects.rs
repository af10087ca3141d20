//! Objects of Kubernetes, read strictly.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::error::ChartError;
use crate::monitor::ServiceMonitor;
use crate::yaml::read_yaml;

/// An object whose every field its kind has.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// All of it.
    pub json: Json,
}

/// Reads the objects of a rendered template. A field that their kinds do not have, or of another type, is an error.
pub fn read_objects(template: &str, text: &str) -> Result<Vec<Object>, ChartError> {
    read_yaml(template, text)?.into_iter().map(|json| read_object(template, json)).collect()
}

fn read_object(template: &str, json: Json) -> Result<Object, ChartError> {
    let text = |pointer: &str| json.pointer(pointer).and_then(Json::as_str).unwrap_or_default().to_owned();
    let (kind, name) = (text("/kind"), text("/metadata/name"));
    let checked = match (text("/apiVersion").as_str(), kind.as_str()) {
        ("v1", "ConfigMap") => strict::<ConfigMap>(&json),
        ("v1", "PersistentVolumeClaim") => strict::<PersistentVolumeClaim>(&json),
        ("v1", "Secret") => strict::<Secret>(&json),
        ("v1", "Service") => strict::<Service>(&json),
        ("v1", "ServiceAccount") => strict::<ServiceAccount>(&json),
        ("apps/v1", "Deployment") => strict::<Deployment>(&json),
        ("autoscaling/v2", "HorizontalPodAutoscaler") => strict::<HorizontalPodAutoscaler>(&json),
        ("batch/v1", "Job") => strict::<Job>(&json),
        ("networking.k8s.io/v1", "Ingress") => strict::<Ingress>(&json),
        ("networking.k8s.io/v1", "NetworkPolicy") => strict::<NetworkPolicy>(&json),
        ("policy/v1", "PodDisruptionBudget") => strict::<PodDisruptionBudget>(&json),
        ("monitoring.coreos.com/v1", "ServiceMonitor") => strict::<ServiceMonitor>(&json),
        (version, kind) => Err(format!("no kind \"{kind}\" of \"{version}\" is known here")),
    };
    let checked = if name.is_empty() { Err("it has no name".to_owned()) } else { checked };
    match checked {
        Ok(()) => Ok(Object { kind, name, json }),
        Err(text) => {
            Err(ChartError::Object { template: template.to_owned(), object: format!("{kind} \"{name}\""), text })
        }
    }
}

/// The types pass over fields that they do not know, and make up those that have to be there. What is not there any
/// more after reading and writing was no field, and what is new was missing.
fn strict<T: DeserializeOwned + Serialize>(json: &Json) -> Result<(), String> {
    let typed: T = serde_json::from_value(json.clone()).map_err(|error| error.to_string())?;
    let again = serde_json::to_value(&typed).map_err(|error| error.to_string())?;
    let mut lost = Vec::new();
    compare(json, &again, "", &mut lost);
    if lost.is_empty() { Ok(()) } else { Err(format!("not of this kind: {}", lost.join(", "))) }
}

fn compare(given: &Json, kept: &Json, place: &str, lost: &mut Vec<String>) {
    match (given, kept) {
        (Json::Object(given), Json::Object(kept)) => {
            for (key, value) in given {
                compare(value, kept.get(key).unwrap_or(&Json::Null), &format!("{place}/{key}"), lost);
            }
            let new = kept.iter().filter(|(key, value)| !given.contains_key(*key) && !value.is_null());
            lost.extend(new.map(|(key, _)| format!("{place}/{key} (missing)")));
        }
        (Json::Array(given), Json::Array(kept)) if given.len() == kept.len() => {
            for (index, (given, kept)) in given.iter().zip(kept).enumerate() {
                compare(given, kept, &format!("{place}/{index}"), lost);
            }
        }
        // A quantity may be written as a number.
        (Json::Number(given), Json::String(kept)) if given.to_string() == *kept => {}
        // Null says nothing, and no template should write it.
        (given, kept) if given != kept || given.is_null() => lost.push(place.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports:\n    - port: 80\n";

    fn told(text: &str) -> String {
        read_objects("t.yaml", text).unwrap_err().to_string()
    }

    #[test]
    fn what_a_kind_has_is_read() {
        let objects = read_objects("t.yaml", &format!("---\n# nothing\n---\n{SERVICE}")).unwrap();
        assert_eq!((objects[0].kind.as_str(), objects[0].name.as_str(), objects.len()), ("Service", "a", 1));
    }

    #[test]
    fn what_it_has_not_is_found() {
        let spoilt = [
            ("- port: 80", "- prot: 80", "/spec/ports/0/prot, /spec/ports/0/port (missing)"),
            ("  ports:", "  selektor: {a: b}\n  ports:", "not of this kind: /spec/selektor"),
            ("- port: 80", "- port: 80\n      targetport: http", "/spec/ports/0/targetport"),
            ("port: 80", "port: \"80\"", "invalid type"),
            ("metadata: {name: a}", "metadata: {name: a, labels: {a: 1}}", "invalid type"),
            ("metadata: {name: a}", "metadata: {name: a, labels: null}", "/metadata/labels"),
            ("kind: Service", "kind: Servise", "no kind \"Servise\""),
            ("{name: a}", "{}", "no name"),
        ];
        for (from, to, part) in spoilt {
            let told = told(&SERVICE.replacen(from, to, 1));
            assert!(told.starts_with("t.yaml: ") && told.contains(part), "{told}");
        }
    }

    #[test]
    fn the_monitor_of_the_operator_is_as_strict() {
        let monitor = "apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: m}\nspec:\n  \
                       selector: {matchLabels: {a: b}}\n  endpoints: [{port: http, path: /metrics}]\n";
        assert_eq!(read_objects("t.yaml", monitor).unwrap().len(), 1);
        assert!(told(&monitor.replace("path", "paht")).contains("paht"));
    }
}
