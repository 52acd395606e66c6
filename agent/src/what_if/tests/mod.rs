//! Queues of a simulated reader.

mod properties;
mod scenarios;

use std::{ops::Range, sync::Arc};

use super::{WhatIf, replay::WhatIfReplay};
use crate::{
    domain::{Matrix, Message, Part, SessionId, Split, Stage, fixtures},
    stats::{AgeQuantiles, Ages},
};

const US: i64 = 1_000;
const MS: i64 = 1_000_000;
const BASE: i64 = 1_700_000_000_000_000_000;
const UPTIME: i64 = 4_000_000_000_000;

/// A message before it is read: its arrival, and what the reader will do for it.
#[derive(Clone, Debug)]
struct Load {
    arrives: i64,
    held_back: i64,
    work: Vec<(Part, i64)>,
}

/// A reader that takes up to `max_per_call` messages per call, after `wake`.
struct SimulatedReader {
    wake: Vec<(Part, i64)>,
    max_per_call: usize,
    /// The messages of a call are handed off one by one, as with --handoff.
    by_function: bool,
    /// Receive calls, as long as there is something to read, before it handles what it has read.
    calls: usize,
    /// Its history: from, to, part.
    did: Vec<(i64, i64, Part)>,
    now: i64,
}

impl SimulatedReader {
    fn new(wake: &[(Part, i64)], max_per_call: usize) -> Self {
        Self {
            wake: wake.to_vec(),
            max_per_call,
            by_function: false,
            calls: 1,
            did: Vec::new(),
            now: i64::MIN,
        }
    }

    fn spend(&mut self, parts: &[(Part, i64)]) {
        for &(part, ns) in parts {
            self.did.push((self.now, self.now + ns, part));
            self.now += ns;
        }
    }

    fn charge(&self, matrix: &mut Matrix, stage: Stage, from: i64, to: i64) {
        for &(began, ended, part) in self.did.iter().rev().take_while(|d| d.1 > from) {
            let within = ended.min(to) - began.max(from);
            if within > 0 {
                matrix.add(stage, part, within);
            }
        }
    }

    /// Wakes and takes what has arrived from message `next` on: the instant, and which messages.
    fn receive(&mut self, loads: &[Load], next: usize) -> (i64, Range<usize>) {
        self.now = self.now.max(loads[next].arrives);
        let wake = self.wake.clone();
        self.spend(&wake);
        let rest = loads[next..].iter().take(self.max_per_call);
        let there = rest.take_while(|l| l.arrives <= self.now).count();
        (self.now, next..next + there)
    }

    /// Reads everything, as the join would join it.
    fn read(mut self, loads: &[Load]) -> Vec<Message> {
        const TRANSIT: i64 = 50 * US;
        let session = fixtures::session(0);
        let mut messages = Vec::new();
        let mut next = 0;
        while next < loads.len() {
            let mut received = Vec::new();
            for call in 0..self.calls {
                if call > 0 && loads.get(next).is_none_or(|load| load.arrives > self.now) {
                    break;
                }
                let (at, there) = self.receive(loads, next);
                next = there.end;
                received.extend(there.map(|n| (at, &loads[n])));
            }
            let mut ends = Vec::new();
            for (_, load) in &received {
                self.spend(&load.work);
                ends.push(self.now);
            }
            for ((received, load), end) in received.into_iter().zip(ends) {
                let end = if self.by_function { end } else { self.now };
                let mut matrix = Matrix::default();
                matrix.add(Stage::InFlight, Part::Network, TRANSIT);
                matrix.add(Stage::HeldBack, Part::LockWait, load.held_back);
                self.charge(&mut matrix, Stage::Queued, load.arrives, received);
                self.charge(&mut matrix, Stage::InApp, received, end);
                messages.push(joined(
                    &session,
                    messages.len() as u64,
                    load.arrives - TRANSIT - load.held_back,
                    (load.arrives, received, end),
                    matrix,
                ));
            }
        }
        messages
    }
}

fn joined(
    session: &Arc<SessionId>,
    seq: u64,
    sent: i64,
    (arrived, received, handed_off): (i64, i64, i64),
    matrix: Matrix,
) -> Message {
    let mut message = fixtures::message(session, seq, &[]);
    message.sent.utc_ns = BASE + sent;
    message.arrived_ns = Some(BASE + arrived);
    message.received_ns = BASE + received;
    message.handed_off_ns = BASE + handed_off;
    message.handed_off_at = (UPTIME + handed_off) as u64;
    message.split = Split::new(handed_off - sent, matrix).expect("the timeline has no holes");
    message
}

fn measured(messages: &[Message]) -> AgeQuantiles {
    let mut ages = Ages::<u64, 3>::default();
    for message in messages {
        ages.record(message.split.age_ns());
    }
    ages.quantiles().expect("there are messages")
}

fn replayed(messages: &[Message]) -> WhatIf {
    let mut replay = WhatIfReplay::default();
    for message in messages {
        replay.message(message);
    }
    let (total, _) = replay.total(Some(measured(messages)));
    let (interval, _) = replay.take_interval(Some(measured(messages)));
    let total = total.expect("there are messages");
    assert_eq!(Some(&total), interval.as_ref());
    total
}

fn evenly(count: i64, every: i64, work: &[(Part, i64)]) -> Vec<Load> {
    let load = |n| Load {
        arrives: n * every,
        held_back: 0,
        work: work.to_vec(),
    };
    (0..count).map(load).collect()
}

fn near(a: i64, b: i64, of: f64) -> bool {
    (a - b).abs() as f64 <= of * (a.max(b) as f64) + 2.0
}
