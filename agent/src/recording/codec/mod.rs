//! Between updates and records: differences to the record before, and numbers that stand for
//! sessions.

mod decoder;
mod encoder;

pub(super) use self::{
    decoder::{Decoded, Decoder},
    encoder::Encoder,
};
use super::batch::CELLS;
use crate::domain::{Part, Stage};

/// The message of a session to which the next one is written as a difference.
#[derive(Clone, Debug, Default)]
struct LastMessage {
    tid: u32,
    seq: u64,
    bytes: u32,
    resolution_ns: i64,
    handed_off_ns: i64,
    /// UTC minus monotonic time.
    utc_offset_ns: i64,
    cells: [i64; CELLS],
}

/// The instants of a message as they follow from its hand-off and its matrix. They are exact for
/// most messages; the record holds the differences.
struct ExpectedInstants {
    sent_ns: i64,
    received_ns: i64,
    queued_ns: i64,
}

impl ExpectedInstants {
    fn of(handed_off_ns: i64, cells: &[i64; CELLS]) -> Self {
        let stage_ns = |stage: Stage| {
            let first = stage as usize * Part::ALL.len();
            cells[first..first + Part::ALL.len()].iter().sum::<i64>()
        };
        let [in_flight, held_back, queued, in_app] = Stage::ALL.map(stage_ns);
        Self {
            sent_ns: handed_off_ns.wrapping_sub(in_flight + held_back + queued + in_app),
            received_ns: handed_off_ns.wrapping_sub(in_app),
            queued_ns: queued,
        }
    }

    const fn arrived_ns(&self, received_ns: i64) -> i64 {
        received_ns.wrapping_sub(self.queued_ns)
    }
}
