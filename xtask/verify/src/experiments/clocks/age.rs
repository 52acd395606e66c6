//! The true age of a message, and the agent's bounds of it.

use crate::observe::JoinedMessage;
use lab::clock::SECOND;

/// Two readings of two clocks, and the entry into a receive call.
pub(super) const SLACK_NS: i64 = 100_000;

/// A step of the venue's and the agent's clock, as the agent reported it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReportedStep {
    /// When, monotonic nanoseconds.
    pub(super) at_ns: i64,
    /// By how much, nanoseconds.
    pub(super) by_ns: i64,
}

/// A message and its true age.
#[derive(Clone, Copy, Debug)]
pub(super) struct AgedMessage<'a> {
    pub(super) message: JoinedMessage<'a>,
    /// Nanoseconds.
    pub(super) truth: i64,
}

impl<'a> AgedMessage<'a> {
    pub(super) fn new(message: JoinedMessage<'a>, step: Option<ReportedStep>) -> Self {
        let JoinedMessage { sent, record, .. } = message;
        // Both clocks step together; the victim's log is by the machine's clock, which does not.
        let stepped = match step {
            Some(step) if sent.sent_monotonic_ns >= step.at_ns => step.by_ns,
            _ => 0,
        };
        let truth = record.handed_off_utc_ns - (sent.stamped_ns - stepped);
        Self { message, truth }
    }

    /// Whether the age is off by the step, or near.
    pub(super) fn is_off_by(&self, step: ReportedStep) -> bool {
        (self.message.found.age_ns - self.truth).abs() > step.by_ns.abs() / 2
    }

    /// The agent's bounds of the age: narrowed ones, if there are any, or a step of tag 52.
    pub(super) fn bounds(&self) -> (i64, i64) {
        let found = self.message.found;
        found.age_narrowed_ns.map_or_else(
            || (found.age_ns - found.sent_resolution_ns, found.age_ns),
            |narrowed| (narrowed.min, narrowed.max),
        )
    }

    /// The age as the agent has it, or the middle of whole-second bounds.
    pub(super) fn found(&self) -> i64 {
        let found = self.message.found;
        if found.sent_resolution_ns < SECOND {
            return found.age_ns;
        }
        let (min, max) = self.bounds();
        i64::midpoint(min, max)
    }

    /// Whether the true age is within these bounds, or next to them.
    pub(super) fn within(&self, (min, max): (i64, i64)) -> bool {
        (min - SLACK_NS..=max + SLACK_NS).contains(&self.truth)
    }
}
