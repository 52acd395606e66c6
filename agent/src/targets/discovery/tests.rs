//! Decisions, and the selectors they rest on.

use super::*;
use crate::{
    domain::{Pod, ProcessInfo},
    kube::PodSelector,
};

struct Process {
    comm: &'static str,
    line: &'static str,
    cgroups: &'static [&'static str],
}

impl ProcessAttributes for Process {
    fn comm(&self) -> String {
        self.comm.to_owned()
    }

    fn command_line(&self) -> String {
        self.line.to_owned()
    }

    fn cgroups(&self) -> Vec<String> {
        self.cgroups.iter().map(|&path| path.to_owned()).collect()
    }

    /// In a pod that the API has not reported yet.
    fn matches_pod(&self, selector: &PodSelector) -> SelectorMatch {
        let facts = ProcessInfo {
            pod: Some(Pod::default()),
            ..ProcessInfo::default()
        };
        selector.matches(&facts, None)
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

fn selects(comms: &[&str], line: Option<&str>, cgroups: &[&str]) -> SelectorMatch {
    let lines = line.into_iter().map(|text| text.parse().expect("valid"));
    let selector = ProcessSelector {
        comms: globs(comms),
        command_lines: lines.collect(),
        cgroups: globs(cgroups),
        ..ProcessSelector::default()
    };
    selector.selects(&DROP_COPY)
}

#[test]
fn selectors_of_one_kind_are_ored_and_kinds_are_anded() {
    assert_eq!(selects(&[], None, &[]), SelectorMatch::Yes);
    assert_eq!(selects(&["java", "python*"], None, &[]), SelectorMatch::Yes);
    assert_eq!(selects(&["python"], None, &[]), SelectorMatch::No);
    assert_eq!(selects(&[], Some("drop.*prod$"), &[]), SelectorMatch::Yes);
    assert_eq!(selects(&[], Some("^dropcopy"), &[]), SelectorMatch::No);
    assert_eq!(selects(&[], None, &["/kubepods/*/c1"]), SelectorMatch::Yes);
    assert_eq!(selects(&[], None, &["/kubepods/?/c1"]), SelectorMatch::No);
    assert_eq!(
        selects(&["python3"], Some("prod"), &["/x"]),
        SelectorMatch::No
    );
    assert_eq!(
        selects(&["python3"], Some("prod"), &["/*"]),
        SelectorMatch::Yes
    );
}

#[test]
fn an_invalid_pattern_is_refused() {
    for bad in ["", "[a", "a***"] {
        assert!(bad.parse::<Glob>().is_err(), "{bad}");
    }
    assert!("(".parse::<CommandLineRegex>().is_err());
}

#[test]
fn decisions_hold_until_the_process_ends_and_are_bounded() {
    let mut decisions = DiscoveryDecisions::new(ProcessSelector::default());
    assert_eq!(decisions.decided(7), None);
    assert_eq!(decisions.decide(7, &DROP_COPY), Decision::Follow);
    assert_eq!(decisions.decided(7), Some(Decision::Follow));
    assert!(decisions.undecided().next().is_none());
    decisions.ended(7);
    assert_eq!(decisions.decided(7), None);
    for pid in 0..2 * MAX_PROCESSES as u32 {
        decisions.decide(pid, &DROP_COPY);
    }
    assert_eq!(decisions.decided.len(), MAX_PROCESSES);
    assert_eq!(decisions.crowded, MAX_PROCESSES as u64);
    assert_eq!(decisions.decide(5, &DROP_COPY), Decision::Follow);
}

#[test]
fn a_process_is_undecided_until_its_pod_is_known() {
    let pods = PodSelector {
        namespaces: vec!["trading".to_owned()],
        ..PodSelector::default()
    };
    let mut decisions = DiscoveryDecisions::new(ProcessSelector {
        comms: globs(&["python3"]),
        pods: pods.clone(),
        ..ProcessSelector::default()
    });
    assert_eq!(decisions.decide(7, &DROP_COPY), Decision::Undecided);
    assert_eq!(decisions.undecided().collect::<Vec<_>>(), [7]);
    let mut decisions = DiscoveryDecisions::new(ProcessSelector {
        comms: globs(&["java"]),
        pods,
        ..ProcessSelector::default()
    });
    assert_eq!(decisions.decide(7, &DROP_COPY), Decision::Exclude);
}
