//! Nagle against delayed ACK: a venue without TCP_NODELAY waits for an acknowledgement of ours.

use std::time::Duration;

use anyhow::Result;

use crate::observe::ObservedRun;
use crate::wired::wired;
use crate::{BarCheck, Context, Experiment, ResultRow, blame};
use lab::quantiles::Quantiles;
use lab::tun::WireLog;
use lab::venue;

pub(super) const ACKS: Experiment = Experiment {
    name: "acks",
    about: "a venue that waits for acknowledgements, of a victim that does not read for stretches, \
            or is far away",
    run,
};

/// Messages per second, and seconds per case.
const RATE: f64 = 300.0;
const SECONDS: f64 = 4.0;

fn run(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let pauses = [
        "--inject",
        "rcvbuf",
        "--hold-us",
        "200000",
        "--gap-us",
        "100000",
    ];
    let cases: [(&str, u64, bool, &[&str]); 3] = [
        ("our pauses", 1, false, &pauses),
        ("the same, TCP_NODELAY", 1, true, &pauses),
        ("20 ms away, no pauses", 20, false, &[]),
    ];
    let run = |(case, delay, nodelay, victim)| {
        let options = venue::VenueOptions {
            nodelay,
            ..venue::VenueOptions::of(RATE, context.messages(RATE, SECONDS))
        };
        let (run, log) = wired(context, Duration::from_millis(delay), options, victim)?;
        Ok(row(case, &run, &log))
    };
    cases.into_iter().map(run).collect()
}

fn row(case: &str, run: &ObservedRun, log: &WireLog) -> ResultRow {
    let pending = PendingIntervals::of(log);
    let joined = run.joined();
    let (mut found_ns, mut truth_ns, mut network_ns) = (0, 0, 0);
    let (mut differences, mut beyond) = (Vec::with_capacity(joined.len()), 0);
    for message in &joined {
        let truth = pending.between(message.sent.sent_monotonic_ns, message.out_of_flight_ns());
        let found = message.found.ack_pending_ns;
        found_ns += found;
        truth_ns += truth;
        network_ns += message.found.part("network");
        beyond += usize::from(found > message.found.stage("in_flight").max(0));
        differences.push(found - truth);
    }
    let per_cent = |ns: i64| 100.0 * ns as f64 / network_ns as f64;
    let errors = Quantiles::of_errors(differences);
    ResultRow {
        experiment: ACKS.name,
        case: case.to_owned(),
        truth: "the wire's log: from a message's coming out until the acknowledgement of it came \
                in",
        quantity: "ack_pending",
        messages: joined.len(),
        truth_ns,
        found_ns,
        leak: None,
        unknown: run.unknown(),
        checks: vec![
            BarCheck::none("sums that do not hold", run.inexact()),
            blame::sums(&run.blame),
            BarCheck::none("messages with unknown time", run.unknown()),
            BarCheck::none("messages with more than their time in flight", beyond),
            BarCheck::at_most(
                "of the network too much",
                per_cent(found_ns - truth_ns),
                2.0,
                "%",
            ),
            BarCheck::at_most(
                "of the network too little",
                per_cent(truth_ns - found_ns),
                5.0,
                "%",
            )
            .because(
                "a lower bound: of several segments between two events only the last has an \
                 instant",
            ),
            BarCheck::at_most("median error", errors.p50_ns as f64 / 1e3, 200.0, "us"),
        ],
        errors,
        remarks: vec![format!(
            "an acknowledgement was pending for {:.1}% of the {:.3} s in the network, truly {:.1}%",
            per_cent(found_ns),
            network_ns as f64 / 1e9,
            per_cent(truth_ns),
        )],
    }
}

/// The stretches in which what had come out was not acknowledged, monotonic, nanoseconds.
struct PendingIntervals(Vec<(i64, i64)>);

impl PendingIntervals {
    fn of(log: &WireLog) -> Self {
        let mut acknowledged = log.acknowledged().into_iter().peekable();
        let mut stretches: Vec<(i64, i64)> = Vec::new();
        for (end, from) in log.delivered() {
            // The first acknowledgement that covers it.
            while acknowledged.next_if(|(acked, _)| *acked < end).is_some() {}
            let Some((_, to)) = acknowledged.peek() else {
                break;
            };
            match stretches.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(*to),
                _ => stretches.push((from, *to)),
            }
        }
        Self(stretches)
    }

    fn between(&self, from: i64, to: i64) -> i64 {
        let first = self.0.partition_point(|stretch| stretch.1 <= from);
        let overlaps = self.0[first..].iter().take_while(|stretch| stretch.0 < to);
        overlaps
            .map(|stretch| (stretch.1.min(to) - stretch.0.max(from)).max(0))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lab::tun::WirePacket;

    #[test]
    fn stretches_join_where_one_acknowledgement_covers_several() {
        let packet = |to_victim, position: u32, at| WirePacket {
            to_victim,
            seq: if to_victim { position - 10 } else { 1 },
            ack: Some(if to_victim { 1 } else { position }),
            syn: false,
            payload: if to_victim { 10 } else { 0 },
            in_ns: at,
            out_ns: at,
        };
        let log = WireLog {
            packets: vec![
                packet(true, 10, 100),
                packet(true, 20, 150),
                packet(false, 20, 300),
                packet(true, 30, 500),
                packet(false, 30, 510),
                packet(true, 40, 900),
            ],
        };
        let pending = PendingIntervals::of(&log);
        assert_eq!(pending.0, [(100, 300), (500, 510)]);
        assert_eq!(pending.between(0, 1000), 210);
        assert_eq!(pending.between(200, 505), 105);
        assert_eq!(pending.between(300, 500), 0);
    }
}
