//! Names put together as kubelets and runtimes do, and any text.

use proptest::prelude::*;

use super::CgroupOwner;
use crate::domain::Qos;

/// A cgroup as some kubelet and runtime would name it, and what it names.
#[derive(Clone, Debug)]
struct GeneratedPath {
    path: String,
    id: String,
    uid: String,
    qos: Qos,
    runtime: Option<&'static str>,
}

fn generated_path() -> impl Strategy<Value = GeneratedPath> {
    let uid = prop_oneof![
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "[0-9a-f]{32}",
    ];
    let node = prop_oneof![
        Just(String::new()),
        Just("/kubelet".to_owned()),
        Just("/system.slice/k3s.service".to_owned()),
        Just("/..".to_owned()),
        "[0-9a-f]{64}".prop_map(|id| format!("/docker/{id}")),
        "[0-9a-f]{64}".prop_map(|id| format!("/machine.slice/libpod-{id}.scope/container")),
    ];
    let runtime = prop_oneof![
        Just(("cri-containerd", "containerd")),
        Just(("crio", "cri-o")),
        Just(("docker", "docker")),
    ];
    let qos = prop_oneof![
        Just(Qos::Guaranteed),
        Just(Qos::Burstable),
        Just(Qos::BestEffort)
    ];
    let below = prop_oneof![Just(""), Just("/container"), Just("/init.scope")];
    (node, uid, "[0-9a-f]{64}", qos, runtime, 0..3, below).prop_map(
        |(node, uid, id, qos, (prefix, runtime), form, below)| {
            let class = match qos {
                Qos::Guaranteed => "",
                Qos::Burstable => "burstable",
                Qos::BestEffort => "besteffort",
            };
            let dash = if class.is_empty() { "" } else { "-" };
            let slash = if class.is_empty() { "" } else { "/" };
            let slice = format!("kubepods{dash}{class}-pod{}.slice", uid.replace('-', "_"));
            let folder = match class {
                "" => String::new(),
                _ => format!("/kubepods-{class}.slice"),
            };
            let (path, runtime) = match form {
                0 => (
                    format!("{node}/kubepods{slash}{class}/pod{uid}/{id}{below}"),
                    None,
                ),
                1 => (
                    format!("{node}/kubepods.slice{folder}/{slice}/{prefix}-{id}.scope{below}"),
                    Some(runtime),
                ),
                _ => (
                    format!("{node}/{slice}:{prefix}:{id}{below}"),
                    Some(runtime),
                ),
            };
            GeneratedPath {
                path,
                id,
                uid,
                qos,
                runtime,
            }
        },
    )
}

proptest! {
    #[test]
    fn generated_paths_name_container_and_pod(generated in generated_path(), hierarchy in 0..3) {
        let text = match hierarchy {
            0 => format!("0::{}\n", generated.path),
            1 => format!("0::/system.slice/x.service\n4:cpu,cpuacct:{}\n1:name=systemd:/\n", generated.path),
            _ => format!("12:rdma:/\n4:cpu:{0}\n3:memory:{0}\n", generated.path),
        };
        let owner = CgroupOwner::parse(&text);
        let container = owner.container.expect("a container");
        let pod = owner.pod.expect("a pod");
        prop_assert_eq!(container.id, generated.id);
        prop_assert_eq!(container.runtime, generated.runtime);
        prop_assert_eq!(pod.uid, generated.uid);
        prop_assert_eq!(pod.qos, Some(generated.qos));
    }

    #[test]
    fn any_text_is_parsed_without_a_panic(text in "\\PC{0,200}") {
        let _any = CgroupOwner::parse(&text);
    }

    #[test]
    fn any_pieces_are_parsed_without_a_panic(pieces in proptest::collection::vec(prop_oneof![
        Just("/"), Just(":"), Just("-"), Just("pod"), Just("-pod"), Just(".slice"), Just(".scope"),
        Just("kubepods"), Just("docker"), Just("0::"), Just("\n"), Just("é"), Just(".."),
        Just("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    ], 0..20)) {
        let _any = CgroupOwner::parse(&pieces.concat());
    }
}
