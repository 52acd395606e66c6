//! The records as they are written. A change here, or of a domain type used here, is another
//! version of the format. Names of variants and fields are not written; their order is.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::domain::{
    Capability, CgroupUse, Charge, Culprit, CulpritId, DiscoveryCounts, ExclusionReason, HandOff,
    HolderSample, KubeHealth, LockWaitTotals, MessageAftermath, OwnUse, Part, ProbeCost,
    ProcessInfo, SessionId, TapCounts, ThreadUse, Waiting, WindowClosures,
};

/// The number that stands for a session since its [`Record::Session`].
pub(super) type SessionSlot = u32;

/// One record.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Record<'a> {
    Message(MessageRecord<'a>),
    Excluded(SessionSlot, ExclusionReason),
    Tap(SessionSlot, TapCounts),
    LockWaits(SessionSlot, LockWaitTotals),
    Window(SessionSlot, WindowClosures),
    Waiting(SessionSlot, Cow<'a, Box<Waiting>>),
    /// The slot is free from now on.
    Ended(SessionSlot),
    Health(HealthRecord<'a>),
    Culprit(CulpritId, Cow<'a, Culprit>),
    Wait(WaitRecord),
    Cgroup(Cow<'a, CgroupUse>),
    Process(Cow<'a, ProcessInfo>),
    ProcessEnded(u32),
    CulpritRetired(CulpritId),
    HolderSample(Cow<'a, HolderSample>),
    ThreadUse(Cow<'a, ThreadUse>),
    /// From now on the slot stands for this session.
    Session(SessionSlot, Cow<'a, SessionId>),
    /// The updates that follow were published so much later: by the monotonic clock, and how much
    /// more than that by UTC, ns.
    Moment(i64, i64),
    /// An interval ended.
    Interval,
    /// The updates before this record repeat updates of earlier segments.
    Repeated,
    /// This many updates were dropped.
    Lost(u64),
    /// The next segment continues here.
    Continued,
    /// The run ended.
    End,
}

/// A message, as differences to the message before of its session and to the instants that follow
/// from its matrix.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MessageRecord<'a> {
    pub(super) slot: SessionSlot,
    pub(super) tid: i32,
    pub(super) seq: i64,
    /// Its characters, the first in the lowest byte.
    pub(super) msg_type: u32,
    pub(super) bytes: i32,
    pub(super) poss_dup: bool,
    pub(super) hand_off: HandOff,
    pub(super) resolution_ns: i64,
    pub(super) handed_off_ns: i64,
    /// UTC minus monotonic time.
    pub(super) utc_offset_ns: i64,
    /// Difference to the hand-off less the age.
    pub(super) sent_ns: i64,
    /// Difference to the hand-off less the time in the application.
    pub(super) received_ns: i64,
    /// Difference to the receive call less the time in the queue.
    pub(super) arrived_ns: Option<i64>,
    /// The earliest instant after `sent_ns`, and the latest after that.
    pub(super) sent_between: Option<(i64, i64)>,
    pub(super) ack_pending_ns: u64,
    /// Which cells differ, a bit each.
    pub(super) changed: u32,
    /// By how much they differ.
    pub(super) by_ns: Cow<'a, [i64]>,
    pub(super) charges: Cow<'a, [Charge]>,
    /// `None` when there is none.
    pub(super) aftermath: Option<MessageAftermath>,
}

/// A wait that is over, as differences.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WaitRecord {
    pub(super) tid: u32,
    pub(super) part: Part,
    pub(super) culprit: CulpritId,
    /// How long before the moment of its update it ended.
    pub(super) ended_ns: i64,
    pub(super) length_ns: i64,
    /// How much of it is not the culprit's.
    pub(super) others_ns: i64,
    pub(super) timeouts: u32,
}

/// The agent's account of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HealthRecord<'a> {
    pub(super) lost: Vec<(Cow<'a, str>, u64)>,
    pub(super) anomalies: Vec<(Cow<'a, str>, u64)>,
    pub(super) probes: Cow<'a, [ProbeCost]>,
    pub(super) capabilities: Cow<'a, [Capability]>,
    pub(super) ring_high_water_bytes: u64,
    pub(super) kube: Cow<'a, Option<KubeHealth>>,
    pub(super) discovery: Option<DiscoveryCounts>,
    pub(super) own: Option<OwnUse>,
}
