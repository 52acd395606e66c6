//! Conditions on processes.

use super::pattern::{CommandLineRegex, Glob};
use crate::kube::{PodSelector, SelectorMatch};

/// The attributes of a process that conditions are on. A selector asks only for those it needs.
pub(crate) trait ProcessAttributes {
    /// The name of its main thread, at most 15 bytes; empty when there is no such process.
    fn comm(&self) -> String;
    /// Its arguments, separated by spaces; empty when there is no such process.
    fn command_line(&self) -> String;
    /// The paths of its cgroups below the mounts, one per hierarchy.
    fn cgroups(&self) -> Vec<String>;
    /// Whether its pod matches.
    fn matches_pod(&self, selector: &PodSelector) -> SelectorMatch;
}

/// Conditions on a process. Repeated selectors of one kind are ORed; different kinds are ANDed.
#[derive(Clone, Debug, Default)]
pub struct ProcessSelector {
    /// `--comm`
    pub comms: Vec<Glob>,
    /// `--cmdline`
    pub command_lines: Vec<CommandLineRegex>,
    /// `--cgroup`
    pub cgroups: Vec<Glob>,
    /// `--namespace`, `--pod-selector`
    pub pods: PodSelector,
}

impl ProcessSelector {
    /// Whether the process matches.
    pub(crate) fn selects(&self, process: &dyn ProcessAttributes) -> SelectorMatch {
        let local = self
            .selects_comm(process)
            .and(self.selects_command_line(process))
            .and(self.selects_cgroup(process));
        // The pods are not asked about a process that is excluded anyway.
        match local {
            SelectorMatch::No => local,
            _ => local.and(process.matches_pod(&self.pods)),
        }
    }

    fn selects_comm(&self, process: &dyn ProcessAttributes) -> SelectorMatch {
        if self.comms.is_empty() {
            return SelectorMatch::Yes;
        }
        let comm = process.comm();
        self.comms.iter().any(|glob| glob.matches(&comm)).into()
    }

    fn selects_command_line(&self, process: &dyn ProcessAttributes) -> SelectorMatch {
        if self.command_lines.is_empty() {
            return SelectorMatch::Yes;
        }
        let line = process.command_line();
        let mut patterns = self.command_lines.iter();
        patterns.any(|regex| regex.is_in(&line)).into()
    }

    fn selects_cgroup(&self, process: &dyn ProcessAttributes) -> SelectorMatch {
        if self.cgroups.is_empty() {
            return SelectorMatch::Yes;
        }
        let paths = process.cgroups();
        let matches = |glob: &Glob| paths.iter().any(|path| glob.matches(path));
        self.cgroups.iter().any(matches).into()
    }
}
