//! Between updates and records: the differences, and the numbers that stand for sessions.

use std::{borrow::Cow, collections::HashMap, mem, sync::Arc};

use super::{
    batch::{CELLS, Flat},
    interned,
    wire::{HealthRecord, MessageRecord, Record, Slot, WaitRecord},
};
use crate::domain::{
    Charge, Health, Matrix, Message, MessageAftermath, Moment, MsgType, Part, SentBetween,
    SentTime, SessionId, Split, Stage, Update, Wait,
};

/// What a session's next message is written as a difference to.
#[derive(Clone, Debug, Default)]
struct Last {
    tid: u32,
    seq: u64,
    bytes: u32,
    resolution_ns: i64,
    handed_off_ns: i64,
    /// What UTC was ahead of the monotonic clock.
    utc_ahead: i64,
    cells: [i64; CELLS],
}

fn cells() -> impl Iterator<Item = (Stage, Part)> {
    Stage::ALL
        .into_iter()
        .flat_map(|stage| Part::ALL.map(|part| (stage, part)))
}

/// A record cannot be serialized: never with the types there are.
pub(super) type EncodeError = postcard::Error;

/// Writes updates as records. One per segment.
#[derive(Debug)]
pub(super) struct Encoder {
    moment: Moment,
    slots: HashMap<Arc<SessionId>, Slot>,
    lasts: Vec<Last>,
    free: Vec<Slot>,
    latest: Option<(Arc<SessionId>, Slot)>,
    bytes: Vec<u8>,
}

impl Encoder {
    /// For a segment that begins at `from`.
    pub(super) fn new(from: Moment) -> Self {
        Self {
            moment: from,
            slots: HashMap::new(),
            lasts: Vec::new(),
            free: Vec::new(),
            latest: None,
            bytes: Vec::new(),
        }
    }

    /// The records since the last [`clear`](Self::clear).
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets the records, which have been written.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    /// The latest moment.
    pub(super) const fn moment(&self) -> Moment {
        self.moment
    }

    /// A record as it is.
    pub(super) fn put(&mut self, record: &Record<'_>) -> Result<(), EncodeError> {
        self.bytes = postcard::to_extend(record, mem::take(&mut self.bytes))?;
        Ok(())
    }

    /// What follows was published at `now`.
    pub(super) fn at(&mut self, now: Moment) -> Result<(), EncodeError> {
        if now == self.moment {
            return Ok(());
        }
        let before = mem::replace(&mut self.moment, now);
        let by = now.monotonic_ns.wrapping_sub(before.monotonic_ns) as i64;
        let utc = now.utc_ns.wrapping_sub(before.utc_ns).wrapping_sub(by);
        self.put(&Record::Moment(by, utc))
    }

