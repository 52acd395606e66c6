//! What waits on a session, with names.

use std::sync::Arc;

use crate::{
    domain::{Culprit, Part, Split, Waiting},
    stats::{AgeQuantiles, BlameRow, Figures, Sums},
};

/// What waits on a session as of its latest sample.
#[derive(Clone, Debug)]
pub(crate) struct WaitingNow {
    /// The sample.
    pub(crate) waiting: Waiting,
    /// What its reader waits for, as far as that is known.
    pub(crate) culprit: Option<Arc<Culprit>>,
    /// The session is stalled: see [`Waiting::is_stalled`].
    pub(crate) stalled: bool,
    /// UTC minus monotonic time, nanoseconds: for the instants of the sample.
    pub(crate) utc_offset_ns: i64,
}

impl WaitingNow {
    /// An instant of the sample, nanoseconds since 1970 UTC.
    pub(crate) const fn utc_ns(&self, at_ns: u64) -> i64 {
        at_ns.cast_signed().wrapping_add(self.utc_offset_ns)
    }

    /// The figures of one message as old as the oldest that waits.
    pub(crate) fn figures(&self) -> Figures {
        figures_of(&self.waiting.split)
    }

    /// The part that the reader's state in progress adds to, charged to what it waits for; empty
    /// when that is not known.
    pub(crate) fn blame(&self) -> Vec<BlameRow> {
        let reader = self.waiting.reader.as_ref();
        let Some((reader, culprit)) = reader.zip(self.culprit.as_ref()) else {
            return Vec::new();
        };
        let part_ns = self.waiting.split.matrix().part(reader.state);
        let in_progress_ns = self.waiting.since(reader.since_ns).cast_signed();
        vec![BlameRow::in_progress(
            reader.state,
            Arc::clone(culprit),
            in_progress_ns.min(part_ns),
        )]
    }

    /// The part of the waiting age with the most time; `None` when nothing waits.
    pub(crate) fn largest_part(&self) -> Option<Part> {
        let matrix = self.waiting.split.matrix();
        let largest = Part::ALL
            .into_iter()
            .max_by_key(|&part| matrix.part(part))?;
        (matrix.part(largest) > 0).then_some(largest)
    }
}

fn figures_of(split: &Split) -> Figures {
    let mut sums = Sums::default();
    sums.add(split.matrix());
    let age_ns = split.age_ns();
    let mut figures = Figures {
        messages: 1,
        age: Some(AgeQuantiles::all(age_ns)),
        sums,
        ..Figures::default()
    };
    let skew_ns = split.skew_ns();
    if skew_ns > 0 {
        figures.skew.messages = 1;
        figures.skew.largest_ns = skew_ns;
        figures.skew.latest_ns = skew_ns;
        figures.skew.sum_ns = i128::from(skew_ns);
    }
    figures
}
