//! The container and the pod of a process, from the paths of its cgroups alone.
//!
//! The kubelet and the runtimes name a cgroup after the pod's UID and the container's id. Where in
//! the path depends on the cgroup driver (systemd's slices and scopes, or plain folders), on the
//! runtime, and on what the node itself runs in. The shape of the names is the same everywhere, and
//! is searched for at any depth:
//!
//! | | |
//! |---|---|
//! | pod | `podUID`, `...-podUID.slice` (dashes of the UID as underscores) |
//! | container | 64 hexadecimal digits, `RUNTIME-ID`, `RUNTIME-ID.scope`, `SLICE:RUNTIME:ID` |

mod cpu_request;

#[cfg(test)]
mod tests;

use crate::domain::Qos;

pub(super) use self::cpu_request::{millis_of_shares, millis_of_weight};

/// The container and the pod that a cgroup is named after.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CgroupOwner {
    pub(super) container: Option<ContainerRef>,
    pub(super) pod: Option<PodRef>,
}

/// A container, as its cgroup names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContainerRef {
    /// The id that its runtime has given it.
    pub(super) id: String,
    /// `None` where the name does not say: the plain folders below a pod's are containerd's and
    /// docker's alike.
    pub(super) runtime: Option<&'static str>,
}

/// A pod, as its cgroup names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PodRef {
    /// With dashes. Of a static pod the hash of its manifest, without dashes.
    pub(super) uid: String,
    /// `None` where the folders with the class are not visible.
    pub(super) qos: Option<Qos>,
}

impl CgroupOwner {
    /// From the text of `/proc/PID/cgroup`: the line that names most. With hybrid hierarchies the
    /// line of v2 often names neither (`0::/system.slice/containerd.service`), and one of v1 may be
    /// at the root.
    pub(super) fn parse(text: &str) -> Self {
        let mut best = Self::default();
        for line in text.lines() {
            // ID:CONTROLLERS:PATH, and the path may contain colons.
            let Some(path) = line.splitn(3, ':').nth(2) else {
                continue;
            };
            let owner = Self::of_path(path);
            if owner.named() > best.named() {
                best = owner;
            }
        }
        best
    }

    /// From the path of one cgroup.
    pub(super) fn of_path(path: &str) -> Self {
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        let mut owner = Self::default();
        let mut qos = None;
        let mut parent = "";
        for name in path.split('/').filter(|name| !name.is_empty()) {
            qos = qos_of(name).or(qos);
            let (outer, scope) = match name.split_once(':') {
                Some((slice, scope)) => (slice, Some(scope)),
                None => (name, None),
            };
            if let Some(uid) = pod_uid(outer, qos.is_some()) {
                // Everything above belongs to the node: it may run in a container or a pod itself.
                owner = Self {
                    container: None,
                    pod: Some(PodRef { uid, qos }),
                };
            }
            let container = match scope {
                Some(scope) => scope
                    .split_once(':')
                    .and_then(|(prefix, id)| prefixed(prefix, id)),
                None => container(name, parent),
            };
            // In a pod the outermost container, which is the one in the API; else the innermost.
            if container.is_some() && (owner.pod.is_none() || owner.container.is_none()) {
                owner.container = container;
            }
            parent = name;
        }
        owner
    }

    /// How much is named: 0 to 3, a pod counts more than a container.
    fn named(&self) -> u8 {
        2 * u8::from(self.pod.is_some()) + u8::from(self.container.is_some())
    }
}

/// The class in the name of a folder above a pod's, or in the name of its slice.
fn qos_of(name: &str) -> Option<Qos> {
    let is_kubepods = name.contains("kubepods");
    match name {
        "burstable" => Some(Qos::Burstable),
        "besteffort" => Some(Qos::BestEffort),
        _ if is_kubepods && name.contains("burstable") => Some(Qos::Burstable),
        _ if is_kubepods && name.contains("besteffort") => Some(Qos::BestEffort),
        // Guaranteed pods have no folder of their class.
        _ if is_kubepods => Some(Qos::Guaranteed),
        _ => None,
    }
}

/// The UID of the pod whose cgroup has this name. Names that are not shaped like a UID count only
/// `in_kubepods`, below the folders of pods.
fn pod_uid(name: &str, in_kubepods: bool) -> Option<String> {
    let uid = match name.strip_suffix(".slice") {
        Some(slice) => {
            let at = slice.rfind("-pod")?;
            slice[at + "-pod".len()..].replace('_', "-")
        }
        None => name.strip_prefix("pod")?.to_owned(),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_uid = is_uuid(&uid) || is_hex(&uid, 32) || (in_kubepods && uid.chars().all(is_plain));
    (is_uid && !uid.is_empty()).then_some(uid)
}

/// The container whose cgroup has this name, below one named `parent`.
fn container(name: &str, parent: &str) -> Option<ContainerRef> {
    if is_id(name) {
        let runtime = match parent {
            "docker" => Some("docker"),
            "libpod_parent" => Some("podman"),
            "nerdctl" => Some("containerd"),
            _ => None,
        };
        return Some(ContainerRef {
            id: name.to_owned(),
            runtime,
        });
    }
    let name = name.strip_suffix(".scope").unwrap_or(name);
    let (prefix, id) = name.rsplit_once('-')?;
    // ECS on Fargate: a task's id and a number.
    if is_hex(prefix, 32) && id.bytes().all(|b| b.is_ascii_digit()) && parent == prefix {
        return Some(ContainerRef {
            id: name.to_owned(),
            runtime: None,
        });
    }
    prefixed(prefix, id)
}

/// The container of a name with a runtime's prefix and an id.
fn prefixed(prefix: &str, id: &str) -> Option<ContainerRef> {
    let runtime = match prefix {
        "cri-containerd" | "nerdctl" => Some("containerd"),
        "crio" => Some("cri-o"),
        "docker" => Some("docker"),
        "libpod" => Some("podman"),
        // The monitor of a container is outside of it.
        _ if prefix.ends_with("conmon") => return None,
        _ => None,
    };
    is_id(id).then(|| ContainerRef {
        id: id.to_owned(),
        runtime,
    })
}

/// Whether a text is shaped like the ids of these runtimes: 64 hexadecimal digits.
fn is_id(text: &str) -> bool {
    is_hex(text, 64)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether a text is shaped like a UUID: 8-4-4-4-12 hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}
