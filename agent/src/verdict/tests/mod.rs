//! Sessions of which a verdict is made.

mod causes;
mod sessions;

use super::Evidence;
use crate::{
    domain::{
        Message, Moment, Part, Stage,
        fixtures::{message, session},
    },
    model::Model,
};

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;

/// A session whose messages, one every `every` ns, have these cells; the age grows by `slope`.
fn evidence(cells: &[(Stage, Part, i64)], slope: f64) -> Evidence {
    let mut model = Model::at_zero();
    for message in stream(cells, slope, 100, 0) {
        model.observe(&message);
    }
    let interval = model.take_interval(after(1));
    let session = &interval.sessions[0];
    Evidence {
        length: interval.length,
        figures: session.figures.clone(),
        flow: session.verdict.as_ref().expect("there are messages").flow,
        ..Evidence::default()
    }
}

fn after(seconds: u64) -> Moment {
    Moment {
        monotonic_ns: seconds * SECOND as u64,
        utc_ns: 0,
    }
}

/// `count` messages handed off 10 ms apart, from `from` on.
fn stream(cells: &[(Stage, Part, i64)], slope: f64, count: i64, from: i64) -> Vec<Message> {
    let largest = cells.iter().max_by_key(|cell| cell.2).copied();
    let of = |n: i64| {
        let later = n * 10 * MS;
        let grown = (slope * later as f64) as i64;
        let (stage, part, _) = largest.expect("a cell");
        let all: Vec<_> = cells
            .iter()
            .copied()
            .chain([(stage, part, grown)])
            .collect();
        let mut m = message(&session(0), (from + n) as u64, &all);
        let handed_off = 1_700_000_000 * SECOND + from * 10 * MS + later;
        let moved = handed_off - m.handed_off_ns;
        m.sent.utc_ns += moved;
        m.arrived_ns = m.arrived_ns.map(|ns| ns + moved);
        m.received_ns += moved;
        m.handed_off_ns = handed_off;
        m
    };
    (0..count).map(of).collect()
}
