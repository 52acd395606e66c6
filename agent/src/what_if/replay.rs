//! All scenarios of one session.

use super::{
    ages::{ScenarioAges, WhatIf},
    queue::ReplayQueue,
    read_batch::{MAX_MESSAGES, QueuedMessage, ReadBatch},
    reader_time::ReaderTime,
    scenario::Scenario,
    transit::Transit,
};
use crate::{
    domain::{HandOff, Message, Part, Stage},
    stats::AgeQuantiles,
};

/// Replays a session as its messages come. Memory is bounded: one queue per scenario, and only for
/// scenarios that differ from what was measured, and the messages of one receive call.
#[derive(Clone, Debug, Default)]
pub(crate) struct WhatIfReplay {
    as_it_was: ReplayQueue,
    /// The scenarios after the first; `None` as long as they do not differ from it.
    changed: [Option<ReplayQueue>; Scenario::ALL.len() - 1],
    transit: Transit,
    pending: Option<ReadBatch>,
    /// The hand-off of the message before.
    previous_end: Option<i64>,
    /// The last hand-off of the batches before.
    batch_end: Option<i64>,
    /// The receive call of the batch before, and what the reader did for it after its return.
    previous_call: Option<(i64, ReaderTime)>,
    spent_total: ReaderTime,
    spent_interval: ReaderTime,
}

/// The moments of a message, `CLOCK_MONOTONIC` nanoseconds.
struct MonotonicMoments {
    sent: i64,
    /// At the latest when it was received, if its arrival was not observed.
    arrived: i64,
    received: i64,
    handed_off: i64,
}

impl MonotonicMoments {
    fn of(message: &Message) -> Self {
        let matrix = message.split.matrix();
        let handed_off = message.handed_off_at.cast_signed();
        let received = handed_off - matrix.stage(Stage::InApp);
        Self {
            sent: handed_off - message.split.age_ns(),
            arrived: received - matrix.stage(Stage::Queued),
            received,
            handed_off,
        }
    }
}

impl WhatIfReplay {
    /// Adds the next message in the order read.
    pub(crate) fn message(&mut self, message: &Message) {
        if matches!(message.hand_off, HandOff::Unobserved | HandOff::Never) {
            // What the reader did for it is not known.
            return;
        }
        let matrix = message.split.matrix();
        let moments = MonotonicMoments::of(message);
        // Of a message that waited mostly unobserved, no other age can be derived.
        let age_ns = message.split.age_ns();
        let observed_ns = age_ns - matrix.part(Part::Unknown);
        let queued = QueuedMessage {
            sent: moments.sent,
            readable: self.readable(message, &moments),
            counts: !message.poss_dup && observed_ns * 2 > age_ns,
            handed_off: moments.handed_off,
            in_app: ReaderTime::of_stage(matrix, Stage::InApp, &message.aftermath.in_app),
        };
        self.previous_end = Some(moments.handed_off);
        let goes_on = |batch: &ReadBatch| {
            batch.received == moments.received && batch.messages.len() < MAX_MESSAGES
        };
        if !self.pending.as_ref().is_some_and(goes_on) {
            self.flush();
        }
        let batch = self.pending.get_or_insert_with(|| ReadBatch {
            received: moments.received,
            first_arrived: moments.arrived,
            queued: ReaderTime::of_stage(matrix, Stage::Queued, &message.aftermath.queued),
            messages: Vec::new(),
        });
        batch.messages.push(queued);
    }

    /// When the message would have been readable with a reader that is never behind.
    fn readable(&mut self, message: &Message, moments: &MonotonicMoments) -> i64 {
        let matrix = message.split.matrix();
        let in_flight = matrix.stage(Stage::InFlight);
        let &MonotonicMoments { sent, arrived, .. } = moments;
        if matrix.stage(Stage::HeldBack) > 0 {
            return arrived.min(sent + self.transit.median_ns().unwrap_or(in_flight));
        }
        if self.previous_end.is_some_and(|end| arrived < end) {
            // A reader that is behind does not acknowledge, and the sender may wait for that.
            let pending = i64::try_from(message.ack_pending_ns).unwrap_or(i64::MAX);
            let usual = sent + self.transit.median_ns().unwrap_or(in_flight);
            return arrived.min(usual.max(arrived - pending));
        }
        if message.arrived_ns.is_some() && !message.poss_dup {
            self.transit.record(in_flight);
        }
        arrived
    }

