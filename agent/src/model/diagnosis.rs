//! The verdict and the what-if of a session.

use std::time::Duration;

use super::figures::SessionFigures;
use crate::{
    domain::{Message, Stage},
    stats::AgeQuantiles,
    verdict::{
        AgeLine, AgeTrend, CpuUse, Evidence, Flow, FlowTally, HEALTHY_NS, Verdict, diagnose,
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
}

/// The flow and the what-if of an interval, or since the start.
pub(super) struct Findings {
    pub(super) flow: Flow,
    pub(super) what_if: Option<WhatIf>,
    pub(super) reader_time: ReaderTime,
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
        }
    }

    /// The findings of the interval, beside the ages as measured; the next interval begins.
    pub(super) fn take_interval(
        &mut self,
        around: &Circumstances,
        age: Option<AgeQuantiles>,
    ) -> Findings {
        let (what_if, reader_time) = self.replay.take_interval(age);
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
        }
    }

    /// The verdict on figures; `None` when there is nothing to judge.
    pub(super) fn verdict(
        &self,
        figures: &SessionFigures,
        findings: Findings,
        around: Circumstances,
    ) -> Option<Verdict> {
        let silent = figures.figures.messages == 0;
        let stalled = silent && self.was_behind && !figures.ended;
        if silent && !stalled {
            return None;
        }
        Some(diagnose(&Evidence {
            length: around.length,
            figures: figures.figures.clone(),
            flow: findings.flow,
            reader_time: findings.reader_time,
            blame: figures.blame.clone(),
            what_if: findings.what_if,
            cpu: around.cpu,
            stalled,
        }))
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.replay.heap_bytes() + self.trend.heap_bytes()
    }
}
