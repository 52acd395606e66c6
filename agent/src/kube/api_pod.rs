//! A pod as far as the agent is concerned, decoded from what the API sends without keeping the
//! rest.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::quantity;

/// What is kept of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its containers, those that initialise or debug it included.
    pub containers: Vec<PodContainer>,
}

/// What is kept of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodContainer {
    /// Its name in the pod.
    pub name: String,
    /// What its runtime calls it now, and called it before it was restarted last.
    pub ids: Vec<String>,
    /// The CPU it asked for, thousandths of a CPU; `None`: none.
    pub cpu_request_millis: Option<u64>,
    /// The most it may use, thousandths of a CPU; `None`: no limit.
    pub cpu_limit_millis: Option<u64>,
}

impl PodFacts {
    /// The container that its runtime calls so.
    #[must_use]
    pub fn container(&self, id: &str) -> Option<&PodContainer> {
        let mut all = self.containers.iter();
        all.find(|container| container.ids.iter().any(|known| known == id))
    }
}

/// A list of pods, or a page of it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PodList {
    pub(super) metadata: ListMeta,
    #[serde(default)]
    pub(super) items: Option<Vec<RawPod>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMeta {
    #[serde(default)]
    pub(super) resource_version: String,
    #[serde(default, rename = "continue")]
    pub(super) next: String,
}

/// A pod as it is sent; everything that is not named here is skipped while it is read.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct RawPod {
    metadata: Meta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    uid: String,
    name: String,
    namespace: String,
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<Annotations>,
}

#[derive(Clone, Debug, Deserialize)]
struct Annotations {
    /// Of a static pod: what the kubelet takes for its UID. The API's is another one.
    #[serde(default, rename = "kubernetes.io/config.hash")]
    hash: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    containers: Option<Vec<SpecContainer>>,
    #[serde(default)]
    init_containers: Option<Vec<SpecContainer>>,
    #[serde(default)]
    ephemeral_containers: Option<Vec<SpecContainer>>,
}

#[derive(Clone, Debug, Deserialize)]
struct SpecContainer {
    name: String,
    #[serde(default)]
    resources: Option<Resources>,
}

#[derive(Clone, Debug, Deserialize)]
struct Resources {
    #[serde(default)]
    requests: Option<Cpu>,
    #[serde(default)]
    limits: Option<Cpu>,
}

#[derive(Clone, Debug, Deserialize)]
struct Cpu {
    #[serde(default)]
    cpu: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
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
    last_state: Option<LastState>,
    /// What it really has, where resources can be changed while it runs.
    #[serde(default)]
    resources: Option<Resources>,
}

#[derive(Clone, Debug, Deserialize)]
struct LastState {
    #[serde(default)]
    terminated: Option<Terminated>,
}

#[derive(Clone, Debug, Deserialize)]
struct Terminated {
    #[serde(default, rename = "containerID")]
    id: Option<String>,
}

impl RawPod {
    /// What the API calls it.
    pub(super) fn uid(&self) -> &str {
        &self.metadata.uid
    }

    /// What its cgroup is named after.
    pub(super) fn cgroup_uid(&self) -> &str {
        let annotations = self.metadata.annotations.as_ref();
        let hash = annotations.and_then(|known| known.hash.as_deref());
        hash.unwrap_or(&self.metadata.uid)
    }

    pub(super) fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }

    /// Nothing of it runs any more: a job that is done stays in the API for as long as somebody
    /// likes.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.status.phase.as_deref(), Some("Succeeded" | "Failed"))
    }

    pub(super) fn facts(self) -> PodFacts {
        let Spec {
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

fn container(spec: SpecContainer, status: Option<ContainerStatus>) -> PodContainer {
    let (mut ids, mut resources) = (Vec::new(), spec.resources);
    if let Some(status) = status {
        let before = status.last_state.and_then(|last| last.terminated?.id);
        // RUNTIME://ID; empty until there is one.
        let all = [status.id, before].into_iter().flatten();
        ids.extend(all.filter_map(|id| {
            let (_, id) = id.split_once("://")?;
            (!id.is_empty()).then(|| id.to_owned())
        }));
        resources = status.resources.or(resources);
    }
    let cpu = |amounts: Option<Cpu>| {
        let millis = quantity::millis(&amounts?.cpu?)?;
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

    fn pod(json: &serde_json::Value) -> RawPod {
        serde_json::from_value(json.clone()).expect("a pod")
    }

    #[test]
    fn what_is_needed_is_kept() {
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
                    {"name": "engine", "image": "i", "resources": {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"cpu": "2"}}},
                    {"name": "side"},
                ],
                "initContainers": [{"name": "mesh", "restartPolicy": "Always"}],
            },
            "status": {
                "phase": "Running",
                "containerStatuses": [
                    {"name": "side", "containerID": ""},
                    {"name": "engine", "containerID": "containerd://bb",
                     "lastState": {"terminated": {"containerID": "containerd://aa", "exitCode": 1}},
                     "resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "2"}}},
                ],
                "initContainerStatuses": [{"name": "mesh", "containerID": "cri-o://cc", "state": {"running": {}}}],
            },
        }));
        assert_eq!((raw.uid(), raw.cgroup_uid()), ("u-1", "u-1"));
        assert!(!raw.is_over());
        let facts = raw.facts();
        assert_eq!(
            (facts.namespace.as_str(), facts.name.as_str()),
            ("trading", "oms-0")
        );
        assert_eq!(facts.labels.get("app").map(String::as_str), Some("oms"));
        let engine = facts.container("bb").expect("known");
        // Resized in place: the status counts.
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
    fn a_static_pod_is_known_by_the_hash_of_its_manifest() {
        let raw = pod(&serde_json::json!({
            "metadata": {
                "name": "etcd-n", "namespace": "kube-system", "uid": "9b0f",
                "annotations": {"kubernetes.io/config.hash": "a5363f4f31e043bdae3c93aca4991903"},
            },
        }));
        assert_eq!(raw.cgroup_uid(), "a5363f4f31e043bdae3c93aca4991903");
    }

    #[test]
    fn null_is_none() {
        let raw = pod(&serde_json::json!({
            "metadata": {"name": "a", "namespace": "b", "uid": "c", "labels": null, "annotations": null},
            "spec": {"containers": null},
            "status": {"phase": "Succeeded", "containerStatuses": null},
        }));
        assert!(raw.is_over());
        assert_eq!(raw.facts().containers, []);
    }
}
