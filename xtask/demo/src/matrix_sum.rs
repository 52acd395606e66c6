//! Sums of message matrices.

use std::collections::BTreeMap;

use lab::agent::MessageLine;

/// The parts that are not the network, in the order in which they are shown.
pub(super) const WAITING: [&str; 6] = [
    "lock_wait",
    "run_queue",
    "throttle",
    "blocked",
    "on_cpu",
    "unknown",
];

/// Nanoseconds per part, over any number of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MatrixSum {
    parts: BTreeMap<String, i64>,
    held_back: i64,
    messages: u64,
}

impl MatrixSum {
    /// Sums the matrices of `messages`.
    pub(super) fn of<'a>(messages: impl IntoIterator<Item = &'a MessageLine>) -> Self {
        let mut split = Self::default();
        for message in messages {
            split.messages += 1;
            split.held_back += message.stage("held_back");
            for (part, ns) in message.matrix.values().flatten() {
                *split.parts.entry(part.clone()).or_default() += ns;
            }
        }
        split
    }

    /// Returns the number of messages.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// Returns one part, nanoseconds.
    pub(super) fn part(&self, part: &str) -> i64 {
        self.parts.get(part).copied().unwrap_or(0)
    }

    /// Returns the time the messages were held back at the sender, nanoseconds.
    pub(super) fn held_back(&self) -> i64 {
        self.held_back
    }

    /// Returns the age outside the network, nanoseconds.
    pub(super) fn outside_network(&self) -> i64 {
        self.parts
            .iter()
            .filter(|(part, _)| *part != "network")
            .map(|(_, ns)| ns)
            .sum()
    }

    /// Returns a part's share of the age outside the network, 0 to 1.
    pub(super) fn share(&self, part: &str) -> f64 {
        match self.outside_network() {
            0 => 0.0,
            total => self.part(part) as f64 / total as f64,
        }
    }

    /// Returns the largest part outside the network.
    pub(super) fn dominant(&self) -> Option<&str> {
        self.parts
            .iter()
            .filter(|(part, ns)| *part != "network" && **ns > 0)
            .max_by_key(|(_, ns)| **ns)
            .map(|(part, _)| part.as_str())
    }

    /// `lock-wait 97.1 %  on-cpu 2.0 % ...`, without parts below 0.05 %.
    pub(super) fn shares(&self) -> String {
        WAITING
            .iter()
            .map(|part| (spoken(part), 100.0 * self.share(part)))
            .filter(|(_, percent)| *percent >= 0.05)
            .map(|(part, percent)| format!("{part} {percent:.1} %"))
            .collect::<Vec<_>>()
            .join("  ")
    }
}

/// Returns a part's name as it is written in sentences.
pub(super) fn spoken(part: &str) -> String {
    part.replace('_', "-")
}
