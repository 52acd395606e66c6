//! The verdict and the what-if of a session.

use std::time::Duration;

use super::figures::SessionFigures;
use crate::{
    domain::{Message, Moment, Stage, Waiting},
    stats::AgeQuantiles,
    verdict::{
        AgeLine, AgeTrend, CpuUse, Evidence, Flow, FlowTally, HEALTHY_NS, Verdict, WaitedTime,
        diagnose,
    },
    what_if::{ReaderTime, WhatIf, WhatIfReplay},
};

/// What a session's verdict needs besides its figures. Only a single session has one: the messages
/// of several are not one queue.
#[derive(Clone, Debug, Default)]
pub(super) struct SessionDiagnosis {
    interval_flow: FlowTally,
    total_flow: FlowTally,
    trend: AgeTrend,
    replay: Box<WhatIfReplay>,
    /// Whether the latest fresh message was old when it was handed off.
    was_behind: bool,
    /// What the reader did in the interval while something waited for it.
    waited: WaitedTime,
}

/// The flow and the what-if of an interval, or since the start.
pub(super) struct Findings {
    pub(super) flow: Flow,
    pub(super) what_if: Option<WhatIf>,
    pub(super) reader_time: ReaderTime,
    /// What the reader did while something waited for it; only of an interval.
    pub(super) waited: WaitedTime,
}

/// What a verdict needs that is not the session's own.
pub(super) struct Circumstances {
    pub(super) length: Duration,
    pub(super) max_latency: Duration,
    /// CPU use of the session's process.
    pub(super) cpu: Option<CpuUse>,
}

impl SessionDiagnosis {
    /// Adds the next message in the order read.
    pub(super) fn message(&mut self, message: &Message) {
        if !message.poss_dup {
            self.interval_flow.add(message);
            self.total_flow.add(message);
            let in_flight = message.split.matrix().stage(Stage::InFlight);
            self.was_behind = message.split.age_ns() - in_flight >= HEALTHY_NS;
        }
        self.replay.message(message);
    }

    /// Takes in what waits. While nothing is handed off its age is that of the session.
    pub(super) fn waiting(&mut self, now: Moment, waiting: &Waiting) {
        self.waited.add(waiting);
        if !waiting.is_empty() {
            self.interval_flow.add_waiting(now, waiting);
        }
    }

    pub(super) fn absorb(&mut self, other: &Self) {
        self.replay.absorb(&other.replay);
    }

    /// The findings since the start, beside the ages as measured.
    pub(super) fn total(&self, around: &Circumstances, age: Option<AgeQuantiles>) -> Findings {
        let (what_if, reader_time) = self.replay.total(age);
        let flow = &self.total_flow;
        Findings {
            flow: flow.flow(around.length, &flow.line(), around.max_latency),
            what_if,
            reader_time,
            waited: WaitedTime::default(),
        }
    }

    /// The findings of the interval, beside the ages as measured; the next interval begins.
    pub(super) fn take_interval(
        &mut self,
        around: &Circumstances,
        age: Option<AgeQuantiles>,
    ) -> Findings {
        let (what_if, reader_time) = self.replay.take_interval(age);
        if self.interval_flow.take_recovery() {
            self.trend.reset();
        }
        let line: AgeLine = self
            .trend
            .interval(around.length, &self.interval_flow.line());
        let flow = self
            .interval_flow
            .flow(around.length, &line, around.max_latency);
        self.interval_flow.reset();
        Findings {
            flow,
            what_if,
            reader_time,
            waited: std::mem::take(&mut self.waited),
        }
    }

    /// The verdict on figures; `None` when there is nothing to judge.
    pub(super) fn verdict(
        &self,
        figures: &SessionFigures,
        findings: Findings,
        around: Circumstances,
    ) -> Option<Verdict> {
        let stall = figures.oldest_stall();
        let silent = figures.figures.messages == 0;
        // Before the first sample, or where there are none.
        let unexplained = figures.waiting.is_none() && self.was_behind && !figures.ended;
        if silent && stall.is_none() && !unexplained {
            return None;
        }
        let (judged, blame) = match stall {
            Some(stall) => (stall.figures(), stall.blame()),
            None => (figures.figures.clone(), figures.blame.clone()),
        };
        Some(diagnose(&Evidence {
            length: around.length,
            figures: judged,
            flow: findings.flow,
            reader_time: findings.reader_time,
            waited: findings.waited,
            blame,
            what_if: findings.what_if,
            cpu: around.cpu,
            stall: stall.cloned(),
            silent_when_behind: silent && stall.is_none(),
        }))
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.replay.heap_bytes() + self.trend.heap_bytes()
    }
}
