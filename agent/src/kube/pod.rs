//! What the agent retains of a pod.

use std::collections::BTreeMap;

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its containers, with its init and ephemeral containers.
    pub containers: Vec<PodContainer>,
}

/// A container of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodContainer {
    /// Its name in the pod.
    pub name: String,
    /// Its runtime's ids for it: the present one, and the one before the last restart.
    pub ids: Vec<String>,
    /// Its CPU request, thousandths of a CPU; `None`: none.
    pub cpu_request_millis: Option<u64>,
    /// Its CPU limit, thousandths of a CPU; `None`: none.
    pub cpu_limit_millis: Option<u64>,
}

impl PodFacts {
    /// The container with this id of its runtime.
    #[must_use]
    pub fn container(&self, id: &str) -> Option<&PodContainer> {
        let mut all = self.containers.iter();
        all.find(|container| container.ids.iter().any(|own| own == id))
    }
}
