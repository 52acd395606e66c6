//! From records to updates.

use std::sync::Arc;

use super::{ExpectedInstants, LastMessage};
use crate::{
    domain::{
        Health, Matrix, Message, Moment, MsgType, Part, SentBetween, SentTime, SessionId, Split,
        Stage, Update, Wait,
    },
    recording::{
        batch::CELLS,
        interned,
        wire::{HealthRecord, MessageRecord, Record, SessionSlot, WaitRecord},
    },
};

/// What follows from a record.
#[derive(Debug)]
pub(in crate::recording) enum Decoded {
    Update(Update),
    /// The repeated updates at the beginning of a segment end here.
    Repeated,
    /// This many updates were dropped here.
    Lost(u64),
    /// The next segment continues here.
    Continued,
    /// The run ended.
    End,
    /// Nothing: the record only matters to those after it.
    Nothing,
}

/// Reads records; each segment has its own decoder.
#[derive(Debug)]
pub(in crate::recording) struct Decoder {
    moment: Moment,
    /// The sessions and the last message of each, by slot.
    sessions: Vec<Option<(Arc<SessionId>, LastMessage)>>,
}

impl Decoder {
    /// Creates the decoder of a segment that begins at `from`.
    pub(in crate::recording) const fn new(from: Moment) -> Self {
        Self {
            moment: from,
            sessions: Vec::new(),
        }
    }

    /// The moment at which the last update was published.
    pub(in crate::recording) const fn moment(&self) -> Moment {
        self.moment
    }

    /// Takes the first record off `bytes`; `None` when the bytes are not a record.
    pub(in crate::recording) fn next(&mut self, bytes: &mut &[u8]) -> Option<Decoded> {
        let (record, rest) = postcard::take_from_bytes(bytes).ok()?;
        *bytes = rest;
        Some(match record {
            Record::Message(record) => Decoded::Update(self.message(record)?),
            Record::Excluded(slot, why) => {
                Decoded::Update(Update::Excluded(self.session(slot)?, why))
            }
            Record::Tap(slot, delta) => Decoded::Update(Update::Tap(self.session(slot)?, delta)),
            Record::LockWaits(slot, facts) => {
                Decoded::Update(Update::LockWaits(self.session(slot)?, facts))
            }
            Record::Window(slot, facts) => {
                Decoded::Update(Update::Window(self.session(slot)?, facts))
            }
            Record::Waiting(slot, waiting) => {
                Decoded::Update(Update::Waiting(self.session(slot)?, waiting.into_owned()))
            }
            Record::Ended(slot) => {
                let (session, _) = self.sessions.get_mut(slot as usize)?.take()?;
                Decoded::Update(Update::SessionEnded(session))
            }
            Record::Health(record) => Decoded::Update(health(record)?),
            Record::Culprit(id, culprit) => {
                Decoded::Update(Update::Culprit(id, Arc::new(culprit.into_owned())))
            }
            Record::Wait(record) => Decoded::Update(self.wait(&record)),
            Record::Cgroup(cgroup) => {
                Decoded::Update(Update::Cgroup(Box::new(cgroup.into_owned())))
            }
            Record::Process(facts) => {
                Decoded::Update(Update::Process(Box::new(facts.into_owned())))
            }
            Record::CulpritRetired(id) => Decoded::Update(Update::CulpritRetired(id)),
            Record::ProcessEnded(pid) => Decoded::Update(Update::ProcessEnded(pid)),
            Record::HolderSample(sample) => {
                Decoded::Update(Update::HolderSample(Box::new(sample.into_owned())))
            }
            Record::ThreadUse(used) => {
                Decoded::Update(Update::ThreadUse(Box::new(used.into_owned())))
            }
            Record::Session(slot, session) => {
                let entry = Some((Arc::new(session.into_owned()), LastMessage::default()));
                let slot = slot as usize;
                if slot == self.sessions.len() {
                    self.sessions.push(entry);
                } else {
                    *self.sessions.get_mut(slot)? = entry;
                }
                Decoded::Nothing
            }
            Record::Moment(by_ns, utc_step_ns) => {
                let Moment {
                    monotonic_ns,
                    utc_ns,
                } = self.moment;
                self.moment = Moment {
                    monotonic_ns: monotonic_ns.wrapping_add(by_ns as u64),
                    utc_ns: utc_ns.wrapping_add(by_ns).wrapping_add(utc_step_ns),
                };
                Decoded::Nothing
            }
            Record::Interval => Decoded::Update(Update::IntervalEnded),
            Record::Repeated => Decoded::Repeated,
            Record::Lost(updates) => Decoded::Lost(updates),
            Record::Continued => Decoded::Continued,
            Record::End => Decoded::End,
        })
    }

