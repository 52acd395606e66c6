//! All scenarios of one session.

use super::{
    batch::{Batch, MOST, Waiting},
    outcome::{Outcome, WhatIf},
    queue::Queue,
    scenario::Scenario,
    service::Service,
    transit::Transit,
};
use crate::{
    domain::{HandOff, Message, Part, Stage},
    stats::Quantiles,
};

/// Replays a session as its messages come. Memory is bounded: a queue per scenario, and only for
/// those in which something is different, and the messages of one receive call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replay {
    as_it_was: Queue,
    /// The scenarios after the first; `None` as long as nothing is different in them.
    changed: [Option<Queue>; Scenario::ALL.len() - 1],
    transit: Transit,
    pending: Option<Batch>,
    /// The hand-off of the message before.
    latest_end: Option<i64>,
    /// The last hand-off.
    through: Option<i64>,
    /// The receive call of the last batch, and what the reader spent on it after its return.
    last: Option<(i64, Service)>,
    spent_total: Service,
    spent_interval: Service,
}

impl Replay {
    /// The next message in the order read.
    pub(crate) fn message(&mut self, message: &Message) {
        if message.hand_off == HandOff::Unobserved {
            // What the reader spent on it is not known.
            return;
        }
        let matrix = message.split.matrix();
        let in_flight = matrix.stage(Stage::InFlight);
        let held_back = matrix.stage(Stage::HeldBack);
        let handed_off = message.handed_off_at.cast_signed();
        let received = handed_off - matrix.stage(Stage::InApp);
        // One whose arrival was not seen was there at the latest when it was received.
        let arrived = received - matrix.stage(Stage::Queued);
        let sent = handed_off - message.split.age_ns();
        let behind = self.latest_end.is_some_and(|end| arrived < end);
        self.latest_end = Some(handed_off);
        let there = if held_back > 0 {
            arrived.min(sent + self.transit.median_ns().unwrap_or(in_flight))
        } else if behind {
            // Who does not read does not acknowledge, and the sender may wait for that.
            let ours = i64::try_from(message.ack_pending_ns).unwrap_or(i64::MAX);
            let usual = sent + self.transit.median_ns().unwrap_or(in_flight);
            arrived.min(usual.max(arrived - ours))
        } else {
            if message.arrived_ns.is_some() && !message.poss_dup {
                self.transit.seen(in_flight);
            }
            arrived
        };
        // Of one that waited mostly unseen there is no saying what it would have done without.
        let seen = message.split.age_ns() - matrix.part(Part::Unknown);
        let waiting = Waiting {
            sent,
            there,
            counts: !message.poss_dup && seen * 2 > message.split.age_ns(),
            handed_off,
            in_app: Service::of_stage(matrix, Stage::InApp, &message.aftermath.in_app),
        };
        let goes_on = |batch: &Batch| batch.received == received && batch.messages.len() < MOST;
        if !self.pending.as_ref().is_some_and(goes_on) {
            self.flush();
        }
        let batch = self.pending.get_or_insert_with(|| Batch {
            received,
            first_arrived: arrived,
            queued: Service::of_stage(matrix, Stage::Queued, &message.aftermath.queued),
            messages: Vec::new(),
        });
        batch.messages.push(waiting);
    }

    /// The receive call has no more messages.
    fn flush(&mut self) {
        let Some(mut batch) = self.pending.take() else {
            return;
        };
        let before = match &self.last {
            Some((received, spent)) if *received == batch.received => *spent,
            _ => Service::default(),
        };
        let mut after = before;
        batch.groups(self.through, &before, |group| {
            for (scenario, queue) in Scenario::ALL[1..].iter().zip(&mut self.changed) {
                let different = [&group.stall, &group.work]
                    .into_iter()
                    .any(|service| scenario.left_of(service) != service.total());
                if queue.is_none() && different {
                    *queue = Some(self.as_it_was.clone());
                }
                if let Some(queue) = queue {
                    queue.serve(*scenario, group);
                }
            }
            self.as_it_was.serve(Scenario::AsItWas, group);
            after.add(&group.work);
            for spent in [&mut self.spent_total, &mut self.spent_interval] {
                spent.add(&group.stall);
                spent.add(&group.work);
            }
        });
        self.last = Some((batch.received, after));
        self.through = batch.messages.last().map(|m| m.handed_off);
    }

    fn what_if(
        &mut self,
        measured: Quantiles,
        mut spread: impl FnMut(&mut Queue) -> Option<Quantiles>,
    ) -> Option<WhatIf> {
        let as_it_was = spread(&mut self.as_it_was);
        let mut outcomes = Vec::with_capacity(Scenario::ALL.len());
        outcomes.extend(as_it_was.map(|age| Outcome {
            scenario: Scenario::AsItWas,
            age,
        }));
        for (&scenario, queue) in Scenario::ALL[1..].iter().zip(&mut self.changed) {
            let age = queue.as_mut().map_or(as_it_was, &mut spread);
            outcomes.extend(age.map(|age| Outcome { scenario, age }));
        }
        (outcomes.len() == Scenario::ALL.len()).then_some(WhatIf { measured, outcomes })
    }

    /// What came out since the start.
    pub(crate) fn total(&self, measured: Option<Quantiles>) -> (Option<WhatIf>, Service) {
        // What is pending belongs to it, and has to stay pending.
        let mut all = self.clone();
        all.flush();
        let what_if = measured.and_then(|m| all.what_if(m, |queue| queue.quantiles()));
        (what_if, all.spent_total)
    }

    /// What came out since the last call, and what the reader spent.
    pub(crate) fn take_interval(
        &mut self,
        measured: Option<Quantiles>,
    ) -> (Option<WhatIf>, Service) {
        self.flush();
        let what_if = match measured {
            Some(measured) => self.what_if(measured, Queue::take_interval),
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

    /// Takes over what an ended connection had added up.
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
        queues.map(Queue::heap_bytes).sum()
    }
}
