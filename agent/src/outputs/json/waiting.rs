//! What waits on a session now.

use super::line::JsonLine;
use crate::{
    domain::{Part, Stage},
    stats::WaitingNow,
};

impl JsonLine {
    /// `null` for groups, ended sessions and before the first sample.
    pub(super) fn waiting(&mut self, now: Option<&WaitingNow>) {
        let Some(now) = now else {
            self.null("waiting");
            return;
        };
        let waiting = &now.waiting;
        self.key("waiting");
        self.open(b'{');
        self.int("at_ns", now.utc_ns(waiting.at_ns));
        self.bool("stalled", now.stalled);
        self.int("without_hand_off_ns", waiting.without_hand_off_ns());
        self.int("age_ns", waiting.split.age_ns());
        self.bool("lower_bound", waiting.is_lower_bound);
        self.int("in_hand_messages", waiting.in_hand.messages);
        self.int("in_hand_bytes", waiting.in_hand.bytes);
        self.optional_int("queued_messages", waiting.queued.messages);
        self.int("queued_bytes", waiting.queued.bytes);
        let since = |at_ns: Option<u64>| at_ns.map(|at_ns| waiting.since(at_ns));
        self.optional_int("queued_for_ns", since(waiting.queued.since_ns));
        self.optional_int(
            "window_closed_for_ns",
            since(waiting.window_closed_since_ns),
        );
        match waiting.last_hand_off_ns {
            Some(at_ns) => self.int("last_hand_off_ns", now.utc_ns(at_ns)),
            None => self.null("last_hand_off_ns"),
        }
        let cells = waiting.split.matrix().nonzero();
        self.matrix(
            cells.map(|(stage, part, ns): (Stage, Part, i64)| (stage, part.name(), i128::from(ns))),
        );
        self.reader(now);
        self.close(b'}');
    }

    fn reader(&mut self, now: &WaitingNow) {
        let Some(reader) = &now.waiting.reader else {
            self.null("reader");
            return;
        };
        self.key("reader");
        self.open(b'{');
        self.int("tid", reader.tid);
        self.text("state", reader.state.name());
        self.int("for_ns", now.waiting.since(reader.since_ns));
        let culprit = now.culprit.as_ref().map(ToString::to_string);
        self.optional_text("culprit", culprit.as_deref());
        self.text("owner_by", reader.owner.name());
        let names: Vec<_> = reader.deadlock.iter().map(ToString::to_string).collect();
        self.texts("deadlock", names.iter().map(String::as_str));
        self.close(b'}');
    }
}
