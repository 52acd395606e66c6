//! One session.

use std::{sync::Arc, time::Duration};

use super::{
    counts::{LockWaitCounts, WindowCounts},
    diagnosis::{Circumstances, SessionDiagnosis},
    figures::{SessionFigures, SessionName},
    history::{PointHistory, SessionHistory},
    series::{SessionLabels, SessionSeries, labels},
    tallies::SessionTallies,
};
use crate::{
    domain::{
        CulpritId, ExclusionReason, HolderSample, LockWaitTotals, Message, Moment, Part,
        ProcessInfo, SessionId, TapCounts, Wait, Waiting, WindowClosures,
    },
    stats::{BlameRow, CulpritNames, Figures, Histograms, Tally, WaitingNow},
    verdict::{CpuUse, HEALTHY_NS, Verdict},
    what_if::WhatIf,
};

/// A session, or a group of sessions that count together.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) name: SessionName,
    /// Position in the order of first observation.
    pub(super) order: u64,
    /// How it appears in the metrics.
    pub(crate) series: SessionSeries,
    /// Thread id of its reader.
    pub(super) tid: Option<u32>,
    /// The process that reads it, as far as it is resolved.
    pub(crate) process: Option<Arc<ProcessInfo>>,
    pub(crate) ended: Option<Moment>,
    last_seq: Option<u64>,
    connections: u64,
    tallies: SessionTallies,
    lock_waits: LockWaitCounts,
    windows: WindowCounts,
    /// `None` for groups.
    diagnosis: Option<SessionDiagnosis>,
    latest: LatestInterval,
    /// The latest sample of what waits, and its moment.
    waiting: Option<(Moment, Waiting)>,
    history: PointHistory,
}

/// What the latest interval found.
#[derive(Clone, Debug, Default)]
struct LatestInterval {
    verdict: Option<Verdict>,
    what_if: Option<WhatIf>,
}

/// What a session needs for its figures that is not its own.
pub(super) struct FiguresContext<'a> {
    pub(super) names: &'a CulpritNames,
    /// Length of the interval, or the time since the start.
    pub(super) length: Duration,
    /// Its end, nanoseconds since 1970 UTC.
    pub(super) until_ns: i64,
    pub(super) max_latency: Duration,
    /// CPU use of the session's process.
    pub(super) cpu: Option<CpuUse>,
}

impl FiguresContext<'_> {
    fn circumstances(&self) -> Circumstances {
        Circumstances {
            length: self.length,
            max_latency: self.max_latency,
            cpu: self.cpu.clone(),
        }
    }
}

impl Session {
    pub(super) fn new(name: SessionName, order: u64, series: SessionSeries) -> Self {
        let single = matches!(name, SessionName::One(_));
        Self {
            name,
            order,
            series,
            tid: None,
            process: None,
            ended: None,
            last_seq: None,
            connections: 1,
            tallies: SessionTallies::default(),
            lock_waits: LockWaitCounts::default(),
            windows: WindowCounts::default(),
            diagnosis: single.then(SessionDiagnosis::default),
            latest: LatestInterval::default(),
            waiting: None,
            history: PointHistory::default(),
        }
    }

    /// An empty group without connections, which sessions are merged into.
    pub(super) fn without_connections(name: SessionName, series: SessionSeries) -> Self {
        Self {
            connections: 0,
            ..Self::new(name, 0, series)
        }
    }

    /// The session, when it is a single one.
    pub(super) const fn id(&self) -> Option<&Arc<SessionId>> {
        match &self.name {
            SessionName::One(id) => Some(id),
            SessionName::Other | SessionName::Earlier => None,
        }
    }

