//! A message in as few bytes as it has.

use crate::domain::{HandOff, Message, MsgType, SentBetween, SentTime};

/// Cells of a matrix, stage by part.
pub(in crate::recording) const CELLS: usize = crate::domain::Matrix::CELLS;
const _: () = assert!(CELLS <= u32::BITS as usize);

/// A message without its session, its matrix, its charges and its aftermath.
#[derive(Clone, Copy, Debug)]
pub(in crate::recording) struct FlatMessage {
    pub(in crate::recording) seq: u64,
    pub(in crate::recording) sent: SentTime,
    pub(in crate::recording) received_ns: i64,
    pub(in crate::recording) handed_off_ns: i64,
    pub(in crate::recording) handed_off_at: u64,
    pub(in crate::recording) arrived_ns: Option<i64>,
    pub(in crate::recording) sent_between: Option<SentBetween>,
    pub(in crate::recording) ack_pending_ns: u64,
    pub(in crate::recording) tid: u32,
    pub(in crate::recording) bytes: u32,
    pub(in crate::recording) msg_type: MsgType,
    pub(in crate::recording) poss_dup: bool,
    pub(in crate::recording) hand_off: HandOff,
}

impl FlatMessage {
    pub(in crate::recording) const fn of(m: &Message) -> Self {
        Self {
            seq: m.seq,
            sent: m.sent,
            received_ns: m.received_ns,
            handed_off_ns: m.handed_off_ns,
            handed_off_at: m.handed_off_at,
            arrived_ns: m.arrived_ns,
            sent_between: m.sent_between,
            ack_pending_ns: m.ack_pending_ns,
            tid: m.tid,
            bytes: m.bytes,
            msg_type: m.msg_type,
            poss_dup: m.poss_dup,
            hand_off: m.hand_off,
        }
    }
}
