//! What containers may do, and what they can write.

use std::fs;

use k8s_openapi::api::core::v1::{Container, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;

use crate::pods::{Pod, environment, pods};
use crate::rendered::{all, root};

#[test]
fn containers_may_do_nothing_that_they_need_not() {
    for (file, rendered) in all() {
        for pod in pods(&rendered) {
            let whole = pod.spec.security_context.as_ref().unwrap();
            assert_eq!((whole.run_as_non_root, whole.run_as_user), (Some(true), Some(10001)), "{file}");
            assert_eq!(whole.seccomp_profile.as_ref().unwrap().type_, "RuntimeDefault");
            assert_eq!((pod.spec.automount_service_account_token, pod.spec.host_network), (Some(false), None));
            // The addresses of other services would come as variables, some of which begin as ours do.
            assert_eq!(pod.spec.enable_service_links, Some(false));
            for container in pod.containers() {
                let own = container.security_context.as_ref().unwrap();
                assert_eq!(own.allow_privilege_escalation, Some(false), "{file}: {}", container.name);
                assert_eq!(own.read_only_root_filesystem, Some(true), "{file}: {}", container.name);
                let capabilities = own.capabilities.as_ref().unwrap();
                assert_eq!((capabilities.drop.as_deref(), &capabilities.add), (Some(&["ALL".to_owned()][..]), &None));
            }
            assert!(pod.main().resources.as_ref().unwrap().limits.as_ref().unwrap().contains_key("memory"));
        }
    }
}

fn writable(container: &Container) -> impl Iterator<Item = &str> {
    let mounts = container.volume_mounts.iter().flatten();
    mounts.filter(|mount| mount.read_only != Some(true)).map(|mount| mount.mount_path.as_str())
}

#[test]
fn folders_that_are_written_are_volumes() {
    for (file, rendered) in all() {
        for pod in pods(&rendered) {
            let volumes: Vec<_> = pod.spec.volumes.iter().flatten().map(|volume| volume.name.as_str()).collect();
            let mut used = Vec::new();
            for container in pod.containers() {
                let variables = environment(&rendered, container, |_| String::new());
                let data = variables["SENSORIUM__STORAGE__DATA_DIR"].as_str();
                // Below a mount and not the mount itself: the server sets the folder's mode, which only its owner can.
                let below = |mount: &str| data.strip_prefix(mount).is_some_and(|rest| rest.starts_with('/'));
                assert!(writable(container).any(below), "{file}: {data}");
                assert!(writable(container).any(|mount| mount == "/tmp"), "{file}");
                used.extend(container.volume_mounts.iter().flatten().map(|mount| mount.name.clone()));
            }
            for name in &used {
                assert!(volumes.contains(&name.as_str()), "{file}: no volume {name}");
            }
            assert!(volumes.iter().all(|volume| used.iter().any(|name| name == volume)), "{file}: {volumes:?}");
        }
    }
}

#[test]
fn models_are_fetched_where_the_server_looks_for_them() {
    for (file, rendered) in all() {
        for pod in pods(&rendered).iter().filter(|pod| pod.owner.kind == "Deployment") {
            let Some(fetches) = pod.spec.init_containers.iter().flatten().next() else {
                assert_eq!(rendered.values["models"]["pull"], json!([]), "{file}");
                continue;
            };
            let folder = |container| environment(&rendered, container, |_| String::new())["XDG_CACHE_HOME"].clone();
            let cache = folder(fetches);
            assert_eq!(cache, folder(pod.main()), "{file}");
            assert!(writable(fetches).any(|mount| mount == cache), "{file}");
            assert!(!writable(pod.main()).any(|mount| mount == cache), "{file}: the server only reads");
            assert!(pod.main().volume_mounts.iter().flatten().any(|mount| mount.mount_path == cache), "{file}");
            let args = fetches.args.as_ref().unwrap();
            assert_eq!(json!(args[2..]), rendered.values["models"]["pull"], "{file}");
        }
    }
}

fn path(pod: &Pod, probe: Option<&Probe>) -> String {
    let get = probe.unwrap().http_get.as_ref().unwrap();
    let names: Vec<_> = pod.main().ports.iter().flatten().filter_map(|port| port.name.clone()).collect();
    assert!(matches!(&get.port, IntOrString::String(name) if names.contains(name)));
    get.path.clone().unwrap()
}

#[test]
fn probes_ask_what_api_and_worker_answer() {
    let router = fs::read_to_string(root().join("src/router.rs")).unwrap();
    for (file, rendered) in all() {
        for pod in pods(&rendered).iter().filter(|pod| pod.owner.kind == "Deployment") {
            let container = pod.main();
            let probes = [&container.startup_probe, &container.liveness_probe, &container.readiness_probe];
            let paths = probes.map(|probe| path(pod, probe.as_ref()));
            assert_eq!(paths, ["/livez", "/livez", "/readyz"], "{file}");
            for path in paths {
                // Once in the routes of the api, once in those of the worker.
                assert_eq!(router.matches(&format!(".route(\"{path}\"")).count(), 2, "{path}");
            }
        }
    }
}
