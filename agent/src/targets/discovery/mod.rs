//! `--all`: which of the processes that read FIX are followed.
//!
//! The probes find streams; here it is decided once for each process whether it is one of those
//! asked for, and remembered until it ends.

mod pattern;
mod process_selector;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

pub use pattern::{CommandLine, Glob};
pub use process_selector::{Selector, Subject};

use crate::kube::selector::Answer;

/// Whether a process is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is.
    Follow,
    /// It is not: a selector leaves it out.
    Leave,
    /// Not yet known: what a selector asks for has not been told. It is not followed until it has.
    Wait,
}

/// Processes decided on, at the most; beyond, new ones are not followed (and counted).
const MOST: usize = 4096;

/// The decisions so far.
#[derive(Debug)]
pub struct Discovery {
    selector: Selector,
    decided: HashMap<u32, Decision>,
    /// Of processes that are not followed, the sockets seen.
    not_selected: u64,
    crowded: u64,
}

impl Discovery {
    /// Nothing is found yet.
    #[must_use]
    pub fn new(selector: Selector) -> Self {
        Self {
            selector,
            decided: HashMap::new(),
            not_selected: 0,
            crowded: 0,
        }
    }

    /// What was decided on a process; `None`: nothing yet.
    #[must_use]
    pub fn decided(&self, pid: u32) -> Option<Decision> {
        self.decided.get(&pid).copied()
    }

    /// Decides on a process, or again when more is known of it.
    pub fn decide(&mut self, pid: u32, subject: &dyn Subject) -> Decision {
        if self.decided.len() >= MOST && !self.decided.contains_key(&pid) {
            self.crowded += 1;
            return Decision::Leave;
        }
        let decision = match self.selector.selects(subject) {
            Answer::Yes => Decision::Follow,
            Answer::No => Decision::Leave,
            Answer::NotYet => Decision::Wait,
        };
        self.decided.insert(pid, decision);
        decision
    }

    /// The processes that are followed.
    pub fn followed(&self) -> impl Iterator<Item = u32> + '_ {
        self.of(Decision::Follow)
    }

    /// The processes nothing could be decided on yet.
    pub fn waiting(&self) -> impl Iterator<Item = u32> + '_ {
        self.of(Decision::Wait)
    }

    fn of(&self, which: Decision) -> impl Iterator<Item = u32> + '_ {
        let decided = self.decided.iter();
        decided
            .filter(move |&(_, &decision)| decision == which)
            .map(|(&pid, _)| pid)
    }

    /// So many more FIX streams are left out.
    pub const fn left_out(&mut self, streams: u64) {
        self.not_selected += streams;
    }

    /// FIX streams left out so far.
    #[must_use]
    pub const fn not_selected(&self) -> u64 {
        self.not_selected
    }

    /// How often a process was left out for want of room.
    #[must_use]
    pub const fn crowded(&self) -> u64 {
        self.crowded
    }

    /// The process has ended: its number may pass on to another.
    pub fn ended(&mut self, pid: u32) {
        self.decided.remove(&pid);
    }
}
