//! Which processes are asked for.

use super::pattern::{CommandLine, Glob};

/// Whether a selector is for a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selects {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// Something it asks for is not known yet.
    NotYet,
}

impl Selects {
    const fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }

    /// Both have to be.
    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::NotYet, _) | (_, Self::NotYet) => Self::NotYet,
            _ => Self::Yes,
        }
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
}

impl Selector {
    /// Whether it is for the process.
    #[must_use]
    pub fn selects(&self, subject: &dyn Subject) -> Selects {
        self.comm(subject)
            .and(self.command_line(subject))
            .and(self.cgroup(subject))
    }

    fn comm(&self, subject: &dyn Subject) -> Selects {
        if self.comms.is_empty() {
            return Selects::Yes;
        }
        let comm = subject.comm();
        Selects::from(self.comms.iter().any(|glob| glob.matches(&comm)))
    }

    fn command_line(&self, subject: &dyn Subject) -> Selects {
        if self.command_lines.is_empty() {
            return Selects::Yes;
        }
        let line = subject.command_line();
        Selects::from(self.command_lines.iter().any(|wanted| wanted.is_in(&line)))
    }

    fn cgroup(&self, subject: &dyn Subject) -> Selects {
        if self.cgroups.is_empty() {
            return Selects::Yes;
        }
        let paths = subject.cgroups();
        let fits = |glob: &Glob| paths.iter().any(|path| glob.matches(path));
        Selects::from(self.cgroups.iter().any(fits))
    }
}
