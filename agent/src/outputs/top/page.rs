//! The pages by name.

/// A page of the live view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Page {
    /// All sessions.
    #[default]
    Sessions,
    /// One of them.
    Session,
    /// The threads of its process.
    Threads,
    /// The cgroups of its process, and the agent itself.
    Cgroup,
}

impl Page {
    /// Every page, in the order of their numbers, from 1 on.
    pub(super) const ALL: [Self; 4] = [Self::Sessions, Self::Session, Self::Threads, Self::Cgroup];

    /// Its name on the line of pages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Session => "session",
            Self::Threads => "threads",
            Self::Cgroup => "cgroup",
        }
    }

    /// The page `by` numbers on; after the last comes the first.
    pub(super) const fn turned(self, by: usize) -> Self {
        Self::ALL[(self as usize + by) % Self::ALL.len()]
    }
}
