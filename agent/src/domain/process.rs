//! Which process reads a session, and where it runs.

use serde::{Deserialize, Serialize};

/// A process that reads FIX; told when it begins to, and again when more is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Its thread group id in the initial PID namespace.
    pub pid: u32,
    /// The same in the innermost of its PID namespaces: what it is called inside its container.
    pub inner_pid: u32,
    /// The name of its main thread.
    pub comm: String,
    /// The container it runs in.
    pub container: Option<Container>,
    /// The pod it runs in.
    pub pod: Option<Pod>,
    /// The CPU its container asked for, thousandths of a CPU; `None`: nothing, not known, or not in
    /// a pod.
    pub cpu_request_millis: Option<u64>,
    /// The same where only bounds are known: without the API, v2's weight stands for one of two
    /// requests.
    pub cpu_request_between: Option<(u64, u64)>,
    /// The container's CPU limit, thousandths of a CPU, as the API tells it; the cgroup's own is in
    /// [`CgroupUse`](super::CgroupUse).
    pub cpu_limit_millis: Option<u64>,
}

/// A container, as its cgroup and the Kubernetes API name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// What its runtime calls it: mostly 64 hexadecimal digits.
    pub id: String,
    /// Which runtime made it, as far as the cgroup's name tells.
    pub runtime: Option<String>,
    /// Its name in the pod; `None` until the API has told.
    pub name: Option<String>,
}

impl Container {
    /// Its name, or the first characters of its id.
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
    /// Its UID, as the cgroup has it: of a static pod this is the hash of its manifest.
    pub uid: String,
    /// `None` until the API has told.
    pub namespace: Option<String>,
    /// `None` until the API has told.
    pub name: Option<String>,
    /// Its quality of service; `None` where the cgroup's path does not tell.
    pub qos: Option<Qos>,
}

/// How the requests and limits of a pod relate, which decides who is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Qos {
    /// Each container has limits, and requests just as much.
    Guaranteed,
    /// Some requests or limits.
    Burstable,
    /// Neither.
    BestEffort,
}

impl Qos {
    /// As in outputs.
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
    /// Its name, or its UID.
    #[must_use]
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.uid)
    }
}
