//! The machine-readable lines, in the names of the accounting model.
//!
//! Written by hand into one reused buffer: at tens of thousands of messages a second a tree of
//! values per line would be most of the agent's work. [`line`] writes what JSON consists of.

mod diagnosis;
mod health;
mod line;
mod session;
#[cfg(test)]
mod tests;
mod waiting;

pub(super) use line::JsonLine;

use crate::{
    domain::Message,
    model::{Interval, SessionFigures, Summary},
    what_if::ASSUMPTIONS,
};

impl JsonLine {
    /// The line for one message.
    pub(super) fn message(&mut self, m: &Message) -> &[u8] {
        self.start("message");
        self.key("session");
        self.session(&m.session, Some(m.tid));
        self.int("seq", m.seq);
        self.text("msg_type", m.msg_type.as_str());
        self.int("bytes", m.bytes);
        self.bool("poss_dup", m.poss_dup);
        self.int("sent_ns", m.sent.utc_ns);
        self.int("sent_resolution_ns", m.sent.resolution_ns);
        match m.arrived_ns {
            Some(ns) => self.int("arrived_ns", ns),
            None => self.null("arrived_ns"),
        }
        self.int("received_ns", m.received_ns);
        self.int("handed_off_ns", m.handed_off_ns);
        self.int("age_ns", m.split.age_ns());
        if m.sent.resolution_ns > 1_000 {
            // The venue may have stamped it up to one resolution after what it wrote.
            let age_min_ns = m.split.age_ns().saturating_sub(m.sent.resolution_ns);
            self.int("age_min_ns", age_min_ns);
        }
        if let Some((min_ns, max_ns)) = m.age_narrowed() {
            self.key("age_narrowed_ns");
            self.open(b'{');
            self.int("min", min_ns);
            self.int("max", max_ns);
            self.close(b'}');
        }
        self.text("hand_off", m.hand_off.name());
        if m.ack_pending_ns > 0 {
            self.int("ack_pending_ns", m.ack_pending_ns);
        }
        let matrix = m.split.matrix();
        self.matrix(
            matrix
                .nonzero()
                .map(|(s, p, ns)| (s, p.name(), i128::from(ns))),
        );
        self.finish()
    }

    /// The line for one session in an interval.
    pub(super) fn interval(&mut self, interval: &Interval, s: &SessionFigures) -> &[u8] {
        self.start("interval");
        self.int("until_ns", interval.until_ns);
        self.int("length_ns", interval.length.as_nanos());
        self.figures(s);
        self.finish()
    }

    /// The line for the agent's losses and anomalies in an interval; `None` without any.
    pub(super) fn agent(&mut self, interval: &Interval) -> Option<&[u8]> {
        if interval.lost.is_empty() && interval.anomalies.is_empty() {
            return None;
        }
        self.start("agent");
        self.int("until_ns", interval.until_ns);
        self.int("length_ns", interval.length.as_nanos());
        self.counts("lost", interval.lost.iter().copied());
        self.counts("anomalies", interval.anomalies.iter().copied());
        Some(self.finish())
    }

    /// The line for the whole run, the last one.
    pub(super) fn summary(&mut self, summary: &Summary) -> &[u8] {
        self.start("summary");
        self.int("since_ns", summary.since_ns);
        self.int("until_ns", summary.until_ns);
        self.int("length_ns", summary.length.as_nanos());
        self.int("sessions_seen", summary.sessions_observed);
        self.key("sessions");
        self.open(b'[');
        for s in &summary.sessions {
            self.comma();
            self.open(b'{');
            self.figures(s);
            self.close(b'}');
        }
        self.close(b']');
        self.text("what_if_assumptions", ASSUMPTIONS);
        self.health(&summary.health);
        self.finish()
    }
}
