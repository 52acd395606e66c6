//! What a reader does while something waits for it.

use std::time::Duration;

use crate::domain::{Part, Waiting, units::HumanPercent};

/// The least share of an interval in which something must have waited for the reader's states to
/// say why.
const MIN_SHARE: f64 = 0.3;

/// What the reader of a session did in an interval while something waited for it, nanoseconds by
/// part. While a backlog lasts that is why, whatever the ages are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitedTime {
    ns: [u64; Part::ALL.len()],
}

impl WaitedTime {
    /// Adds what a sample says of the time since the one before.
    pub(crate) fn add(&mut self, waiting: &Waiting) {
        for (sum, ns) in self.ns.iter_mut().zip(waiting.waited_ns) {
            *sum += ns;
        }
    }

    /// The time in one part, nanoseconds.
    pub(super) const fn part(&self, part: Part) -> u64 {
        self.ns[part as usize]
    }

    fn total(&self) -> u64 {
        self.ns.iter().sum()
    }

    /// Whether something waited for so much of an interval of this length that the reader's states
    /// say why.
    pub(super) fn is_conclusive(&self, length: Duration) -> bool {
        self.total() as f64 >= MIN_SHARE * length.as_nanos() as f64
    }

    /// The share of a part.
    pub(super) fn share(&self, part: Part) -> HumanPercent {
        HumanPercent {
            part: self.part(part).into(),
            whole: self.total().into(),
        }
    }
}
