//! What the messages of a session add up to: since the start, and in the interval.

use crate::{
    domain::{CulpritId, ExclusionReason, HolderSample, Message, TapCounts, Wait},
    stats::{BlameTable, Histograms, Tally},
};

/// The figures and charges of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct SessionTallies {
    pub(super) total: Tally<u64>,
    /// Reset in every interval, so that 32 bits are enough for the counts of its histogram.
    pub(super) interval: Tally<u32>,
    pub(super) histograms: Histograms,
    pub(super) blame: BlameTable,
    pub(super) interval_blame: BlameTable,
}

impl SessionTallies {
    pub(super) fn add(&mut self, message: &Message) {
        self.total.add(message);
        self.interval.add(message);
        self.histograms.add(message);
        if !message.poss_dup {
            self.blame.charge(message);
            self.interval_blame.charge(message);
        }
    }

    pub(super) const fn exclude(&mut self, why: ExclusionReason) {
        self.total.exclude(why);
        self.interval.exclude(why);
    }

    pub(super) const fn add_tap(&mut self, counts: &TapCounts) {
        self.total.tap.absorb(counts);
        self.interval.tap.absorb(counts);
    }

    pub(super) fn add_wait(&mut self, wait: &Wait) {
        self.blame.add_wait(wait);
        self.interval_blame.add_wait(wait);
    }

    pub(super) fn add_sample(&mut self, sample: &HolderSample) {
        self.blame.add_sample(sample);
        self.interval_blame.add_sample(sample);
    }

    /// Whether a culprit is charged.
    pub(super) fn contains(&self, culprit: CulpritId) -> bool {
        self.blame.contains(culprit) || self.interval_blame.contains(culprit)
    }

    pub(super) fn absorb(&mut self, other: &Self) {
        self.total.absorb(&other.total);
        self.interval.absorb(&other.interval);
        self.histograms.absorb(&other.histograms);
        self.blame.absorb(&other.blame);
        self.interval_blame.absorb(&other.interval_blame);
    }

    /// Bytes on the heap, without those of the tables of blame.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.total.heap_bytes() + self.interval.heap_bytes() + self.histograms.heap_bytes()
    }
}
