use proptest::prelude::*;

use super::*;

/// The text of a `cgroup`, and what it names.
struct Case {
    /// Where it comes from: cluster, runtime, cgroup driver and version.
    source: &'static str,
    text: &'static str,
    id: Option<&'static str>,
    runtime: Option<&'static str>,
    uid: Option<&'static str>,
    qos: Option<Qos>,
}

const HOST: Case = Case {
    source: "",
    text: "",
    id: None,
    runtime: None,
    uid: None,
    qos: None,
};

/// From public issues, tests and documents of these projects.
const CASES: &[Case] = &[
    Case {
        source: "kubeadm, containerd, systemd, v2, burstable (netdata #4868)",
        text: "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod03f3f104_3215_44f2_9686_d4dd1f05a7ed.slice/cri-containerd-09d185410c4e25236cc24717f881589bb0978b24eafd101624e627a4dd8d3439.scope",
        id: Some("09d185410c4e25236cc24717f881589bb0978b24eafd101624e627a4dd8d3439"),
        runtime: Some("containerd"),
        uid: Some("03f3f104-3215-44f2-9686-d4dd1f05a7ed"),
        qos: Some(Qos::Burstable),
    },
    Case {
        source: "the same, a static pod: the hash of its manifest",
        text: "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod187bff14cccb94f179e943eacce55bb3.slice/cri-containerd-c203a2647ef1ad78e990157c50331f3b6ef0b03336cf08535d6bf7faa5421415.scope",
        id: Some("c203a2647ef1ad78e990157c50331f3b6ef0b03336cf08535d6bf7faa5421415"),
        runtime: Some("containerd"),
        uid: Some("187bff14cccb94f179e943eacce55bb3"),
        qos: Some(Qos::Burstable),
    },
    Case {
        source: "k3s, containerd, systemd, v2, besteffort (cryptnono #47)",
        text: "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod7fda01c4_0ece_403d_88b4_c371d66d132a.slice/cri-containerd-e58a24d4a722c99712cff74ef69d93311089584eb32617b3890e0dcb996133f1.scope",
        id: Some("e58a24d4a722c99712cff74ef69d93311089584eb32617b3890e0dcb996133f1"),
        runtime: Some("containerd"),
        uid: Some("7fda01c4-0ece-403d-88b4-c371d66d132a"),
        qos: Some(Qos::BestEffort),
    },
    Case {
        source: "EKS on Bottlerocket, containerd, systemd, v1, besteffort (neuvector)",
        text: "11:cpuset:/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-poddd1bf9d1_241d_47f5_8e25_12de83135812.slice/cri-containerd-f45298cd514d1930c4fe3afc4412e59547f7e3148fddd22ca33cefce046eb830.scope",
        id: Some("f45298cd514d1930c4fe3afc4412e59547f7e3148fddd22ca33cefce046eb830"),
        runtime: Some("containerd"),
        uid: Some("dd1bf9d1-241d-47f5-8e25-12de83135812"),
        qos: Some(Qos::BestEffort),
    },
    Case {
        source: "GKE, docker, cgroupfs, v1, burstable (collector tests; the UID ends in a GCE address)",
        text: "4:cpu,cpuacct:/kubepods/burstable/pod7cd3dba6-e475-11e9-8f99-42010a8a00d2/2bc55a8cae1704a733ba5d785d146bbed9610483380507cbf00c96b32bb637e1",
        id: Some("2bc55a8cae1704a733ba5d785d146bbed9610483380507cbf00c96b32bb637e1"),
        runtime: None,
        uid: Some("7cd3dba6-e475-11e9-8f99-42010a8a00d2"),
        qos: Some(Qos::Burstable),
    },
    Case {
        source: "GKE, docker, systemd, v1, burstable (collector tests)",
        text: "4:cpu,cpuacct:/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podce705797_e47e_11e9_bd71_42010a000002.slice/docker-6525e65814a99d431b6978e8f8c895013176c6c58173b56639d4b020c14e6022.scope",
        id: Some("6525e65814a99d431b6978e8f8c895013176c6c58173b56639d4b020c14e6022"),
        runtime: Some("docker"),
        uid: Some("ce705797-e47e-11e9-bd71-42010a000002"),
        qos: Some(Qos::Burstable),
    },
    Case {
        source: "docker, systemd, v1, guaranteed: no folder of a class",
        text: "2:cpu:/kubepods.slice/kubepods-podd0d034ed_5204_11e7_9710_507b9d27b5d9.slice/docker-a91b1981b6a4ae463fccd273e3f8665fd911e9abcaa1af27de773afb17ec4344.scope",
        id: Some("a91b1981b6a4ae463fccd273e3f8665fd911e9abcaa1af27de773afb17ec4344"),
        runtime: Some("docker"),
        uid: Some("d0d034ed-5204-11e7-9710-507b9d27b5d9"),
        qos: Some(Qos::Guaranteed),
    },
    Case {
        source: "kind, cgroupfs, v1, guaranteed (kind #2175)",
        text: "4:memory:/docker/428406e4f18a1cb65e9691d40b63f3d92c95c1b0d15b5c427bed470b6832cd6e/kubelet/kubepods/pod1788d98a-0700-426a-8701-2312e4cc2163/a51a9f7d073f848e7fc59e56e8f11524f330a2175a4ed26327da2dfe0d28015e",
        id: Some("a51a9f7d073f848e7fc59e56e8f11524f330a2175a4ed26327da2dfe0d28015e"),
        runtime: None,
        uid: Some("1788d98a-0700-426a-8701-2312e4cc2163"),
        qos: Some(Qos::Guaranteed),
    },
    Case {
        source: "OpenShift, CRI-O, systemd, v1, burstable (runc #4620)",
        text: "13:freezer:/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poda5c1f8d5_1919_434d_add7_4afaafdaef89.slice/crio-5eed917563583925ffdbd40a64efb2aaffe58638e57add8becaf460fe74f5b1c.scope\n11:files:/",
        id: Some("5eed917563583925ffdbd40a64efb2aaffe58638e57add8becaf460fe74f5b1c"),
        runtime: Some("cri-o"),
        uid: Some("a5c1f8d5-1919-434d-add7-4afaafdaef89"),
        qos: Some(Qos::Burstable),
    },
    Case {
        source: "OpenShift, CRI-O with crun, systemd, v2: a group below the scope",
        text: "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poda5c1f8d5_1919_434d_add7_4afaafdaef89.slice/crio-5eed917563583925ffdbd40a64efb2aaffe58638e57add8becaf460fe74f5b1c.scope/container",
        id: Some("5eed917563583925ffdbd40a64efb2aaffe58638e57add8becaf460fe74f5b1c"),
        runtime: Some("cri-o"),
        uid: Some("a5c1f8d5-1919-434d-add7-4afaafdaef89"),
        qos: Some(Qos::Burstable),
    },
    Case {
        source: "the same node, that container's monitor (runc #4620)",
        text: "1:name=systemd:/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poda5c1f8d5_1919_434d_add7_4afaafdaef89.slice/crio-conmon-5eed917563583925ffdbd40a64efb2aaffe58638e57add8becaf460fe74f5b1c.scope",
        uid: Some("a5c1f8d5-1919-434d-add7-4afaafdaef89"),
        qos: Some(Qos::Burstable),
        ..HOST
    },
    Case {
        source: "CRI-O 1.0, cgroupfs, v1, burstable: with its prefix (cri-o #811, #812)",
        text: "4:cpu:/kubepods/burstable/pod58662905-8ccc-11e7-a695-c85b76cda386/crio-1659f887a192f3515dd9b91a41d274abf29ca49de3d2330869131b2d93b45b94",
        id: Some("1659f887a192f3515dd9b91a41d274abf29ca49de3d2330869131b2d93b45b94"),
        runtime: Some("cri-o"),
        uid: Some("58662905-8ccc-11e7-a695-c85b76cda386"),
        qos: Some(Qos::Burstable),
    },
    Case {
        source: "minikube on docker, CRI-O, systemd, v1, besteffort (minikube #11280)",
        text: "8:cpu,cpuacct:/docker/d6701ec289c56e4391acb11d07474b3139466857a305490575508a8b7a9fcf22/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod2ca4a155_3599_498d_bb9d_4446693fa3ea.slice/crio-358607a37e7ada357032e7f5729c9ae6a3efdb7962acbcbe47ff6a3c5506cb1c.scope",
        id: Some("358607a37e7ada357032e7f5729c9ae6a3efdb7962acbcbe47ff6a3c5506cb1c"),
        runtime: Some("cri-o"),
        uid: Some("2ca4a155-3599-498d-bb9d-4446693fa3ea"),
        qos: Some(Qos::BestEffort),
    },
    Case {
        source: "containerd below its own service, colons, v1 (elastic apm-agent-nodejs #3550)",
        text: "1:name=systemd:/system.slice/containerd.service/kubepods-burstable-podff49d0be_16b7_4a49_bb9e_8ec1f1f4e27f.slice:cri-containerd:0f99ad5f45163ed14ab8eaf92ed34bb4a631d007f8755a7d79be614bcb0df0ef",
        id: Some("0f99ad5f45163ed14ab8eaf92ed34bb4a631d007f8755a7d79be614bcb0df0ef"),
        runtime: Some("containerd"),
        uid: Some("ff49d0be-16b7-4a49-bb9e-8ec1f1f4e27f"),
        qos: Some(Qos::Burstable),
    },
    Case {
        source: "Kubernetes 1.24, containerd, colons, guaranteed, v1 (opentelemetry-java)",
        text: "11:devices:/system.slice/containerd.service/kubepods-pod87a18a64_b74a_454a_b10b_a4a36059d0a3.slice:cri-containerd:05c48c82caff3be3d7f1e896981dd410e81487538936914f32b624d168de9db0",
        id: Some("05c48c82caff3be3d7f1e896981dd410e81487538936914f32b624d168de9db0"),
        runtime: Some("containerd"),
        uid: Some("87a18a64-b74a-454a-b10b-a4a36059d0a3"),
        qos: Some(Qos::Guaranteed),
    },
    Case {
        source: "containerd 1.4.4, colons at the root and below the service, v1 (neuvector)",
        text: "11:pids:/system.slice/containerd.service/kubepods-besteffort-pod2105e389_7471_476e_a50f_6074cef29bbd.slice:cri-containerd:d3d8ccf5cca91931c6285c1d7472c413dd5a7700fddc0aa9f89a9ac7008b003e\n10:freezer:/kubepods-besteffort-pod2105e389_7471_476e_a50f_6074cef29bbd.slice:cri-containerd:d3d8ccf5cca91931c6285c1d7472c413dd5a7700fddc0aa9f89a9ac7008b003e",
        id: Some("d3d8ccf5cca91931c6285c1d7472c413dd5a7700fddc0aa9f89a9ac7008b003e"),
        runtime: Some("containerd"),
        uid: Some("2105e389-7471-476e-a50f-6074cef29bbd"),
        qos: Some(Qos::BestEffort),
    },
    Case {
        source: "containerd, cgroupfs, hybrid: v2 has the service only (datadog-agent)",
        text: "0::/system.slice/containerd.service\n12:rdma:/\n5:cpu,cpuacct:/kubepods/burstable/pod15513b48-e7a5-48fc-b9e3-92f713f36504/a51a9f7d073f848e7fc59e56e8f11524f330a2175a4ed26327da2dfe0d28015f",
        id: Some("a51a9f7d073f848e7fc59e56e8f11524f330a2175a4ed26327da2dfe0d28015f"),
        runtime: None,
        uid: Some("15513b48-e7a5-48fc-b9e3-92f713f36504"),
        qos: Some(Qos::Burstable),
    },
    Case {
        source: "kind, cgroupfs, hybrid: the node's own container on the v2 line (datadog-agent)",
        text: "0::/docker/88ea268ece65a02d68b169fd74bcbcb427eb7f28900db0e3b906fb2eeb7341df/system.slice/containerd.service\n2:cpu:/docker/88ea268ece65a02d68b169fd74bcbcb427eb7f28900db0e3b906fb2eeb7341df/kubelet/kubepods/burstable/poda5ea884f-9e60-4912-bd62-fef9a31db47a/a51a9f7d073f848e7fc59e56e8f11524f330a2175a4ed26327da2dfe0d28015e",
        id: Some("a51a9f7d073f848e7fc59e56e8f11524f330a2175a4ed26327da2dfe0d28015e"),
        runtime: None,
        uid: Some("a5ea884f-9e60-4912-bd62-fef9a31db47a"),
        qos: Some(Qos::Burstable),
    },
    Case {
        source: "kind on docker, containerd, systemd, v2, besteffort",
        text: "0::/system.slice/docker-3350ade4226f0adcd9e4e9545d7c2a16a5aa362d12315f2a88e2024cea1246cf.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-podb6a16766_05ee_446a_8ee5_ff96a817f47c.slice/cri-containerd-679f3691f7f1b20198548be43b86f265f9fff9be0ac4c973638f5ee89decbca9.scope",
        id: Some("679f3691f7f1b20198548be43b86f265f9fff9be0ac4c973638f5ee89decbca9"),
        runtime: Some("containerd"),
        uid: Some("b6a16766-05ee-446a-8ee5-ff96a817f47c"),
        qos: Some(Qos::BestEffort),
    },
    Case {
        source: "kind on podman, containerd, systemd, v2, besteffort (collector tests)",
        text: "0::/machine.slice/libpod-cbdfa0f1f08763b1963c30d98e11e1f052cb67f1e9b7c0ab8a6ca6c70cbcad69.scope/container/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/kubelet-kubepods-besteffort-pod6eab3b7b_f0a6_4bb8_bff2_d5bc9017c04b.slice/cri-containerd-5ebf11e02dbde102cda4b76bc0e3849a65f9edac7a12bdabfd34db01b9556101.scope",
        id: Some("5ebf11e02dbde102cda4b76bc0e3849a65f9edac7a12bdabfd34db01b9556101"),
        runtime: Some("containerd"),
        uid: Some("6eab3b7b-f0a6-4bb8-bff2-d5bc9017c04b"),
        qos: Some(Qos::BestEffort),
    },
    Case {
        source: "kind seen from inside its node, cgroupfs, v2 (a tutorial's /proc/*/cgroup)",
        text: "0::/kubelet/kubepods/besteffort/pod0ec90011-b5ae-4efc-8a54-d9fc34119605/f5cfbbf0ab83c29c42f4c1e84f12ca91ef77a2c39ee9b753b48cfbb743958947",
        id: Some("f5cfbbf0ab83c29c42f4c1e84f12ca91ef77a2c39ee9b753b48cfbb743958947"),
        runtime: None,
        uid: Some("0ec90011-b5ae-4efc-8a54-d9fc34119605"),
        qos: Some(Qos::BestEffort),
    },
    Case {
        source: "kind, the colons of its configuration",
        text: "0::/kubelet-kubepods-besteffort-pod83b090de_9676_407c_99aa_d33dc6aa0c0d.slice:cri-containerd:18b2adc8507104e412c946bec11679590801f547eee513fa298054f14fbf4240",
        id: Some("18b2adc8507104e412c946bec11679590801f547eee513fa298054f14fbf4240"),
        runtime: Some("containerd"),
        uid: Some("83b090de-9676-407c-99aa-d33dc6aa0c0d"),
        qos: Some(Qos::BestEffort),
    },
    Case {
        source: "cgroup namespace of a neighbouring pod, docker, systemd, v2 (datadog-agent; no leading slash)",
        text: "0::../../../kubepods-burstable.slice/kubepods-burstable-pod562c01d6_6aba_49fe_ae52_61c40c04eca4.slice/docker-a51a9f7d073f848e7fc59e56e8f11524f330a2175a4ed26327da2dfe0d28015f.scope",
        id: Some("a51a9f7d073f848e7fc59e56e8f11524f330a2175a4ed26327da2dfe0d28015f"),
        runtime: Some("docker"),
        uid: Some("562c01d6-6aba-49fe-ae52-61c40c04eca4"),
        qos: Some(Qos::Burstable),
    },
    Case {
        source: "cgroup namespace, k0s, cgroupfs, v2: kubepods itself is out of sight",
        text: "0::/../../../burstable/pod6d3cdd7b-1f0a-4c12-9a35-0f6f6a9a0c11/cfee67d1b5b6f2da8008be266864f896f93789762b2ce50792114a5c5f2cc331",
        id: Some("cfee67d1b5b6f2da8008be266864f896f93789762b2ce50792114a5c5f2cc331"),
        runtime: None,
        uid: Some("6d3cdd7b-1f0a-4c12-9a35-0f6f6a9a0c11"),
        qos: Some(Qos::Burstable),
    },
    Case {
        source: "cgroup namespace, a static pod of the same class: nothing of the class in sight",
        text: "0::/../../pode039200acb850c82bb901653cc38ff6e/58452031ab6dcaa4fe3ff91f8a46fd41a4a2405586f3cf3d5cb9c93b5bcf62cc",
        id: Some("58452031ab6dcaa4fe3ff91f8a46fd41a4a2405586f3cf3d5cb9c93b5bcf62cc"),
        runtime: None,
        uid: Some("e039200acb850c82bb901653cc38ff6e"),
        qos: None,
    },
    Case {
        source: "k3s, kubelet in a service of its own, systemd, v2",
        text: "0::/system.slice/k3s.service/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod414cbe69_8d5a_4d9f_8ad4_6606f7f69e33.slice/cri-containerd-38091356e51538f55de271b8822e9cc081a110663e7dc7cebfe5f1fe4ee6d75c.scope",
        id: Some("38091356e51538f55de271b8822e9cc081a110663e7dc7cebfe5f1fe4ee6d75c"),
        runtime: Some("containerd"),
        uid: Some("414cbe69-8d5a-4d9f-8ad4-6606f7f69e33"),
        qos: Some(Qos::Burstable),
    },
    Case {
        source: "DC/OS, cgroupfs, v1, kubelet in two tasks whose ids are UUIDs (collector tests)",
        text: "9:cpu:/mesos/3b1cf944-1d97-40a6-ac73-b156ac2f2bfe/mesos/077d75a1-d7b6-4e55-8114-13f925fe4f49/kubepods/besteffort/pod8e18d5f1-1421-42b7-8151-fb1c3be4bd4d/e73c55f3e7f5b6a9cfc32a89bf13e44d348bcc4fa7b079f804d61fb1532ddbe5",
        id: Some("e73c55f3e7f5b6a9cfc32a89bf13e44d348bcc4fa7b079f804d61fb1532ddbe5"),
        runtime: None,
        uid: Some("8e18d5f1-1421-42b7-8151-fb1c3be4bd4d"),
        qos: Some(Qos::BestEffort),
    },
    Case {
        source: "Docker Desktop's Kubernetes, cgroupfs, v1: kubepods twice (collector tests)",
        text: "9:cpu:/kubepods/kubepods/besteffort/pod690705f9-df6e-11e9-8dc5-025000000001/c3bfd81b7da0be97190a74a7d459f4dfa18f57c88765cde2613af112020a1c4b",
        id: Some("c3bfd81b7da0be97190a74a7d459f4dfa18f57c88765cde2613af112020a1c4b"),
        runtime: None,
        uid: Some("690705f9-df6e-11e9-8dc5-025000000001"),
        qos: Some(Qos::BestEffort),
    },
    Case {
        source: "kube-proxy, cgroupfs, v1: a group of its own below the container's (neuvector)",
        text: "11:freezer:/kubepods/besteffort/podf8a694f2-7c08-11e9-98da-000c29077430/c04e0a88a1de067f25bece337d4dbb897396e0b623c2a65330850fc9823f1903/kube-proxy",
        id: Some("c04e0a88a1de067f25bece337d4dbb897396e0b623c2a65330850fc9823f1903"),
        runtime: None,
        uid: Some("f8a694f2-7c08-11e9-98da-000c29077430"),
        qos: Some(Qos::BestEffort),
    },
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
    Case {
        source: "a process of the pod in none of its containers (a VM's monitor)",
        text: "0::/kubepods/burstable/pod15513b48-e7a5-48fc-b9e3-92f713f36504",
        uid: Some("15513b48-e7a5-48fc-b9e3-92f713f36504"),
        qos: Some(Qos::Burstable),
        ..HOST
    },
];

/// None of these is in a container.
const ON_THE_HOST: &[&str] = &[
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

#[test]
fn real_paths_name_container_and_pod() {
    for case in CASES {
        let owner = CgroupOwner::parse(case.text);
        let expected = CgroupOwner {
            container: case.id.map(|id| ContainerRef {
                id: id.to_owned(),
                runtime: case.runtime,
            }),
            pod: case.uid.map(|uid| PodRef {
                uid: uid.to_owned(),
                qos: case.qos,
            }),
        };
        assert_eq!(owner, expected, "{}", case.source);
    }
}

#[test]
fn a_process_of_the_host_is_in_no_container() {
    for text in ON_THE_HOST {
        assert_eq!(CgroupOwner::parse(text), CgroupOwner::default(), "{text}");
    }
}

#[test]
fn in_a_pod_the_outermost_container_counts() {
    let (outer, inner) = ("a".repeat(64), "b".repeat(64));
    let pod = "/kubepods/burstable/pod15513b48-e7a5-48fc-b9e3-92f713f36504";
    let owner = CgroupOwner::of_path(&format!("{pod}/{outer}/docker/{inner}"));
    assert_eq!(owner.container.map(|c| c.id), Some(outer));
}

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
