//! What is read of a message.

use super::{
    CompId, TapTotals,
    fields::{FieldWalk, HeaderField, number},
    timestamp::parse_utc_timestamp,
};
use crate::domain::{MsgType, SentTime};

/// The header of one message, and where the message lies in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The offset of the message's first byte.
    pub(crate) start: u64,
    /// The offset one past the message's last byte, as BodyLength (9) announces it.
    pub(crate) end: u64,
    /// How much of the message, from its first byte, it takes to read this.
    pub(crate) bytes: usize,
    /// MsgSeqNum (34).
    pub(crate) seq: u64,
    /// MsgType (35).
    pub(crate) msg_type: MsgType,
    /// PossDupFlag (43) was Y.
    pub(crate) poss_dup: bool,
    /// SendingTime (52); `None` when it was missing or not a timestamp.
    pub(crate) sending_time: Option<SentTime>,
    /// OrigSendingTime (122); `None` when it was missing or not a timestamp.
    pub(crate) orig_sending_time: Option<SentTime>,
    /// SenderCompID (49).
    pub(crate) sender: CompId,
    /// TargetCompID (56).
    pub(crate) target: CompId,
}

impl Header {
    /// Decodes what a completed walk found; counts what it did not, and is `None` when that leaves
    /// no usable header.
    pub(super) fn decode(
        (start, end): (u64, u64),
        window: &[u8],
        walk: &FieldWalk,
        counts: &mut TapTotals,
    ) -> Option<Self> {
        let value = |wanted| walk.value(window, wanted);
        let seq = number(value(HeaderField::Seq));
        let msg_type = MsgType::new(value(HeaderField::Type));
        let sender = CompId::new(value(HeaderField::Sender));
        let target = CompId::new(value(HeaderField::Target));
        let sending_time = parse_utc_timestamp(value(HeaderField::SendingTime));

        let missing = &mut counts.missing;
        missing.seq += u64::from(seq.is_none());
        missing.msg_type += u64::from(msg_type.is_none());
        missing.sender += u64::from(sender.is_none());
        missing.target += u64::from(target.is_none());
        missing.sending_time += u64::from(sending_time.is_none());

        let header = (|| {
            Some(Self {
                start,
                end,
                bytes: walk.bytes(),
                seq: seq?,
                msg_type: msg_type?,
                poss_dup: value(HeaderField::PossDup) == b"Y",
                sending_time,
                orig_sending_time: parse_utc_timestamp(value(HeaderField::OrigSendingTime)),
                sender: sender?,
                target: target?,
            })
        })();
        counts.messages += u64::from(header.is_some());
        counts.rejected_headers += u64::from(header.is_none());
        counts.incomplete_headers += u64::from(header.is_none() || sending_time.is_none());
        header
    }
}
