//! Everything kept of one session.

use std::{sync::Arc, time::Duration};

use super::{
    evidence::{Gathered, gather},
    figures::{SessionFigures, SessionName},
    history::{History, SessionHistory},
    series::Series,
};
use crate::{
    domain::{
        CulpritId, HolderSample, LockWaitTotals, Message, Moment, ProcessInfo, SessionId, Stage,
        Wait, WindowClosures,
    },
    stats::{BlameRow, BlameTable, CulpritNames, Figures, Histograms, Tally},
    verdict::{AgeLine, AgeTrend, CpuUse, FlowTally, HEALTHY_NS, Verdict, diagnose},
    what_if::{ReaderTime, Replay, WhatIf},
};

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) name: SessionName,
    /// Position in the order of first sight.
    pub(super) born: u64,
    /// How it appears in the metrics.
    pub(crate) series: Series,
    pub(crate) tid: Option<u32>,
    /// The process that reads it, as far as it is known.
    pub(crate) process: Option<Arc<ProcessInfo>>,
    pub(super) last_seq: Option<u64>,
    pub(super) connections: u64,
    pub(crate) ended: Option<Moment>,
    pub(crate) total: Tally<u64>,
    /// Reset at each interval, so that 32 bits are enough for its histogram.
    pub(super) interval: Tally<u32>,
    pub(crate) histograms: Histograms,
    pub(super) threads: LockWaitTotals,
    pub(super) absorbed_threads: LockWaitTotals,
    pub(super) lock_waits_told: u64,
    window: WindowClosures,
    absorbed_window: WindowClosures,
    window_told: WindowClosures,
    pub(super) blame: BlameTable,
    interval_blame: BlameTable,
    flow: FlowTally,
    flow_total: FlowTally,
    trend: AgeTrend,
    /// Only of a session by itself: messages of several are not one queue.
    replay: Option<Box<Replay>>,
    /// Of the latest interval.
    pub(crate) verdict: Option<Verdict>,
    /// Of the latest interval.
    pub(crate) what_if: Option<WhatIf>,
    /// The latest message was old when it was handed off.
    was_behind: bool,
    history: History,
}

/// What a session needs to know for its figures that is not its own.
pub(super) struct Surroundings<'a> {
    pub(super) names: &'a CulpritNames,
    pub(super) length: Duration,
    /// Until when, nanoseconds since 1970 UTC.
    pub(super) until_ns: i64,
    pub(super) max_latency: Duration,
    pub(super) cpu: Option<CpuUse>,
}

impl Session {
    pub(super) fn new(name: SessionName, born: u64, series: Series) -> Self {
        let alone = matches!(name, SessionName::One(_));
        Self {
            name,
            born,
            series,
            tid: None,
            process: None,
            last_seq: None,
            connections: 1,
            ended: None,
            total: Tally::default(),
            interval: Tally::default(),
            histograms: Histograms::default(),
            threads: LockWaitTotals::default(),
            absorbed_threads: LockWaitTotals::default(),
            lock_waits_told: 0,
            window: WindowClosures::default(),
            absorbed_window: WindowClosures::default(),
            window_told: WindowClosures::default(),
            blame: BlameTable::default(),
            interval_blame: BlameTable::default(),
            flow: FlowTally::default(),
            flow_total: FlowTally::default(),
            trend: AgeTrend::default(),
            replay: alone.then(Box::default),
            verdict: None,
            what_if: None,
            was_behind: false,
            history: History::default(),
        }
    }

    /// Whether somebody is charged in it under this number.
    pub(super) fn mentions(&self, culprit: CulpritId) -> bool {
        self.blame.contains(culprit) || self.interval_blame.contains(culprit)
    }

    pub(super) const fn id(&self) -> Option<&Arc<SessionId>> {
        match &self.name {
            SessionName::One(id) => Some(id),
            SessionName::Other | SessionName::Earlier => None,
        }
    }

    pub(super) fn message(&mut self, message: &Message) {
        self.total.add(message);
        self.interval.add(message);
        self.histograms.add(message);
        if !message.poss_dup {
            self.blame.charge(message);
            self.interval_blame.charge(message);
        }
        if self.id().is_some() {
            self.tid = Some(message.tid);
            if !message.poss_dup {
                self.last_seq = Some(message.seq);
                self.flow.add(message);
                self.flow_total.add(message);
                let in_flight = message.split.matrix().stage(Stage::InFlight);
                self.was_behind = message.split.age_ns() - in_flight >= HEALTHY_NS;
            }
        }
        if let Some(replay) = &mut self.replay {
            replay.message(message);
        }
    }

    /// The session's ingest thread has waited.
    pub(super) fn waited(&mut self, wait: &Wait) {
        if self.tid == Some(wait.tid) {
            self.blame.add_wait(wait);
            self.interval_blame.add_wait(wait);
        }
    }

    /// The holder of a lock that the session's ingest thread waited for was seen.
    pub(super) fn sampled(&mut self, sample: &HolderSample) {
        if self.tid == Some(sample.waiter) {
            self.blame.add_sample(sample);
            self.interval_blame.add_sample(sample);
        }
    }

    /// Lock waits, those of absorbed sessions included.
    pub(crate) fn threads(&self) -> LockWaitTotals {
        let (mine, absorbed) = (&self.threads, &self.absorbed_threads);
        LockWaitTotals {
            lock_waits: mine.lock_waits + absorbed.lock_waits,
            longest_lock_wait_ns: mine.longest_lock_wait_ns.max(absorbed.longest_lock_wait_ns),
        }
    }

