//! Everything kept of one session.

use std::{sync::Arc, time::Duration};

use super::{
    buckets::{AgeBuckets, WaitBuckets},
    facts::ThreadFacts,
    figures::{SessionFigures, SessionName},
    history::{Course, History},
    matrix::{Part, Stage},
    message::{Message, SessionId},
    moment::Moment,
    tally::{Figures, Tally},
};

/// Counts in fixed buckets, for the metrics. A negative value counts as 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histograms {
    pub(crate) age: AgeBuckets,
    pub(crate) resend_age: AgeBuckets,
    pub(crate) stages: [WaitBuckets; Stage::ALL.len()],
    pub(crate) parts: [WaitBuckets; Part::ALL.len()],
    /// Summed ages, those below zero counted as 0 (as in the buckets), in nanoseconds.
    pub(crate) age_sum_ns: i128,
}

impl Histograms {
    fn message(&mut self, message: &Message) {
        let split = &message.split;
        if message.poss_dup {
            self.resend_age.record(split.age_ns());
            return;
        }
        self.age.record(split.age_ns());
        self.age_sum_ns += i128::from(split.age_ns().max(0));
        let mut matrix = *split.matrix();
        matrix.add(Stage::InFlight, Part::Network, split.skew_ns());
        for (stage, buckets) in Stage::ALL.into_iter().zip(&mut self.stages) {
            buckets.record(matrix.stage(stage));
        }
        for (part, buckets) in Part::ALL.into_iter().zip(&mut self.parts) {
            buckets.record(matrix.part(part));
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
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) name: SessionName,
    /// Position in the order of first sight.
    pub(super) born: u64,
    pub(super) tid: Option<u32>,
    pub(super) last_seq: Option<u64>,
    pub(super) connections: u64,
    pub(super) ended: Option<Moment>,
    pub(crate) total: Tally<u64>,
    /// Reset at each interval, so that 32 bits are enough for its histogram.
    pub(super) interval: Tally<u32>,
    pub(crate) histograms: Histograms,
    pub(super) threads: ThreadFacts,
    pub(super) absorbed_threads: ThreadFacts,
    pub(super) lock_waits_told: u64,
    history: History,
}

impl Session {
    pub(super) fn new(name: SessionName, born: u64) -> Self {
        Self {
            name,
            born,
            tid: None,
            last_seq: None,
            connections: 1,
            ended: None,
            total: Tally::default(),
            interval: Tally::default(),
            histograms: Histograms::default(),
            threads: ThreadFacts::default(),
            absorbed_threads: ThreadFacts::default(),
            lock_waits_told: 0,
            history: History::default(),
        }
    }

    pub(super) const fn id(&self) -> Option<&Arc<SessionId>> {
        match &self.name {
            SessionName::One(id) => Some(id),
            SessionName::Other | SessionName::Earlier => None,
        }
    }

    pub(super) fn message(&mut self, message: &Message) {
        self.total.message(message);
        self.interval.message(message);
        self.histograms.message(message);
        if self.id().is_some() {
            self.tid = Some(message.tid);
            if !message.poss_dup {
                self.last_seq = Some(message.seq);
            }
        }
    }

    /// Lock waits, those of absorbed sessions included.
    pub(crate) fn threads(&self) -> ThreadFacts {
        let (mine, absorbed) = (&self.threads, &self.absorbed_threads);
        ThreadFacts {
            lock_waits: mine.lock_waits + absorbed.lock_waits,
            longest_lock_wait_ns: mine.longest_lock_wait_ns.max(absorbed.longest_lock_wait_ns),
        }
    }

    /// Takes over what an ended session had added up.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.connections += other.connections;
        self.total.absorb(&other.total);
        self.interval.absorb(&other.interval);
        self.histograms.absorb(&other.histograms);
        let theirs = other.threads();
        self.absorbed_threads.lock_waits += theirs.lock_waits;
        self.lock_waits_told += other.lock_waits_told;
        self.absorbed_threads.longest_lock_wait_ns = self
            .absorbed_threads
            .longest_lock_wait_ns
            .max(theirs.longest_lock_wait_ns);
    }

    fn figures_of(&self, figures: Figures, lock_waits: u64) -> SessionFigures {
        SessionFigures {
            name: self.name.clone(),
            tid: self.tid,
            last_seq: self.last_seq,
            connections: self.connections,
            ended: self.ended.is_some(),
            lock_waits,
            longest_lock_wait_ns: self.threads().longest_lock_wait_ns,
            figures,
        }
    }

    pub(super) fn summary(&self) -> SessionFigures {
        self.figures_of(self.total.figures(), self.threads().lock_waits)
    }

    /// Takes the figures of the interval of this length that ends at `until_ns`.
    pub(super) fn take_interval(&mut self, until_ns: i64, length: Duration) -> SessionFigures {
        let waits = self.threads().lock_waits;
        let fresh = waits.saturating_sub(self.lock_waits_told);
        self.lock_waits_told = waits;
        let figures = self.figures_of(self.interval.figures(), fresh);
        self.interval.reset();
        // The course of an ended session ends with it.
        if !figures.ended || !figures.figures.is_empty() {
            self.history.push(until_ns, length, &figures.figures);
        }
        figures
    }

    pub(super) fn course(&self) -> Course<'_> {
        Course {
            name: &self.name,
            tid: self.tid,
            ended: self.ended.is_some(),
            points: self.history.points(),
            latest: self.history.latest(),
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.total.heap_bytes()
            + self.interval.heap_bytes()
            + self.history.heap_bytes()
    }
}
