//! The pods that deployments and jobs make.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};
use sensorium_chart::{Object, Rendered};
use serde_json::Value as Json;

use crate::rendered::{named, of_kind, text};

pub type Labels = BTreeMap<String, String>;

pub struct Pod<'a> {
    pub owner: &'a Object,
    pub labels: Labels,
    pub spec: PodSpec,
}

/// The pods of all deployments and jobs.
pub fn pods(rendered: &Rendered) -> Vec<Pod<'_>> {
    let owners = of_kind(rendered, "Deployment").chain(of_kind(rendered, "Job"));
    let pods: Vec<_> = owners.map(pod).collect();
    assert!(pods.len() >= 2);
    pods
}

fn pod(owner: &Object) -> Pod<'_> {
    let template: PodTemplateSpec = serde_json::from_value(owner.json["spec"]["template"].clone()).unwrap();
    Pod { owner, labels: template.metadata.unwrap().labels.unwrap(), spec: template.spec.unwrap() }
}

impl Pod<'_> {
    /// Those that run and those that run before.
    pub fn containers(&self) -> Vec<&Container> {
        self.spec.init_containers.iter().flatten().chain(&self.spec.containers).collect()
    }

    pub fn main(&self) -> &Container {
        assert_eq!(self.spec.containers.len(), 1);
        &self.spec.containers[0]
    }

    pub fn has(&self, selector: &Labels) -> bool {
        selector.iter().all(|(key, value)| self.labels.get(key) == Some(value))
    }
}

/// Labels at a JSON pointer.
pub fn labels(object: &Object, pointer: &str) -> Labels {
    let found = object.json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {}", object.name));
    serde_json::from_value(found.clone()).unwrap()
}

/// The variables of a container. What a Secret of elsewhere holds is told by `elsewhere`, from the variable's name.
pub fn environment(
    rendered: &Rendered,
    container: &Container,
    elsewhere: impl Fn(&str) -> String,
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    for source in container.env_from.iter().flatten() {
        let name = &source.config_map_ref.as_ref().unwrap().name;
        let map = named(rendered, "ConfigMap", name).unwrap();
        variables.extend(labels(map, "/data"));
    }
    for variable in container.env.iter().flatten() {
        let from = variable.value_from.as_ref().and_then(|from| from.secret_key_ref.as_ref());
        let value = match from {
            None => variable.value.clone().unwrap_or_else(|| panic!("{} has no value", variable.name)),
            Some(from) => match named(rendered, "Secret", &from.name) {
                Some(secret) => labels(secret, "/stringData")[&from.key].clone(),
                None => elsewhere(&variable.name),
            },
        };
        variables.insert(variable.name.clone(), value);
    }
    variables
}

/// Whether an object is there before the others of its release.
pub fn is_hook(object: &Object) -> bool {
    let hook = object.json.pointer("/metadata/annotations/helm.sh~1hook").and_then(Json::as_str);
    hook.is_some_and(|hook| hook == "pre-install,pre-upgrade")
}

/// The component that a deployment is.
pub fn component(object: &Object) -> &str {
    text(&object.json, "/metadata/labels/app.kubernetes.io~1component")
}
