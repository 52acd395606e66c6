//! The histograms of a session for the metrics.

use crate::{
    domain::{Message, Part, Stage},
    stats::buckets::{AGE_BOUNDS_NS, DurationCounts},
};

/// A message that is an example of those in its bucket; it has nothing of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageExemplar {
    /// MsgSeqNum (34).
    pub(crate) seq: u64,
    /// Thread id of its reader.
    pub(crate) tid: u32,
    /// Process of the reader.
    pub(crate) pid: u32,
    /// Its age, nanoseconds; 0 where it is below zero.
    pub(crate) age_ns: i64,
    /// When it was handed off, nanoseconds since 1970 UTC.
    pub(crate) at_ns: i64,
}

/// The latest message of each age bucket.
pub(crate) type MessageExemplars = [Option<MessageExemplar>; AGE_BOUNDS_NS.len() + 1];

/// Histograms of the ages, stages and parts of a session's messages. Negative values count as 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histograms {
    pub(crate) age: DurationCounts,
    pub(crate) resend_age: DurationCounts,
    pub(crate) stages: [DurationCounts; Stage::ALL.len()],
    pub(crate) parts: [DurationCounts; Part::ALL.len()],
    /// Summed ages, nanoseconds; those below zero count as 0, as in the buckets.
    pub(crate) age_sum_ns: i128,
    /// Summed ages of resends, likewise.
    pub(crate) resend_age_sum_ns: i128,
    /// Fresh messages by the bucket of their age.
    pub(crate) exemplars: MessageExemplars,
}

impl Histograms {
    pub(crate) fn add(&mut self, message: &Message) {
        let split = &message.split;
        let age_ns = split.age_ns().max(0);
        if message.poss_dup {
            self.resend_age.record(age_ns);
            self.resend_age_sum_ns += i128::from(age_ns);
            return;
        }
        self.age.record(age_ns);
        self.age_sum_ns += i128::from(age_ns);
        let bucket = AGE_BOUNDS_NS.partition_point(|&bound| bound < age_ns);
        self.exemplars[bucket] = Some(MessageExemplar {
            seq: message.seq,
            tid: message.tid,
            pid: message.session.pid,
            age_ns,
            at_ns: message.handed_off_ns,
        });
        let mut matrix = *split.matrix();
        matrix.add(Stage::InFlight, Part::Network, split.skew_ns());
        for (stage, counts) in Stage::ALL.into_iter().zip(&mut self.stages) {
            counts.record(matrix.stage(stage));
        }
        for (part, counts) in Part::ALL.into_iter().zip(&mut self.parts) {
            counts.record(matrix.part(part));
        }
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.age.absorb(&other.age);
        self.resend_age.absorb(&other.resend_age);
        for (mine, theirs) in self.stages.iter_mut().zip(&other.stages) {
            mine.absorb(theirs);
        }
        for (mine, theirs) in self.parts.iter_mut().zip(&other.parts) {
            mine.absorb(theirs);
        }
        self.age_sum_ns += other.age_sum_ns;
        self.resend_age_sum_ns += other.resend_age_sum_ns;
        for (mine, theirs) in self.exemplars.iter_mut().zip(&other.exemplars) {
            if mine.map_or(i64::MIN, |e| e.at_ns) < theirs.map_or(i64::MIN, |e| e.at_ns) {
                *mine = *theirs;
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        let all = [&self.age, &self.resend_age].into_iter();
        all.chain(&self.stages)
            .chain(&self.parts)
            .map(DurationCounts::heap_bytes)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixtures::{message, session};

    #[test]
    fn the_exemplar_of_a_bucket_is_its_latest_message() {
        let mut histograms = Histograms::default();
        for (seq, ns) in [(1, 300_000), (2, 400_000), (3, 700_000_000_000)] {
            histograms.add(&message(
                &session(0),
                seq,
                &[(Stage::InApp, Part::OnCpu, ns)],
            ));
        }
        let seqs: Vec<_> = histograms
            .exemplars
            .iter()
            .map(|e| e.map(|e| e.seq))
            .collect();
        assert_eq!((seqs[2], seqs[20]), (Some(2), Some(3)));
        assert_eq!(seqs.iter().flatten().count(), 2);
        let mut later = Histograms::default();
        later.add(&message(
            &session(0),
            9,
            &[(Stage::InApp, Part::OnCpu, 450_000)],
        ));
        later.absorb(&histograms);
        assert_eq!(later.exemplars[2].map(|e| e.seq), Some(9));
    }
}
