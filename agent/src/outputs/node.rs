//! The name of this machine, as metrics carry it.

/// The environment variable with the node's name, set by the DaemonSet (downward API,
/// `spec.nodeName`).
const NODE_NAME_VARIABLE: &str = "NODE_NAME";

/// The name of the Kubernetes node; `None` outside of a cluster.
pub(crate) fn kubernetes_node() -> Option<String> {
    std::env::var(NODE_NAME_VARIABLE)
        .ok()
        .filter(|name| !name.is_empty())
}

/// The machine's host name (of a pod: the pod's, where it has a network of its own); `None` when it
/// cannot be read.
pub(crate) fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// The name of the node, else of the machine; empty when neither is known.
pub(crate) fn node_name() -> String {
    kubernetes_node().or_else(host_name).unwrap_or_default()
}
