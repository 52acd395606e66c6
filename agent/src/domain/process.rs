//! The process that reads a session, its container and its pod.

use serde::{Deserialize, Serialize};

/// A process that reads FIX. It is published when it begins to read and again when container or
/// pod have been resolved further.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Thread group id in the initial PID namespace.
    pub pid: u32,
    /// Thread group id in the innermost of its PID namespaces: its pid inside the container.
    pub inner_pid: u32,
    /// Name of its main thread.
    pub comm: String,
    /// The container it runs in, if any.
    pub container: Option<Container>,
    /// The pod it runs in, if any.
    pub pod: Option<Pod>,
    /// CPU request of its container, thousandths of a CPU; `None` without a request, when it is not
    /// known, or outside of pods.
    pub cpu_request_millis: Option<u64>,
    /// Bounds of the request where only those are known: without the API it is derived from the
    /// weight of cgroup v2, which stands for a range of requests.
    pub cpu_request_between: Option<(u64, u64)>,
    /// CPU limit of the container by the API, thousandths of a CPU; the cgroup's own limit is in
    /// [`CgroupUse`](super::CgroupUse).
    pub cpu_limit_millis: Option<u64>,
}

/// A container, as its cgroup and the Kubernetes API name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// Id given by the runtime: usually 64 hexadecimal digits.
    pub id: String,
    /// The runtime, where the name of the cgroup shows it.
    pub runtime: Option<String>,
    /// Its name in the pod; `None` until the API has reported it.
    pub name: Option<String>,
}

impl Container {
    /// The name, or the first twelve characters of the id.
    #[must_use]
    pub fn label(&self) -> &str {
        match &self.name {
            Some(name) => name,
            None => self.id.get(..12).unwrap_or(&self.id),
        }
    }
}

/// A pod, as the cgroup and the Kubernetes API name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// UID as in the path of the cgroup; for a static pod, the hash of its manifest.
    pub uid: String,
    /// Namespace; `None` until the API has reported it.
    pub namespace: Option<String>,
    /// Name; `None` until the API has reported it.
    pub name: Option<String>,
    /// Quality-of-service class; `None` where the path of the cgroup does not show it.
    pub qos: Option<Qos>,
}

/// Quality-of-service class of a pod, from its requests and limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Qos {
    /// Every container has limits and requests that are equal.
    Guaranteed,
    /// Some container has a request or a limit.
    Burstable,
    /// No container has requests or limits.
    BestEffort,
}

impl Qos {
    /// The name used in outputs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guaranteed => "guaranteed",
            Self::Burstable => "burstable",
            Self::BestEffort => "besteffort",
        }
    }
}

impl Pod {
    /// The name, or the UID until the name is known.
    #[must_use]
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.uid)
    }
}
