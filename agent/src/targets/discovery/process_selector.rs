//! Which processes are asked for.

use super::pattern::{CommandLine, Glob};
use crate::kube::selector::{Answer, PodSelector};

/// Yes or no, both known.
const fn known(yes: bool) -> Answer {
    if yes { Answer::Yes } else { Answer::No }
}

/// Both have to be.
const fn both(one: Answer, other: Answer) -> Answer {
    match (one, other) {
        (Answer::No, _) | (_, Answer::No) => Answer::No,
        (Answer::NotYet, _) | (_, Answer::NotYet) => Answer::NotYet,
        _ => Answer::Yes,
    }
}

/// What a selector asks a process for. Nothing is read before it is asked for.
pub trait Subject {
    /// The name of its main thread.
    fn comm(&self) -> String;
    /// Its arguments, with a space in between.
    fn command_line(&self) -> String;
    /// The paths of its cgroups, below the mounts.
    fn cgroups(&self) -> Vec<String>;
    /// Whether its pod is one of these.
    fn pod(&self, wanted: &PodSelector) -> Answer;
}

/// Of values of one kind any has to fit, of the kinds each.
#[derive(Clone, Debug, Default)]
pub struct Selector {
    /// `--comm`
    pub comms: Vec<Glob>,
    /// `--cmdline`
    pub command_lines: Vec<CommandLine>,
    /// `--cgroup`
    pub cgroups: Vec<Glob>,
    /// `--namespace`, `--pod-selector`
    pub pods: PodSelector,
}

impl Selector {
    /// Whether it is for the process.
    #[must_use]
    pub fn selects(&self, subject: &dyn Subject) -> Answer {
        let here = both(self.comm(subject), self.command_line(subject));
        let here = both(here, self.cgroup(subject));
        // The API is asked for nothing that is left out anyway.
        match here {
            Answer::No => here,
            _ => both(here, subject.pod(&self.pods)),
        }
    }

    fn comm(&self, subject: &dyn Subject) -> Answer {
        if self.comms.is_empty() {
            return Answer::Yes;
        }
        let comm = subject.comm();
        known(self.comms.iter().any(|glob| glob.matches(&comm)))
    }

    fn command_line(&self, subject: &dyn Subject) -> Answer {
        if self.command_lines.is_empty() {
            return Answer::Yes;
        }
        let line = subject.command_line();
        known(self.command_lines.iter().any(|wanted| wanted.is_in(&line)))
    }

    fn cgroup(&self, subject: &dyn Subject) -> Answer {
        if self.cgroups.is_empty() {
            return Answer::Yes;
        }
        let paths = subject.cgroups();
        let fits = |glob: &Glob| paths.iter().any(|path| glob.matches(path));
        known(self.cgroups.iter().any(fits))
    }
}
