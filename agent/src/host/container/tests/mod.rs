//! The names of cgroups as clusters and runtimes write them.

mod generated;
mod kubernetes;
mod plain;

use super::{CgroupOwner, ContainerRef, PodRef};
use crate::domain::Qos;

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

#[test]
fn real_paths_name_container_and_pod() {
    for case in kubernetes::CASES.iter().chain(plain::CASES) {
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
    for text in plain::ON_THE_HOST {
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
