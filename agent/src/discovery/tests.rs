//! Decisions, and what they rest on.

use super::*;

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
}

const DROP_COPY: Process = Process {
    comm: "python3",
    line: "python3 -m dropcopy --env prod",
    cgroups: &["/kubepods/burstable/pod7/c1", "/"],
};

fn globs(of: &[&str]) -> Vec<Glob> {
    of.iter().map(|text| text.parse().expect("valid")).collect()
}

fn selects(comms: &[&str], line: Option<&str>, cgroups: &[&str]) -> Selects {
    let lines = line.into_iter().map(|text| text.parse().expect("valid"));
    let selector = Selector {
        comms: globs(comms),
        command_lines: lines.collect(),
        cgroups: globs(cgroups),
    };
    selector.selects(&DROP_COPY)
}

#[test]
fn of_one_kind_any_has_to_fit_and_each_kind() {
    assert_eq!(selects(&[], None, &[]), Selects::Yes);
    assert_eq!(selects(&["java", "python*"], None, &[]), Selects::Yes);
    assert_eq!(selects(&["python"], None, &[]), Selects::No);
    assert_eq!(selects(&[], Some("drop.*prod$"), &[]), Selects::Yes);
    assert_eq!(selects(&[], Some("^dropcopy"), &[]), Selects::No);
    assert_eq!(selects(&[], None, &["/kubepods/*/c1"]), Selects::Yes);
    assert_eq!(selects(&[], None, &["/kubepods/?/c1"]), Selects::No);
    assert_eq!(selects(&["python3"], Some("prod"), &["/x"]), Selects::No);
    assert_eq!(selects(&["python3"], Some("prod"), &["/*"]), Selects::Yes);
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
