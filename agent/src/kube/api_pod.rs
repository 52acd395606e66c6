//! A pod as the API sends it. Only the fields below are decoded; the rest is skipped while reading.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    pod::{PodContainer, PodFacts},
    quantity,
};

/// A list of pods, or a page of one.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ApiPodList {
    pub(super) metadata: ApiListMeta,
    #[serde(default)]
    pub(super) items: Option<Vec<ApiPod>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiListMeta {
    #[serde(default)]
    pub(super) resource_version: String,
    #[serde(default, rename = "continue")]
    pub(super) next: String,
}

/// A pod.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ApiPod {
    metadata: ApiPodMeta,
    #[serde(default)]
    spec: ApiPodSpec,
    #[serde(default)]
    status: ApiPodStatus,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiPodMeta {
    uid: String,
    name: String,
    namespace: String,
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<PodAnnotations>,
}

#[derive(Clone, Debug, Deserialize)]
struct PodAnnotations {
    /// The UID that the kubelet gives a static pod. The API has another one for it.
    #[serde(default, rename = "kubernetes.io/config.hash")]
    hash: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiPodSpec {
    #[serde(default)]
    containers: Option<Vec<ApiContainer>>,
    #[serde(default)]
    init_containers: Option<Vec<ApiContainer>>,
    #[serde(default)]
    ephemeral_containers: Option<Vec<ApiContainer>>,
}

#[derive(Clone, Debug, Deserialize)]
struct ApiContainer {
    name: String,
    #[serde(default)]
    resources: Option<ContainerResources>,
}

#[derive(Clone, Debug, Deserialize)]
struct ContainerResources {
    #[serde(default)]
    requests: Option<CpuQuantity>,
    #[serde(default)]
    limits: Option<CpuQuantity>,
}

#[derive(Clone, Debug, Deserialize)]
struct CpuQuantity {
    #[serde(default)]
    cpu: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiPodStatus {
    #[serde(default)]
    phase: Option<String>,
    #[serde(default)]
    container_statuses: Option<Vec<ContainerStatus>>,
    #[serde(default)]
    init_container_statuses: Option<Vec<ContainerStatus>>,
    #[serde(default)]
    ephemeral_container_statuses: Option<Vec<ContainerStatus>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    name: String,
    #[serde(default, rename = "containerID")]
    id: Option<String>,
    #[serde(default)]
    last_state: Option<LastContainerState>,
    /// The resources in force, where they can be changed while the container runs.
    #[serde(default)]
    resources: Option<ContainerResources>,
}

#[derive(Clone, Debug, Deserialize)]
struct LastContainerState {
    #[serde(default)]
    terminated: Option<TerminatedContainer>,
}

#[derive(Clone, Debug, Deserialize)]
struct TerminatedContainer {
    #[serde(default, rename = "containerID")]
    id: Option<String>,
}

impl ApiPod {
    /// The UID of the API.
    pub(super) fn uid(&self) -> &str {
        &self.metadata.uid
    }

    /// The UID that its cgroup is named after.
    pub(super) fn cgroup_uid(&self) -> &str {
        let annotations = self.metadata.annotations.as_ref();
        let hash = annotations.and_then(|annotations| annotations.hash.as_deref());
        hash.unwrap_or(&self.metadata.uid)
    }

    pub(super) fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }

    /// Whether none of its containers runs any more. The pods of finished jobs stay in the API
    /// until they are deleted.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.status.phase.as_deref(), Some("Succeeded" | "Failed"))
    }

    /// What the agent retains of it.
    pub(super) fn facts(self) -> PodFacts {
        let ApiPodSpec {
            containers,
            init_containers,
            ephemeral_containers,
        } = self.spec;
        let mut statuses: Vec<ContainerStatus> = [
            self.status.container_statuses,
            self.status.init_container_statuses,
            self.status.ephemeral_container_statuses,
        ]
        .into_iter()
        .flatten()
        .flatten()
        .collect();
        let containers = [containers, init_containers, ephemeral_containers]
            .into_iter()
            .flatten()
            .flatten()
            .map(|spec| {
                // Names are unique in a pod.
                let at = statuses.iter().position(|status| status.name == spec.name);
                container(spec, at.map(|at| statuses.swap_remove(at)))
            })
            .collect();
        PodFacts {
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            labels: self.metadata.labels.unwrap_or_default(),
            containers,
        }
    }
}

