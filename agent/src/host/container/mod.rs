//! Which container and pod a process is in, from the names of its cgroups alone.
//!
//! Nobody has to be asked for it: kubelet and runtimes name a cgroup after the pod's UID and the
//! container's id. How, depends on the cgroup driver (systemd's slices and scopes, or plain
//! folders), on the runtime and on what the node itself runs in. What is the same everywhere is the
//! shape of the names, and that is what is looked for, at any depth:
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

/// Where a process is, as its cgroups are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) container: Option<ContainerPlace>,
    pub(super) pod: Option<PodPlace>,
}

/// A container, as its cgroup is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContainerPlace {
    /// What its runtime calls it.
    pub(super) id: String,
    /// `None` where the name does not tell: plain folders in a pod's are containerd's and docker's
    /// alike.
    pub(super) runtime: Option<&'static str>,
}

/// A pod, as its cgroup is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PodPlace {
    /// With dashes. Of a static pod the hash of its manifest, without.
    pub(super) uid: String,
    /// `None` where the folders that would tell are out of sight.
    pub(super) qos: Option<Qos>,
}

impl Place {
    /// From the text of `/proc/PID/cgroup`: the line that tells most. With hybrid hierarchies the
    /// one of v2 often stands for nothing (`0::/system.slice/containerd.service`), and one of v1
    /// may be at the root.
    pub(super) fn parse(text: &str) -> Self {
        let mut best = Self::default();
        for line in text.lines() {
            // ID:CONTROLLERS:PATH, and the path may have colons.
            let Some(path) = line.splitn(3, ':').nth(2) else {
                continue;
            };
            let place = Self::of_path(path);
            if place.told() > best.told() {
                best = place;
            }
        }
        best
    }

    /// From the path of one cgroup.
    pub(super) fn of_path(path: &str) -> Self {
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        let mut place = Self::default();
        let mut qos = None;
        let mut before = "";
        for name in path.split('/').filter(|name| !name.is_empty()) {
            qos = qos_of(name).or(qos);
            let (outer, scope) = match name.split_once(':') {
                Some((slice, scope)) => (slice, Some(scope)),
                None => (name, None),
            };
            if let Some(uid) = pod_uid(outer, qos.is_some()) {
                // Whatever is outside of it is the node: a cluster in containers, in somebody's
                // pod.
                place = Self {
                    container: None,
                    pod: Some(PodPlace { uid, qos }),
                };
            }
            let container = match scope {
                Some(scope) => scope
                    .split_once(':')
                    .and_then(|(prefix, id)| prefixed(prefix, id)),
                None => container(name, before),
            };
            // In a pod the outermost: the one that the cluster knows. Else the innermost.
            if container.is_some() && (place.pod.is_none() || place.container.is_none()) {
                place.container = container;
            }
            before = name;
        }
        place
    }

    /// How much is known.
    fn told(&self) -> u8 {
        2 * u8::from(self.pod.is_some()) + u8::from(self.container.is_some())
    }
}

/// The class told by a folder above a pod's, or by the name of its slice.
fn qos_of(name: &str) -> Option<Qos> {
    let is_ours = name.contains("kubepods");
    match name {
        "burstable" => Some(Qos::Burstable),
        "besteffort" => Some(Qos::BestEffort),
        _ if is_ours && name.contains("burstable") => Some(Qos::Burstable),
        _ if is_ours && name.contains("besteffort") => Some(Qos::BestEffort),
        // Right below it are those that need no folder of a class.
        _ if is_ours => Some(Qos::Guaranteed),
        _ => None,
    }
}

/// The UID of the pod whose cgroup has this name; of other shapes than a UID's only `below` the
/// folders of pods.
fn pod_uid(name: &str, below: bool) -> Option<String> {
    let uid = match name.strip_suffix(".slice") {
        Some(slice) => {
            let at = slice.rfind("-pod")?;
            slice[at + "-pod".len()..].replace('_', "-")
        }
        None => name.strip_prefix("pod")?.to_owned(),
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let fits = is_uuid(&uid) || is_hex(&uid, 32) || (below && uid.chars().all(is_plain));
    (fits && !uid.is_empty()).then_some(uid)
}

/// The container whose cgroup has this name, below one named `before`.
fn container(name: &str, before: &str) -> Option<ContainerPlace> {
    if is_id(name) {
        let runtime = match before {
            "docker" => Some("docker"),
            "libpod_parent" => Some("podman"),
            "nerdctl" => Some("containerd"),
            _ => None,
        };
        return Some(ContainerPlace {
            id: name.to_owned(),
            runtime,
        });
    }
    let name = name.strip_suffix(".scope").unwrap_or(name);
    let (prefix, id) = name.rsplit_once('-')?;
    // The other dash: a task's id and a number, as one scheduler has it.
    if is_hex(prefix, 32) && id.bytes().all(|b| b.is_ascii_digit()) && before == prefix {
        return Some(ContainerPlace {
            id: name.to_owned(),
            runtime: None,
        });
    }
    prefixed(prefix, id)
}

/// A container by its runtime's prefix and its id.
fn prefixed(prefix: &str, id: &str) -> Option<ContainerPlace> {
    let runtime = match prefix {
        "cri-containerd" | "nerdctl" => Some("containerd"),
        "crio" => Some("cri-o"),
        "docker" => Some("docker"),
        "libpod" => Some("podman"),
        // Who watches a container is outside of it.
        _ if prefix.ends_with("conmon") => return None,
        _ => None,
    };
    is_id(id).then(|| ContainerPlace {
        id: id.to_owned(),
        runtime,
    })
}

/// The shape of the ids that all of these runtimes make.
fn is_id(text: &str) -> bool {
    is_hex(text, 64)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// 8-4-4-4-12
fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}
