//! What is recorded is read back, whatever it is and wherever the file ends.

mod arbitrary;
mod damage;
mod format;
mod round_trip;
mod segments;

use std::path::Path;

use super::{RecordingHeader, RecordingReader, RecordingTotals, writer::Writer};
use crate::domain::{
    Charge, CulpritId, Moment, Part, Stage, Update,
    fixtures::{message, session},
};

const LARGE: u64 = 1 << 30;

fn moment(n: u64) -> Moment {
    Moment {
        monotonic_ns: 5_000_000_000 + n,
        utc_ns: 1_700_000_000_000_000_000 + n as i64,
    }
}

fn header() -> RecordingHeader {
    RecordingHeader::new("pid 411", moment(0), std::time::Duration::from_mins(2))
}

fn record(path: &Path, max_size: u64, updates: &[(Moment, Update)]) -> RecordingTotals {
    let mut writer = Writer::create(path, max_size, header()).expect("a file");
    for (now, update) in updates {
        writer.update(*now, update.clone()).expect("written");
    }
    writer.end(None).expect("written")
}

/// Updates have no equality of their own; their text names every field.
fn text<'a>(updates: impl IntoIterator<Item = &'a (Moment, Update)>) -> Vec<String> {
    updates
        .into_iter()
        .map(|update| format!("{update:?}"))
        .collect()
}

fn read(reader: RecordingReader) -> Vec<(Moment, Update)> {
    reader.map(|update| update.expect("whole")).collect()
}

/// Messages like a day's, their ages growing and falling.
fn day(count: u64) -> Vec<(Moment, Update)> {
    let (a, b) = (session(0), session(1));
    let noise = |n: u64| {
        let mixed = (n ^ (n << 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 44) as i64
    };
    (0..count)
        .map(|n| {
            let cells = [
                (Stage::InFlight, Part::Network, 40_000 + noise(n)),
                (Stage::Queued, Part::LockWait, 3_000_000 + 9 * noise(n + 1)),
                (Stage::Queued, Part::RunQueue, 50_000 + noise(n + 2)),
                (Stage::InApp, Part::OnCpu, 20_000 + noise(n + 3)),
            ];
            let mut m = message(if n % 3 == 0 { &a } else { &b }, n, &cells);
            m.charges = vec![Charge {
                part: Part::LockWait,
                culprit: CulpritId(1),
                ns: 2_900_000,
                held_back_ns: 0,
            }];
            (moment(n * 20_000_000), Update::Message(Box::new(m)))
        })
        .collect()
}
