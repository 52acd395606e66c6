//! What became of the updates of a recording in its trace, as numbers.

use std::fmt;

use crate::domain::units::counted;

/// How many messages, waits and holds a trace has, and how many it omits. The trace contains the
/// same numbers as its attributes, and as arguments of the instant `exported` on the track
/// `tag52`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportCounts {
    /// Messages with an age.
    pub messages: u64,
    /// Messages that are drawn.
    pub drawn: u64,
    /// Messages not drawn because they were younger than
    /// [`TraceFilter::slower_than`](super::TraceFilter::slower_than). Unless that is zero, these
    /// include all messages with a negative age.
    pub omitted_faster: u64,
    /// Messages not drawn because of [`TraceFilter::every`](super::TraceFilter::every).
    pub omitted_every: u64,
    /// Messages not drawn because more of them overlapped than
    /// [`TraceFilter::lanes`](super::TraceFilter::lanes); those drawn are chosen evenly.
    pub omitted_no_lane: u64,
    /// Messages not drawn because they were sent before the machine was started, where the clock of
    /// the trace begins.
    pub omitted_before_boot: u64,
    /// Messages without an age.
    pub excluded: u64,
    /// Events that the agent lost while it recorded.
    pub lost_events: u64,
    /// Waits of tracked threads.
    pub waits: u64,
    /// Waits not drawn because too many overlapped.
    pub omitted_waits: u64,
    /// Holds of locks that were waited for.
    pub holds: u64,
    /// Holds not drawn because too many overlapped.
    pub omitted_holds: u64,
    /// Samples of what holders were doing.
    pub samples: u64,
}

impl ExportCounts {
    /// The numbers with their names in the trace.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u64); 13] {
        [
            ("messages", self.messages),
            ("drawn", self.drawn),
            ("omitted_faster", self.omitted_faster),
            ("omitted_every", self.omitted_every),
            ("omitted_no_lane", self.omitted_no_lane),
            ("omitted_before_boot", self.omitted_before_boot),
            ("excluded", self.excluded),
            ("lost_events", self.lost_events),
            ("waits", self.waits),
            ("omitted_waits", self.omitted_waits),
            ("holds", self.holds),
            ("omitted_holds", self.omitted_holds),
            ("samples", self.samples),
        ]
    }
}

/// As in `2 of 3 messages drawn (not drawn: 1 faster than --slower-than); 5 of 5 waits drawn`.
impl fmt::Display for ExportCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} drawn",
            self.drawn,
            counted(self.messages, "message")
        )?;
        let reasons = [
            (self.omitted_faster, "faster than --slower-than"),
            (self.omitted_every, "passed over by --every"),
            (self.omitted_no_lane, "too many at once for --lanes"),
            (
                self.omitted_before_boot,
                "sent before the machine was started",
            ),
        ];
        let reasons: Vec<_> = reasons
            .into_iter()
            .filter(|&(count, _)| count > 0)
            .map(|(count, reason)| format!("{count} {reason}"))
            .collect();
        if !reasons.is_empty() {
            write!(f, " (not drawn: {})", reasons.join(", "))?;
        }
        for (all, omitted, noun) in [
            (self.waits, self.omitted_waits, "wait"),
            (self.holds, self.omitted_holds, "hold"),
        ] {
            if all > 0 {
                let drawn = all.saturating_sub(omitted);
                write!(f, "; {drawn} of {} drawn", counted(all, noun))?;
            }
        }
        if self.samples > 0 {
            write!(f, "; {}", counted(self.samples, "sample"))?;
        }
        if self.excluded > 0 {
            let excluded = counted(self.excluded, "message");
            write!(f, "; {excluded} without an age")?;
        }
        if self.lost_events > 0 {
            let lost = counted(self.lost_events, "event");
            write!(f, "; {lost} lost by the agent while it recorded")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_read_as_a_line() {
        let counts = ExportCounts {
            messages: 3,
            drawn: 1,
            omitted_faster: 1,
            omitted_before_boot: 1,
            excluded: 1,
            lost_events: 1,
            waits: 1,
            holds: 5,
            omitted_holds: 2,
            samples: 1,
            ..ExportCounts::default()
        };
        assert_eq!(
            counts.to_string(),
            "1 of 3 messages drawn (not drawn: 1 faster than --slower-than, 1 sent before the \
             machine was started); 1 of 1 wait drawn; 3 of 5 holds drawn; 1 sample; 1 message \
             without an age; 1 event lost by the agent while it recorded"
        );
        let none = ExportCounts::default();
        assert_eq!(none.to_string(), "0 of 0 messages drawn");
    }
}