fn container(spec: ApiContainer, status: Option<ContainerStatus>) -> PodContainer {
    let (mut ids, mut resources) = (Vec::new(), spec.resources);
    if let Some(status) = status {
        let previous = status.last_state.and_then(|last| last.terminated?.id);
        // RUNTIME://ID; empty until the container has started.
        let all = [status.id, previous].into_iter().flatten();
        ids.extend(all.filter_map(|id| {
            let (_, id) = id.split_once("://")?;
            (!id.is_empty()).then(|| id.to_owned())
        }));
        resources = status.resources.or(resources);
    }
    let cpu = |amounts: Option<CpuQuantity>| {
        let millis = quantity::cpu_millis(&amounts?.cpu?)?;
        (millis > 0).then_some(millis)
    };
    let (requests, limits) = resources.map_or((None, None), |r| (r.requests, r.limits));
    PodContainer {
        name: spec.name,
        ids,
        cpu_request_millis: cpu(requests),
        cpu_limit_millis: cpu(limits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(json: &serde_json::Value) -> ApiPod {
        serde_json::from_value(json.clone()).expect("a pod")
    }

    #[test]
    fn the_facts_have_names_labels_ids_and_cpu() {
        let raw = pod(&serde_json::json!({
            "kind": "Pod", "apiVersion": "v1",
            "metadata": {
                "name": "oms-0", "namespace": "trading", "uid": "u-1", "resourceVersion": "7",
                "labels": {"app": "oms"}, "annotations": {"other": "x"},
                "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:x": {}}}],
            },
            "spec": {
                "nodeName": "n",
                "containers": [
                    {
                        "name": "engine", "image": "i",
                        "resources": {
                            "requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"cpu": "2"},
                        },
                    },
                    {"name": "side"},
                ],
                "initContainers": [{"name": "mesh", "restartPolicy": "Always"}],
            },
            "status": {
                "phase": "Running",
                "containerStatuses": [
                    {"name": "side", "containerID": ""},
                    {
                        "name": "engine", "containerID": "containerd://bb",
                        "lastState": {
                            "terminated": {"containerID": "containerd://aa", "exitCode": 1},
                        },
                        "resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "2"}},
                    },
                ],
                "initContainerStatuses": [
                    {"name": "mesh", "containerID": "cri-o://cc", "state": {"running": {}}},
                ],
            },
        }));
        assert_eq!((raw.uid(), raw.cgroup_uid()), ("u-1", "u-1"));
        assert!(!raw.has_ended());
        let facts = raw.facts();
        assert_eq!(
            (facts.namespace.as_str(), facts.name.as_str()),
            ("trading", "oms-0")
        );
        assert_eq!(facts.labels.get("app").map(String::as_str), Some("oms"));
        let engine = facts.container("bb").expect("known");
        // After a resize in place the status counts.
        assert_eq!(
            (engine.cpu_request_millis, engine.cpu_limit_millis),
            (Some(500), Some(2000))
        );
        assert_eq!(facts.container("aa"), Some(engine));
        assert_eq!(facts.container("cc").expect("known").name, "mesh");
        assert_eq!(facts.container(""), None);
        assert_eq!(facts.containers.len(), 3);
    }

    #[test]
    fn the_cgroup_of_a_static_pod_is_named_after_the_hash_of_its_manifest() {
        let raw = pod(&serde_json::json!({
            "metadata": {
                "name": "etcd-n", "namespace": "kube-system", "uid": "9b0f",
                "annotations": {"kubernetes.io/config.hash": "a5363f4f31e043bdae3c93aca4991903"},
            },
        }));
        assert_eq!(raw.cgroup_uid(), "a5363f4f31e043bdae3c93aca4991903");
    }

    #[test]
    fn null_fields_are_absent() {
        let raw = pod(&serde_json::json!({
            "metadata": {
                "name": "a", "namespace": "b", "uid": "c", "labels": null, "annotations": null,
            },
            "spec": {"containers": null},
            "status": {"phase": "Succeeded", "containerStatuses": null},
        }));
        assert!(raw.has_ended());
        assert_eq!(raw.facts().containers, []);
    }
}
