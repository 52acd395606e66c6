//! Containers outside of Kubernetes, and processes in none.

use super::{Case, HOST};

/// From public issues, tests and documents of these projects.
pub(super) const CASES: &[Case] = &[
    Case {
        source: "docker, cgroupfs, v1 (neuvector, Ubuntu)",
        text: "3:cpuacct:/docker/31cb02944da7a12196a193cf0e0f6c226d7c453a1db62e65ba98287593a2ee30",
        id: Some("31cb02944da7a12196a193cf0e0f6c226d7c453a1db62e65ba98287593a2ee30"),
        runtime: Some("docker"),
        ..HOST
    },
    Case {
        source: "docker in docker, cgroupfs, v1 (neuvector, RancherOS)",
        text: "1:devices:/docker/a9a5ad238e59234193ee7ec3fcff5e735b3708ea1068826952255b69e3cfa413/docker/ec08435e04266c5ba381fccbb829f626d11d8ddf5f8f547263c7a2d79ab4787a",
        id: Some("ec08435e04266c5ba381fccbb829f626d11d8ddf5f8f547263c7a2d79ab4787a"),
        runtime: Some("docker"),
        ..HOST
    },
    Case {
        source: "docker, systemd, v1 (neuvector, CentOS)",
        text: "2:cpuacct,cpu:/system.slice/docker-9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d.scope",
        id: Some("9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"),
        runtime: Some("docker"),
        ..HOST
    },
    Case {
        source: "docker, rootless, systemd, v2 (docker/docs #14545)",
        text: "0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d.scope",
        id: Some("9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"),
        runtime: Some("docker"),
        ..HOST
    },
    Case {
        source: "docker before 1.0, v1: at the root (neuvector, Debian)",
        text: "2:cpu:/4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970",
        id: Some("4f797c539e6c745de61a93ca3ff892358ecbcaccd8414d5db545c38428142970"),
        ..HOST
    },
    Case {
        source: "podman, root, systemd, v2 (collector tests)",
        text: "0::/machine.slice/libpod-e9cf81e3b1d172752567c8fe6ac48c1c751b9237ab47bf55cbfd5a971a4a9519.scope/container",
        id: Some("e9cf81e3b1d172752567c8fe6ac48c1c751b9237ab47bf55cbfd5a971a4a9519"),
        runtime: Some("podman"),
        ..HOST
    },
    Case {
        source: "podman, rootless, systemd, v2",
        text: "0::/user.slice/user-1001.slice/user@1001.service/user.slice/libpod-e9cf81e3b1d172752567c8fe6ac48c1c751b9237ab47bf55cbfd5a971a4a9519.scope/container",
        id: Some("e9cf81e3b1d172752567c8fe6ac48c1c751b9237ab47bf55cbfd5a971a4a9519"),
        runtime: Some("podman"),
        ..HOST
    },
    Case {
        source: "podman, cgroupfs, v1 (podman inspect)",
        text: "4:cpu:/libpod_parent/libpod-cf594798841275880f780c2aa55954b2d218b92a7c82df039aef02e2f4fe83f1",
        id: Some("cf594798841275880f780c2aa55954b2d218b92a7c82df039aef02e2f4fe83f1"),
        runtime: Some("podman"),
        ..HOST
    },
    Case {
        source: "podman's own pods are none of Kubernetes (podman #6400)",
        text: "0::/user.slice/user-libpod_pod_e9cf81e3b1d172752567c8fe6ac48c1c751b9237ab47bf55cbfd5a971a4a9519.slice/libpod-cf594798841275880f780c2aa55954b2d218b92a7c82df039aef02e2f4fe83f1.scope/container",
        id: Some("cf594798841275880f780c2aa55954b2d218b92a7c82df039aef02e2f4fe83f1"),
        runtime: Some("podman"),
        ..HOST
    },
    Case {
        source: "podman, a container's monitor (collector tests)",
        text: "0::/machine.slice/libpod-conmon-b6ce30d02945df4bbf8e8b7193b2c56ebb3cd10227dd7e59d7f7cdc2cfa2a307.scope",
        ..HOST
    },
    Case {
        source: "nerdctl, systemd, v2",
        text: "0::/system.slice/nerdctl-e9cf81e3b1d172752567c8fe6ac48c1c751b9237ab47bf55cbfd5a971a4a9519.scope",
        id: Some("e9cf81e3b1d172752567c8fe6ac48c1c751b9237ab47bf55cbfd5a971a4a9519"),
        runtime: Some("containerd"),
        ..HOST
    },
    Case {
        source: "ECS on Fargate, v1 (inspektor-gadget tests)",
        text: "4:cpu:/ecs/8a28a84664034325be01ca46b33d1dd3/8a28a84664034325be01ca46b33d1dd3-4092616770",
        id: Some("8a28a84664034325be01ca46b33d1dd3-4092616770"),
        ..HOST
    },
    Case {
        source: "a container that has just been removed",
        text: "0::/system.slice/docker-9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d.scope (deleted)",
        id: Some("9ec39b91f3d70e1beff50a308f77067065ea6be0d91a3378375056cd4422cf3d"),
        runtime: Some("docker"),
        ..HOST
    },
];

/// None of these is in a container.
pub(super) const ON_THE_HOST: &[&str] = &[
    "",
    "0::/",
    "0::/init.scope",
    "0::/system.slice/fixengine.service",
    "0::/system.slice/containerd.service",
    "0::/system.slice/kubelet.service",
    "0::/kubepods.slice",
    "0::/kubepods/burstable",
    "0::/kubepods.slice/kubepods-burstable.slice",
    "0::/user.slice/user-1000.slice/session-3.scope",
    "0::/user.slice/user-1000.slice/user@1000.service/user.slice/podman-239302.scope",
    "0::/user.slice/user-10000.slice/user@10000.service/app.slice/app-org.gnome.Terminal.slice/vte-spawn-f22f14d2-3d44-4304-9879-3fdd0df7b08e.scope",
    "0::/user.slice/user-1000.slice/user@1000.service/tmux-spawn-36fb3bf1-3d44-4304-9879-3fdd0df7b08e.scope",
    "0::/system.slice/run-r5d1a0c6e8f3b4a7c9d2e1f0a9b8c7d6e.scope",
    "0::/docker/buildkit/t4967jvf8rbufklrhkicskyes",
    "0::/machine.slice/podman-web.service",
    "0::/podman",
    "13:name=systemd:/user/1000.user/c2.session\n12:pids:/\n4:cpu:/user/1000.user/c2.session",
    "11:cpuacct,cpu:/system.slice\n10:perf_event:/system.slice\n1:name=systemd:/system.slice",
];
