//! Decisions, and what they rest on.

use super::*;
use crate::{
    domain::{Pod, ProcessInfo},
    kube::selector::PodSelector,
};

struct Process {
    comm: &'static str,
    line: &'static str,
    cgroups: &'static [&'static str],
}

impl Subject for Process {
    fn comm(&self) -> String {
        self.comm.to_owned()
    }

    fn command_line(&self) -> String {
        self.line.to_owned()
    }

    fn cgroups(&self) -> Vec<String> {
        self.cgroups.iter().map(|&path| path.to_owned()).collect()
    }

    /// In a pod the API has not told of.
    fn pod(&self, wanted: &PodSelector) -> Answer {
        let facts = ProcessInfo {
            pod: Some(Pod::default()),
            ..ProcessInfo::default()
        };
        wanted.matches(&facts, None)
    }
}

const DROP_COPY: Process = Process {
    comm: "python3",
    line: "python3 -m dropcopy --env prod",
    cgroups: &["/kubepods/burstable/pod7/c1", "/"],
};

fn globs(of: &[&str]) -> Vec<Glob> {
    of.iter().map(|text| text.parse().expect("valid")).collect()
}

fn selects(comms: &[&str], line: Option<&str>, cgroups: &[&str]) -> Answer {
    let lines = line.into_iter().map(|text| text.parse().expect("valid"));
    let selector = Selector {
        comms: globs(comms),
        command_lines: lines.collect(),
        cgroups: globs(cgroups),
        ..Selector::default()
    };
    selector.selects(&DROP_COPY)
}

#[test]
fn of_one_kind_any_has_to_fit_and_each_kind() {
    assert_eq!(selects(&[], None, &[]), Answer::Yes);
    assert_eq!(selects(&["java", "python*"], None, &[]), Answer::Yes);
    assert_eq!(selects(&["python"], None, &[]), Answer::No);
    assert_eq!(selects(&[], Some("drop.*prod$"), &[]), Answer::Yes);
    assert_eq!(selects(&[], Some("^dropcopy"), &[]), Answer::No);
    assert_eq!(selects(&[], None, &["/kubepods/*/c1"]), Answer::Yes);
    assert_eq!(selects(&[], None, &["/kubepods/?/c1"]), Answer::No);
    assert_eq!(selects(&["python3"], Some("prod"), &["/x"]), Answer::No);
    assert_eq!(selects(&["python3"], Some("prod"), &["/*"]), Answer::Yes);
}

#[test]
fn what_is_no_pattern_is_told() {
    for bad in ["", "[a", "a***"] {
        assert!(bad.parse::<Glob>().is_err(), "{bad}");
    }
    assert!("(".parse::<CommandLine>().is_err());
}

#[test]
fn decisions_are_remembered_until_the_process_ends_and_bounded() {
    let mut discovery = Discovery::new(Selector::default());
    assert_eq!(discovery.decided(7), None);
    assert_eq!(discovery.decide(7, &DROP_COPY), Decision::Follow);
    assert_eq!(discovery.decided(7), Some(Decision::Follow));
    assert_eq!(discovery.followed().collect::<Vec<_>>(), [7]);
    discovery.ended(7);
    assert_eq!(discovery.decided(7), None);
    for pid in 0..2 * MOST as u32 {
        discovery.decide(pid, &DROP_COPY);
    }
    assert_eq!(discovery.decided.len(), MOST);
    assert_eq!(discovery.crowded(), MOST as u64);
    assert_eq!(discovery.decide(5, &DROP_COPY), Decision::Follow);
}

#[test]
fn a_pod_that_is_not_known_yet_is_waited_for() {
    let pods = PodSelector {
        namespaces: vec!["trading".to_owned()],
        ..PodSelector::default()
    };
    let mut discovery = Discovery::new(Selector {
        comms: globs(&["python3"]),
        pods: pods.clone(),
        ..Selector::default()
    });
    assert_eq!(discovery.decide(7, &DROP_COPY), Decision::Wait);
    assert_eq!(discovery.waiting().collect::<Vec<_>>(), [7]);
    let mut discovery = Discovery::new(Selector {
        comms: globs(&["java"]),
        pods,
        ..Selector::default()
    });
    assert_eq!(discovery.decide(7, &DROP_COPY), Decision::Leave);
}
