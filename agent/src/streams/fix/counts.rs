//! The account a tap keeps.

/// What one tap has done, since it was made. All fields only grow, but for `pending_bytes`.
///
/// Two laws hold after every call of `feed`, for any input:
///
/// - every byte offered is in exactly one place:
///   `offered_bytes == message_bytes + skipped_bytes + overlap_bytes + pending_bytes`;
/// - so is every offset between the first one fed and the one expected next: `expected - first ==
///   offered_bytes - overlap_bytes + omitted_bytes + lost_bytes - rewound_bytes` (modulo 2^64).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TapTotals {
    /// Headers handed out.
    pub(crate) messages: u64,
    /// Framing found broken: no `8=FIX` where a message had ended, a message start that does not go
    /// on as one (`8=FIX`, version, `9=`, length), or a trailer that is not `10=ddd`. A late attach
    /// or the search after a loss is not garbled in itself.
    pub(crate) garbled: u64,
    /// Headers without at least one of 34, 35, 49, 56 or 52. Those that only lack 52 are handed out
    /// nevertheless, the others are not.
    pub(crate) incomplete_headers: u64,
    /// Headers not handed out because one of 34, 35, 49 or 56 was missing or could not be parsed.
    pub(crate) rejected_headers: u64,
    /// Which field it was.
    pub(crate) missing: MissingFields,
    /// Messages whose beginning was read and whose header was then cut by a gap or a restart.
    pub(crate) dropped_messages: u64,
    /// Times the offsets went back so far that the tap started over.
    pub(crate) restarts: u64,
    /// Bytes passed to `feed`.
    pub(crate) offered_bytes: u64,
    /// Of these, bytes of a message whose start was recognised.
    pub(crate) message_bytes: u64,
    /// Of these, bytes of no recognised message.
    pub(crate) skipped_bytes: u64,
    /// Of these, bytes at offsets already passed (or that no 64-bit offset can name): not read.
    pub(crate) overlap_bytes: u64,
    /// Of these, bytes retained until the next ones decide whether they belong to a message: fewer
    /// than [`agent_common::framing::MAX_PREFIX_BYTES`].
    pub(crate) pending_bytes: u64,
    /// Offsets never offered that lie between the header and the end of a message: omitted on
    /// purpose.
    pub(crate) omitted_bytes: u64,
    /// All other offsets never offered.
    pub(crate) lost_bytes: u64,
    /// The distance gone back in restarts.
    pub(crate) rewound_bytes: u64,
}

/// Header fields that were missing, or whose value could not be parsed. One header can count in
/// several of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MissingFields {
    /// MsgSeqNum (34).
    pub(crate) seq: u64,
    /// MsgType (35).
    pub(crate) msg_type: u64,
    /// SenderCompID (49).
    pub(crate) sender: u64,
    /// TargetCompID (56).
    pub(crate) target: u64,
    /// SendingTime (52).
    pub(crate) sending_time: u64,
}
