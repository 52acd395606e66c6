//! The pods that the server has.

use serde_json::{Value, json};

/// A pod as the API sends it, with more fields than are decoded.
pub(crate) fn pod(
    uid: &str,
    namespace: &str,
    name: &str,
    node: &str,
    containers: &[(&str, &str)],
) -> Value {
    let spec: Vec<_> = containers
        .iter()
        .map(|(name, _)| json!({
            "name": name, "image": "registry.example/app:1",
            "env": [{"name": "A", "value": "x".repeat(200)}],
            "resources": {"requests": {"cpu": "250m", "memory": "64Mi"}, "limits": {"cpu": "2"}},
        }))
        .collect();
    let statuses: Vec<_> = containers
        .iter()
        .map(|(name, id)| {
            json!({
                "name": name, "containerID": format!("containerd://{id}"), "ready": true,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, "lastState": {},
            })
        })
        .collect();
    json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {
            "uid": uid, "namespace": namespace, "name": name, "labels": {"app": name, "desk": "fx"},
            "annotations": {"kubernetes.io/config.source": "api"},
            "managedFields": [
                {"manager": "kubelet", "fieldsV1": {"f:status": {"f:x": "y".repeat(4000)}}},
            ],
        },
        "spec": {"nodeName": node, "containers": spec},
        "status": {"phase": "Running", "qosClass": "Burstable", "containerStatuses": statuses},
    })
}