    fn session(&self, slot: SessionSlot) -> Option<Arc<SessionId>> {
        let (session, _) = self.sessions.get(slot as usize)?.as_ref()?;
        Some(Arc::clone(session))
    }

    fn message(&mut self, record: MessageRecord<'_>) -> Option<Update> {
        let (session, last) = self.sessions.get_mut(record.slot as usize)?.as_mut()?;
        let mut by_ns = record.by_ns.iter();
        for (cell, ns) in last.cells.iter_mut().enumerate() {
            if record.changed & (1 << cell) != 0 {
                *ns = ns.wrapping_add(*by_ns.next()?);
            }
        }
        last.tid = last.tid.wrapping_add(record.tid as u32);
        last.seq = last.seq.wrapping_add(record.seq as u64).wrapping_add(1);
        last.bytes = last.bytes.wrapping_add(record.bytes as u32);
        last.resolution_ns = last.resolution_ns.wrapping_add(record.resolution_ns);
        last.handed_off_ns = last.handed_off_ns.wrapping_add(record.handed_off_ns);
        last.utc_offset_ns = last.utc_offset_ns.wrapping_add(record.utc_offset_ns);
        let msg_type = record.msg_type.to_le_bytes();
        let length = msg_type.iter().position(|&c| c == 0).unwrap_or(4);
        let split = split(&last.cells)?;
        let expected = ExpectedInstants::of(last.handed_off_ns, &last.cells);
        let sent_ns = expected.sent_ns.wrapping_add(record.sent_ns);
        let received_ns = expected.received_ns.wrapping_add(record.received_ns);
        Some(Update::Message(Box::new(Message {
            session: Arc::clone(session),
            tid: last.tid,
            seq: last.seq,
            msg_type: MsgType::new(&msg_type[..length])?,
            bytes: last.bytes,
            poss_dup: record.poss_dup,
            sent: SentTime {
                utc_ns: sent_ns,
                resolution_ns: last.resolution_ns,
            },
            sent_between: record.sent_between.map(|(earliest, width)| {
                let earliest_ns = sent_ns.wrapping_add(earliest);
                SentBetween {
                    earliest_ns,
                    latest_ns: earliest_ns.wrapping_add(width),
                }
            }),
            arrived_ns: record
                .arrived_ns
                .map(|ns| expected.arrived_ns(received_ns).wrapping_add(ns)),
            received_ns,
            handed_off_ns: last.handed_off_ns,
            handed_off_at: last.handed_off_ns.wrapping_sub(last.utc_offset_ns) as u64,
            held_back_from: 0,
            hand_off: record.hand_off,
            ack_pending_ns: record.ack_pending_ns,
            split,
            charges: record.charges.into_owned(),
            aftermath: record.aftermath.unwrap_or_default(),
        })))
    }

    const fn wait(&self, record: &WaitRecord) -> Update {
        let to_ns = self
            .moment
            .monotonic_ns
            .wrapping_sub(record.ended_ns as u64);
        let length = record.length_ns as u64;
        Update::Wait(Wait {
            tid: record.tid,
            part: record.part,
            culprit: record.culprit,
            from_ns: to_ns.wrapping_sub(length),
            to_ns,
            ns: length.wrapping_sub(record.others_ns as u64),
            timeouts: record.timeouts,
        })
    }
}

/// The cells of a matrix in the order in which they are recorded.
fn cells() -> impl Iterator<Item = (Stage, Part)> {
    Stage::ALL
        .into_iter()
        .flat_map(|stage| Part::ALL.map(|part| (stage, part)))
}

/// The split of these cells; `None` when they do not balance, or when a sum of them would
/// overflow.
fn split(cells_ns: &[i64; CELLS]) -> Option<Split> {
    let mut matrix = Matrix::default();
    for ((stage, part), &ns) in cells().zip(cells_ns) {
        matrix.add(stage, part, ns);
    }
    matrix.try_into().ok()
}

fn health(record: HealthRecord<'_>) -> Option<Update> {
    let mut health = Health::default();
    health.probes = record.probes.into_owned();
    health.capabilities = record.capabilities.into_owned();
    health.ring_high_water_bytes = record.ring_high_water_bytes;
    health.kube = record.kube.into_owned();
    health.discovery = record.discovery;
    health.own = record.own;
    for (kind, count) in record.lost {
        health.set_lost(interned::intern(&kind)?, count);
    }
    for (kind, count) in record.anomalies {
        health.set_anomaly(interned::intern(&kind)?, count);
    }
    Some(Update::Health(Box::new(health)))
}
