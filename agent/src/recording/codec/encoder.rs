//! From updates to records.

use std::{borrow::Cow, collections::HashMap, mem, sync::Arc};

use super::{ExpectedInstants, LastMessage};
use crate::{
    domain::{Charge, MessageAftermath, Moment, SessionId, Update, Wait},
    recording::{
        batch::{CELLS, FlatMessage},
        wire::{HealthRecord, MessageRecord, Record, SessionSlot, WaitRecord},
    },
};

/// A record could not be serialized, which does not happen with these types.
pub(in crate::recording) type EncodeError = postcard::Error;

/// Writes updates as records; each segment has its own encoder.
#[derive(Debug)]
pub(in crate::recording) struct Encoder {
    moment: Moment,
    slots: HashMap<Arc<SessionId>, SessionSlot>,
    /// The last message of each session, by slot.
    last_messages: Vec<LastMessage>,
    free_slots: Vec<SessionSlot>,
    /// The session of the last update that had one.
    last_session: Option<(Arc<SessionId>, SessionSlot)>,
    bytes: Vec<u8>,
}

impl Encoder {
    /// Creates the encoder of a segment that begins at `from`.
    pub(in crate::recording) fn new(from: Moment) -> Self {
        Self {
            moment: from,
            slots: HashMap::new(),
            last_messages: Vec::new(),
            free_slots: Vec::new(),
            last_session: None,
            bytes: Vec::new(),
        }
    }

    /// The records since the last [`clear`](Self::clear).
    pub(in crate::recording) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Drops the records, which have been written.
    pub(in crate::recording) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The moment of the last record.
    pub(in crate::recording) const fn moment(&self) -> Moment {
        self.moment
    }

    /// Writes a record as it is.
    pub(in crate::recording) fn put(&mut self, record: &Record<'_>) -> Result<(), EncodeError> {
        self.bytes = postcard::to_extend(record, mem::take(&mut self.bytes))?;
        Ok(())
    }

    /// The updates that follow were published at `now`.
    pub(in crate::recording) fn at(&mut self, now: Moment) -> Result<(), EncodeError> {
        if now == self.moment {
            return Ok(());
        }
        let before = mem::replace(&mut self.moment, now);
        let by = now.monotonic_ns.wrapping_sub(before.monotonic_ns) as i64;
        let utc = now.utc_ns.wrapping_sub(before.utc_ns).wrapping_sub(by);
        self.put(&Record::Moment(by, utc))
    }

    /// Writes an update, published at the moment of the last record.
    pub(in crate::recording) fn update(&mut self, update: &Update) -> Result<(), EncodeError> {
        match update {
            Update::Message(m) => self.message(
                &m.session,
                &FlatMessage::of(m),
                m.split.matrix().cells(),
                &m.charges,
                m.aftermath,
            ),
            Update::Excluded(session, why) => {
                let slot = self.slot(session)?;
                self.put(&Record::Excluded(slot, *why))
            }
            Update::Tap(session, delta) => {
                let slot = self.slot(session)?;
                self.put(&Record::Tap(slot, *delta))
            }
            Update::LockWaits(session, facts) => {
                let slot = self.slot(session)?;
                self.put(&Record::LockWaits(slot, *facts))
            }
            Update::Window(session, facts) => {
                let slot = self.slot(session)?;
                self.put(&Record::Window(slot, *facts))
            }
            Update::Waiting(session, waiting) => {
                let slot = self.slot(session)?;
                self.put(&Record::Waiting(slot, Cow::Borrowed(waiting)))
            }
            Update::SessionEnded(session) => {
                let slot = self.slot(session)?;
                self.slots.remove(session);
                self.last_session = None;
                self.free_slots.push(slot);
                self.put(&Record::Ended(slot))
            }
            Update::Health(health) => self.put(&Record::Health(HealthRecord {
                lost: health.lost().map(|(k, n)| (k.into(), n)).collect(),
                anomalies: health.anomalies().map(|(k, n)| (k.into(), n)).collect(),
                probes: Cow::Borrowed(&health.probes),
                capabilities: Cow::Borrowed(&health.capabilities),
                ring_high_water_bytes: health.ring_high_water_bytes,
                kube: Cow::Borrowed(&health.kube),
                discovery: health.discovery,
                own: health.own,
            })),
            Update::Culprit(id, culprit) => self.put(&Record::Culprit(*id, Cow::Borrowed(culprit))),
            Update::Wait(wait) => self.wait(wait),
            Update::Process(facts) => self.put(&Record::Process(Cow::Borrowed(facts))),
            Update::CulpritRetired(id) => self.put(&Record::CulpritRetired(*id)),
            Update::ProcessEnded(pid) => self.put(&Record::ProcessEnded(*pid)),
            Update::Cgroup(cgroup) => self.put(&Record::Cgroup(Cow::Borrowed(cgroup))),
            Update::HolderSample(sample) => self.put(&Record::HolderSample(Cow::Borrowed(sample))),
            Update::IntervalEnded => self.put(&Record::Interval),
            Update::ThreadUse(used) => self.put(&Record::ThreadUse(Cow::Borrowed(used))),
        }
    }