    /// How often our window was closed on the connection.
    pub(super) fn window(&mut self, facts: &WindowClosures) {
        if facts.closed < self.window.closed {
            // Another connection with the same addresses.
            let before = self.window;
            self.absorbed_window.absorb(&before);
        }
        self.window = *facts;
    }

    /// How often our window was closed, for absorbed sessions too.
    pub(crate) fn windows(&self) -> WindowClosures {
        let mut all = self.window;
        all.absorb(&self.absorbed_window);
        all
    }

    /// Takes over what an ended session had added up.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.connections += other.connections;
        self.series.since_ns = self.series.since_ns.min(other.series.since_ns);
        self.total.absorb(&other.total);
        self.interval.absorb(&other.interval);
        self.histograms.absorb(&other.histograms);
        self.blame.absorb(&other.blame);
        self.interval_blame.absorb(&other.interval_blame);
        if let (Some(mine), Some(theirs)) = (&mut self.replay, &other.replay) {
            mine.absorb(theirs);
        }
        let theirs = other.threads();
        self.absorbed_threads.lock_waits += theirs.lock_waits;
        self.absorbed_window.absorb(&other.windows());
        self.window_told.absorb(&other.window_told);
        self.lock_waits_told += other.lock_waits_told;
        self.absorbed_threads.longest_lock_wait_ns = self
            .absorbed_threads
            .longest_lock_wait_ns
            .max(theirs.longest_lock_wait_ns);
    }

    fn figures_of(
        &self,
        figures: Figures,
        blame: Vec<BlameRow>,
        (lock_waits, window): (u64, WindowClosures),
    ) -> SessionFigures {
        SessionFigures {
            name: self.name.clone(),
            tid: self.tid,
            last_seq: self.last_seq,
            connections: self.connections,
            process: self.process.clone(),
            ended: self.ended.is_some(),
            lock_waits,
            longest_lock_wait_ns: self.threads().longest_lock_wait_ns,
            window,
            figures,
            blame,
            verdict: None,
            what_if: None,
        }
    }

    /// Adds the verdict and the replays.
    fn judge(
        &self,
        figures: &mut SessionFigures,
        (flow, line): (&FlowTally, AgeLine),
        (what_if, spent): (Option<WhatIf>, ReaderTime),
        around: Surroundings<'_>,
    ) {
        figures.what_if = what_if;
        let silent = figures.figures.messages == 0;
        let stalled = silent && self.was_behind && self.ended.is_none();
        if self.id().is_none() || (silent && !stalled) {
            return;
        }
        let gathered = Gathered {
            length: around.length,
            flow: flow.flow(around.length, &line, around.max_latency),
            reader_time: spent,
            cpu: around.cpu,
            stalled,
        };
        figures.verdict = Some(diagnose(&gather(figures, gathered)));
    }

    pub(super) fn summary(&self, around: Surroundings<'_>) -> SessionFigures {
        let figures = self.total.figures();
        let blame = self.blame.rows(&figures.sums, around.names);
        let mut figures =
            self.figures_of(figures, blame, (self.threads().lock_waits, self.windows()));
        let replayed = self
            .replay
            .as_ref()
            .map_or_else(Default::default, |r| r.total(figures.figures.age));
        let flow = (&self.flow_total, self.flow_total.line());
        self.judge(&mut figures, flow, replayed, around);
        figures
    }

    /// Takes the figures of the interval that `around` tells of.
    pub(super) fn take_interval(&mut self, around: Surroundings<'_>) -> SessionFigures {
        let (until_ns, length, cpu) = (around.until_ns, around.length, around.cpu.clone());
        let waits = self.threads().lock_waits;
        let fresh = waits.saturating_sub(self.lock_waits_told);
        self.lock_waits_told = waits;
        let windows = self.windows();
        let window = windows.since(&self.window_told);
        self.window_told = windows;
        let figures = self.interval.figures();
        let blame = self.interval_blame.rows(&figures.sums, around.names);
        let mut figures = self.figures_of(figures, blame, (fresh, window));
        let age = figures.figures.age;
        let replayed = self
            .replay
            .as_mut()
            .map_or_else(Default::default, |r| r.take_interval(age));
        let line = self.trend.interval(length, &self.flow.line());
        let flow = self.flow;
        self.judge(&mut figures, (&flow, line), replayed, around);
        self.verdict.clone_from(&figures.verdict);
        self.what_if.clone_from(&figures.what_if);
        self.flow.reset();
        self.interval_blame.reset();
        self.blame.decay(length);
        self.interval.reset();
        // The course of an ended session ends with it.
        if !figures.ended || !figures.figures.is_empty() {
            self.history.push(until_ns, length, &figures, cpu.as_ref());
        }
        figures
    }

    pub(super) fn course(&self) -> SessionHistory<'_> {
        SessionHistory {
            name: &self.name,
            tid: self.tid,
            ended: self.ended.is_some(),
            points: self.history.points(),
            latest: self.history.latest(),
            verdict: self.verdict.as_ref(),
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.total.heap_bytes()
            + self.interval.heap_bytes()
            + self.replay.as_ref().map_or(0, |r| r.heap_bytes())
            + self.history.heap_bytes()
            + self.histograms.heap_bytes()
            + self.trend.heap_bytes()
    }
}