    /// Serves the pending batch: its receive call has no more messages.
    fn flush(&mut self) {
        let Some(mut batch) = self.pending.take() else {
            return;
        };
        let before = match &self.previous_call {
            Some((received, spent)) if *received == batch.received => *spent,
            _ => ReaderTime::default(),
        };
        let after = batch.groups(self.batch_end, &before, |group| {
            for (scenario, queue) in Scenario::ALL[1..].iter().zip(&mut self.changed) {
                let differs = [&group.stall, &group.work]
                    .into_iter()
                    .any(|time| scenario.remaining_ns(time) != time.total());
                if queue.is_none() && differs {
                    *queue = Some(self.as_it_was.clone());
                }
                if let Some(queue) = queue {
                    queue.serve(*scenario, group);
                }
            }
            self.as_it_was.serve(Scenario::AsItWas, group);
            for spent in [&mut self.spent_total, &mut self.spent_interval] {
                spent.add(&group.stall);
                spent.add(&group.work);
            }
        });
        self.previous_call = Some((batch.received, after));
        // `None` is less than any instant.
        self.batch_end = self
            .batch_end
            .max(batch.messages.last().map(|m| m.handed_off));
    }

    fn what_if(
        &mut self,
        measured: AgeQuantiles,
        mut quantiles: impl FnMut(&mut ReplayQueue) -> Option<AgeQuantiles>,
    ) -> Option<WhatIf> {
        let as_it_was = quantiles(&mut self.as_it_was);
        let mut scenarios = Vec::with_capacity(Scenario::ALL.len());
        scenarios.extend(as_it_was.map(|age| ScenarioAges {
            scenario: Scenario::AsItWas,
            age,
        }));
        for (&scenario, queue) in Scenario::ALL[1..].iter().zip(&mut self.changed) {
            let age = queue.as_mut().map_or(as_it_was, &mut quantiles);
            scenarios.extend(age.map(|age| ScenarioAges { scenario, age }));
        }
        (scenarios.len() == Scenario::ALL.len()).then_some(WhatIf {
            measured,
            scenarios,
        })
    }

    /// The result since the start, and the time of the reader.
    pub(crate) fn total(&self, measured: Option<AgeQuantiles>) -> (Option<WhatIf>, ReaderTime) {
        // The pending batch is part of it, and has to remain pending.
        let mut all = self.clone();
        all.flush();
        let what_if = measured.and_then(|m| all.what_if(m, |queue| queue.quantiles()));
        (what_if, all.spent_total)
    }

    /// The result since the last call, and the time of the reader.
    pub(crate) fn take_interval(
        &mut self,
        measured: Option<AgeQuantiles>,
    ) -> (Option<WhatIf>, ReaderTime) {
        self.flush();
        let what_if = match measured {
            Some(measured) => self.what_if(measured, ReplayQueue::take_interval),
            None => {
                let queues = self.changed.iter_mut().flatten();
                for queue in queues.chain([&mut self.as_it_was]) {
                    queue.take_interval();
                }
                None
            }
        };
        (what_if, std::mem::take(&mut self.spent_interval))
    }

    /// Adds the ages of a connection that has ended.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.flush();
        let mut other = other.clone();
        other.flush();
        for (mine, theirs) in self.changed.iter_mut().zip(&other.changed) {
            if mine.is_none() && theirs.is_some() {
                *mine = Some(self.as_it_was.clone());
            }
            if let Some(mine) = mine {
                mine.absorb(theirs.as_ref().unwrap_or(&other.as_it_was));
            }
        }
        self.as_it_was.absorb(&other.as_it_was);
        self.spent_total.add(&other.spent_total);
        self.spent_interval.add(&other.spent_interval);
    }

    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        let queues = self.changed.iter().flatten().chain([&self.as_it_was]);
        queues.map(ReplayQueue::heap_bytes).sum()
    }
}