    fn slot(&mut self, session: &Arc<SessionId>) -> Result<SessionSlot, EncodeError> {
        if let Some((session_before, slot)) = &self.last_session
            && Arc::ptr_eq(session_before, session)
        {
            return Ok(*slot);
        }
        let slot = match self.slots.get(session) {
            Some(&slot) => slot,
            None => {
                let slot = self
                    .free_slots
                    .pop()
                    .unwrap_or(self.last_messages.len() as SessionSlot);
                if slot as usize == self.last_messages.len() {
                    self.last_messages.push(LastMessage::default());
                } else {
                    self.last_messages[slot as usize] = LastMessage::default();
                }
                self.slots.insert(Arc::clone(session), slot);
                self.put(&Record::Session(slot, Cow::Borrowed(session)))?;
                slot
            }
        };
        self.last_session = Some((Arc::clone(session), slot));
        Ok(slot)
    }

    /// Writes a message, published at the moment of the last record.
    pub(in crate::recording) fn message(
        &mut self,
        session: &Arc<SessionId>,
        m: &FlatMessage,
        cells: &[i64; CELLS],
        charges: &[Charge],
        aftermath: MessageAftermath,
    ) -> Result<(), EncodeError> {
        let slot = self.slot(session)?;
        let last = &mut self.last_messages[slot as usize];
        let (mut changed, mut by_ns, mut count) = (0, [0; CELLS], 0);
        for (cell, (&ns, before)) in cells.iter().zip(&mut last.cells).enumerate() {
            if ns != *before {
                changed |= 1 << cell;
                by_ns[count] = ns.wrapping_sub(*before);
                count += 1;
                *before = ns;
            }
        }
        let mut msg_type = [0; 4];
        let characters = m.msg_type.as_str().as_bytes();
        msg_type[..characters.len()].copy_from_slice(characters);
        let expected = ExpectedInstants::of(m.handed_off_ns, cells);
        let utc_offset_ns = m.handed_off_ns.wrapping_sub(m.handed_off_at as i64);
        let record = Record::Message(MessageRecord {
            slot,
            tid: m.tid.wrapping_sub(last.tid) as i32,
            seq: m.seq.wrapping_sub(last.seq).wrapping_sub(1) as i64,
            msg_type: u32::from_le_bytes(msg_type),
            bytes: m.bytes.wrapping_sub(last.bytes) as i32,
            poss_dup: m.poss_dup,
            hand_off: m.hand_off,
            resolution_ns: m.sent.resolution_ns.wrapping_sub(last.resolution_ns),
            handed_off_ns: m.handed_off_ns.wrapping_sub(last.handed_off_ns),
            utc_offset_ns: utc_offset_ns.wrapping_sub(last.utc_offset_ns),
            sent_ns: m.sent.utc_ns.wrapping_sub(expected.sent_ns),
            received_ns: m.received_ns.wrapping_sub(expected.received_ns),
            arrived_ns: m
                .arrived_ns
                .map(|ns| ns.wrapping_sub(expected.arrived_ns(m.received_ns))),
            sent_between: m.sent_between.map(|between| {
                (
                    between.earliest_ns.wrapping_sub(m.sent.utc_ns),
                    between.latest_ns.wrapping_sub(between.earliest_ns),
                )
            }),
            ack_pending_ns: m.ack_pending_ns,
            changed,
            by_ns: Cow::Borrowed(&by_ns[..count]),
            charges: Cow::Borrowed(charges),
            aftermath: Some(aftermath)
                .filter(|aftermath| *aftermath != MessageAftermath::default()),
        });
        last.tid = m.tid;
        last.seq = m.seq;
        last.bytes = m.bytes;
        last.resolution_ns = m.sent.resolution_ns;
        last.handed_off_ns = m.handed_off_ns;
        last.utc_offset_ns = utc_offset_ns;
        self.put(&record)
    }

    fn wait(&mut self, wait: &Wait) -> Result<(), EncodeError> {
        let length = wait.to_ns.wrapping_sub(wait.from_ns);
        self.put(&Record::Wait(WaitRecord {
            tid: wait.tid,
            part: wait.part,
            culprit: wait.culprit,
            ended_ns: self.moment.monotonic_ns.wrapping_sub(wait.to_ns) as i64,
            length_ns: length as i64,
            others_ns: length.wrapping_sub(wait.ns) as i64,
            timeouts: wait.timeouts,
        }))
    }
}