    /// An update, published at the latest moment.
    pub(super) fn update(&mut self, update: &Update) -> Result<(), EncodeError> {
        match update {
            Update::Message(m) => self.message(
                &m.session,
                &Flat::of(m),
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
            Update::SessionEnded(session) => {
                let slot = self.slot(session)?;
                self.slots.remove(session);
                self.latest = None;
                self.free.push(slot);
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

    fn slot(&mut self, session: &Arc<SessionId>) -> Result<Slot, EncodeError> {
        if let Some((latest, slot)) = &self.latest
            && Arc::ptr_eq(latest, session)
        {
            return Ok(*slot);
        }
        let slot = match self.slots.get(session) {
            Some(&slot) => slot,
            None => {
                let slot = self.free.pop().unwrap_or(self.lasts.len() as Slot);
                if slot as usize == self.lasts.len() {
                    self.lasts.push(Last::default());
                } else {
                    self.lasts[slot as usize] = Last::default();
                }
                self.slots.insert(Arc::clone(session), slot);
                self.put(&Record::Session(slot, Cow::Borrowed(session)))?;
                slot
            }
        };
        self.latest = Some((Arc::clone(session), slot));
        Ok(slot)
    }

    /// A message, published at the latest moment.
    pub(super) fn message(
        &mut self,
        session: &Arc<SessionId>,
        m: &Flat,
        cells: &[i64; CELLS],
        charges: &[Charge],
        aftermath: MessageAftermath,
    ) -> Result<(), EncodeError> {
        let slot = self.slot(session)?;
        let last = &mut self.lasts[slot as usize];
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
        let at = Instants::of(m.handed_off_ns, cells);
        let utc_ahead = m.handed_off_ns.wrapping_sub(m.handed_off_at as i64);
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
            utc_ahead: utc_ahead.wrapping_sub(last.utc_ahead),
            sent_ns: m.sent.utc_ns.wrapping_sub(at.sent_ns),
            received_ns: m.received_ns.wrapping_sub(at.received_ns),
            arrived_ns: m
                .arrived_ns
                .map(|ns| ns.wrapping_sub(at.arrived_ns(m.received_ns))),
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
        last.utc_ahead = utc_ahead;
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

/// The instants that follow from when a message was handed off and from its parts; mostly they are
/// right.
struct Instants {
    sent_ns: i64,
    received_ns: i64,
    queued_ns: i64,
}

impl Instants {
    fn of(handed_off_ns: i64, cells: &[i64; CELLS]) -> Self {
        let of = |stage: Stage| {
            let first = stage as usize * Part::ALL.len();
            cells[first..first + Part::ALL.len()].iter().sum::<i64>()
        };
        let [in_flight, held_back, queued, in_app] = Stage::ALL.map(of);
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

/// What a record says.
#[derive(Debug)]
pub(super) enum Decoded {
    Update(Update),
    Repeated,
    Lost(u64),
    Continued,
    End,
    /// Only of use for the records after it.
    Nothing,
}

/// Reads records back. One per segment.
#[derive(Debug)]
pub(super) struct Decoder {
    moment: Moment,
    sessions: Vec<Option<(Arc<SessionId>, Last)>>,
}

impl Decoder {
    /// For a segment that begins at `from`.
    pub(super) const fn new(from: Moment) -> Self {
        Self {
            moment: from,
            sessions: Vec::new(),
        }
    }

    /// When what was decoded last was published.
    pub(super) const fn moment(&self) -> Moment {
        self.moment
    }

    /// Takes the first record off `bytes`; `None` when it is none.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Decoded> {
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
                let known = Some((Arc::new(session.into_owned()), Last::default()));
                let slot = slot as usize;
                if slot == self.sessions.len() {
                    self.sessions.push(known);
                } else {
                    *self.sessions.get_mut(slot)? = known;
                }
                Decoded::Nothing
            }
            Record::Moment(by, utc) => {
                let Moment {
                    monotonic_ns,
                    utc_ns,
                } = self.moment;
                self.moment = Moment {
                    monotonic_ns: monotonic_ns.wrapping_add(by as u64),
                    utc_ns: utc_ns.wrapping_add(by).wrapping_add(utc),
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

    fn session(&self, slot: Slot) -> Option<Arc<SessionId>> {
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
        last.utc_ahead = last.utc_ahead.wrapping_add(record.utc_ahead);
        let msg_type = record.msg_type.to_le_bytes();
        let length = msg_type.iter().position(|&c| c == 0).unwrap_or(4);
        let split = split(&last.cells)?;
        let at = Instants::of(last.handed_off_ns, &last.cells);
        let sent_ns = at.sent_ns.wrapping_add(record.sent_ns);
        let received_ns = at.received_ns.wrapping_add(record.received_ns);
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
                .map(|ns| at.arrived_ns(received_ns).wrapping_add(ns)),
            received_ns,
            handed_off_ns: last.handed_off_ns,
            handed_off_at: last.handed_off_ns.wrapping_sub(last.utc_ahead) as u64,
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

/// The matrix of these cells; `None` when there is none, or when a sum of them would not fit.
fn split(cells_ns: &[i64; CELLS]) -> Option<Split> {
    let size: u128 = cells_ns
        .iter()
        .map(|ns| u128::from(ns.unsigned_abs()))
        .sum();
    i64::try_from(size).ok()?;
    let mut matrix = Matrix::default();
    for ((stage, part), &ns) in cells().zip(cells_ns) {
        matrix.add(stage, part, ns);
    }
    Split::new(matrix.total(), matrix).ok()
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
        health.set_lost(interned::keep(&kind)?, count);
    }
    for (kind, count) in record.anomalies {
        health.set_anomaly(interned::keep(&kind)?, count);
    }
    Some(Update::Health(Box::new(health)))
}