    /// Its labels in the metrics.
    pub(crate) fn labels(&self) -> SessionLabels<'_> {
        labels(&self.name, self.series.port)
    }

    /// Whether it ended more than `grace` ago.
    pub(super) fn ended_before(&self, now: Moment, grace: Duration) -> bool {
        self.ended.is_some_and(|ended| now.since(ended) > grace)
    }

    pub(super) fn message(&mut self, message: &Message) {
        self.tallies.add(message);
        if let Some(diagnosis) = &mut self.diagnosis {
            self.tid = Some(message.tid);
            if !message.poss_dup {
                self.last_seq = Some(message.seq);
            }
            diagnosis.message(message);
        }
    }

    pub(super) const fn exclude(&mut self, why: ExclusionReason) {
        self.tallies.exclude(why);
    }

    pub(super) const fn add_tap(&mut self, counts: &TapCounts) {
        self.tallies.add_tap(counts);
    }

    /// Adds a wait, if it is one of the session's reader.
    pub(super) fn add_wait(&mut self, wait: &Wait) {
        if self.tid == Some(wait.tid) {
            self.tallies.add_wait(wait);
        }
    }

    /// Adds a sample of the holder of a lock, if the session's reader waited for it.
    pub(super) fn add_sample(&mut self, sample: &HolderSample) {
        if self.tid == Some(sample.waiter) {
            self.tallies.add_sample(sample);
        }
    }

    pub(super) const fn set_lock_waits(&mut self, totals: LockWaitTotals) {
        self.lock_waits.set(totals);
    }

    pub(super) fn set_window(&mut self, closures: &WindowClosures) {
        self.windows.set(closures);
    }

    /// Sets what waits as of `now`.
    pub(super) fn set_waiting(&mut self, now: Moment, waiting: &Waiting) {
        if let Some(diagnosis) = &mut self.diagnosis {
            diagnosis.waiting(now, waiting);
            if let Some(reader) = &waiting.reader {
                self.tid = Some(reader.tid);
            }
            self.waiting = Some((now, waiting.clone()));
        }
    }

    /// What waits as of the latest sample; `None` for groups and ended sessions.
    pub(crate) fn waiting_now(&self, names: &CulpritNames) -> Option<WaitingNow> {
        if self.ended.is_some() {
            return None;
        }
        self.latest_waiting(names)
    }

    /// What waited as of the latest sample; `None` for groups.
    fn latest_waiting(&self, names: &CulpritNames) -> Option<WaitingNow> {
        let (at, waiting) = self.waiting.as_ref()?;
        let reader = waiting.reader.as_ref();
        let culprit = reader.and_then(|reader| names.get(reader.culprit?));
        Some(WaitingNow {
            stalled: waiting.is_stalled(HEALTHY_NS.cast_unsigned()),
            culprit: culprit.map(Arc::clone),
            utc_offset_ns: at.utc_ns.wrapping_sub(at.monotonic_ns.cast_signed()),
            waiting: waiting.clone(),
        })
    }

    /// Whether a culprit is charged in it, or its reader waits for it.
    pub(super) fn contains(&self, culprit: CulpritId) -> bool {
        let reader = |(_, waiting): &(Moment, Waiting)| waiting.reader.as_ref()?.culprit;
        self.tallies.contains(culprit) || self.waiting.as_ref().and_then(reader) == Some(culprit)
    }

    /// The figures since the start, merged sessions included.
    pub(crate) const fn total(&self) -> &Tally<u64> {
        &self.tallies.total
    }

    pub(crate) const fn histograms(&self) -> &Histograms {
        &self.tallies.histograms
    }

    /// Lock waits since the start, merged sessions included.
    pub(crate) fn lock_waits(&self) -> LockWaitTotals {
        self.lock_waits.totals()
    }

    /// Closures of our window since the start, merged sessions included.
    pub(crate) fn windows(&self) -> WindowClosures {
        self.windows.totals()
    }

    /// The culprits of a part with a series of their own, and their charges, nanoseconds.
    pub(super) fn blame_series(&self, part: Part) -> impl Iterator<Item = (CulpritId, u64)> {
        self.tallies.blame.series(part)
    }

    /// Charges of a part whose series have ended, nanoseconds. Never decreases.
    pub(crate) const fn ended_series_ns(&self, part: Part) -> u64 {
        self.tallies.blame.ended_series_ns(part)
    }

    /// The verdict of the latest interval.
    pub(crate) const fn verdict(&self) -> Option<&Verdict> {
        self.latest.verdict.as_ref()
    }

    /// The what-if of the latest interval.
    pub(crate) const fn what_if(&self) -> Option<&WhatIf> {
        self.latest.what_if.as_ref()
    }

    /// Adds everything that an ended session has counted.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.connections += other.connections;
        self.series.since_ns = self.series.since_ns.min(other.series.since_ns);
        self.tallies.absorb(&other.tallies);
        if let (Some(mine), Some(theirs)) = (&mut self.diagnosis, &other.diagnosis) {
            mine.absorb(theirs);
        }
        self.lock_waits.absorb(&other.lock_waits);
        self.windows.absorb(&other.windows);
    }

    fn figures(
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
            longest_lock_wait_ns: self.lock_waits().longest_lock_wait_ns,
            window,
            figures,
            blame,
            waiting: None,
            verdict: None,
            what_if: None,
        }
    }

    /// The figures since the start.
    pub(super) fn summary(&self, context: &FiguresContext<'_>) -> SessionFigures {
        let figures = self.tallies.total.figures();
        let blame = self.tallies.blame.rows(&figures.sums, context.names);
        let counts = (self.lock_waits().lock_waits, self.windows());
        let mut figures = self.figures(figures, blame, counts);
        // Of an ended session too: that is how it ended.
        figures.waiting = self.latest_waiting(context.names);
        if let Some(diagnosis) = &self.diagnosis {
            let around = context.circumstances();
            let findings = diagnosis.total(&around, figures.figures.age);
            figures.what_if.clone_from(&findings.what_if);
            figures.verdict = diagnosis.verdict(&figures, findings, around);
        }
        figures
    }

    /// The figures of the interval; the next interval begins.
    pub(super) fn take_interval(&mut self, context: &FiguresContext<'_>) -> SessionFigures {
        let counts = (
            self.lock_waits.take_interval(),
            self.windows.take_interval(),
        );
        let figures = self.tallies.interval.figures();
        let blame = &self.tallies.interval_blame;
        let blame = blame.rows(&figures.sums, context.names);
        let mut figures = self.figures(figures, blame, counts);
        figures.waiting = self.waiting_now(context.names);
        if let Some(diagnosis) = &mut self.diagnosis {
            let around = context.circumstances();
            let findings = diagnosis.take_interval(&around, figures.figures.age);
            figures.what_if.clone_from(&findings.what_if);
            figures.verdict = diagnosis.verdict(&figures, findings, around);
        }
        self.latest.verdict.clone_from(&figures.verdict);
        self.latest.what_if.clone_from(&figures.what_if);
        self.tallies.interval_blame.reset();
        self.tallies.blame.decay(context.length);
        self.tallies.interval.reset();
        // The history of an ended session ends with it.
        if !figures.ended || !figures.figures.is_empty() {
            let cpu = context.cpu.as_ref();
            self.history
                .push(context.until_ns, context.length, &figures, cpu);
        }
        figures
    }

    pub(super) fn history(&self) -> SessionHistory<'_> {
        SessionHistory {
            name: &self.name,
            tid: self.tid,
            ended: self.ended.is_some(),
            points: self.history.points(),
            latest: self.history.latest(),
            verdict: self.verdict(),
        }
    }

    /// Bytes held, without those of the tables of blame.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let diagnosis = self.diagnosis.as_ref();
        size_of::<Self>()
            + self.tallies.heap_bytes()
            + diagnosis.map_or(0, SessionDiagnosis::heap_bytes)
            + self.history.heap_bytes()
    }
}
