//! What goes to the writing thread, flat.
//!
//! Two threads that share memory pay for every line of it, and for every allocation that one makes
//! and the other gives back; so a message goes over as few bytes as it has, in buffers that come
//! back, and its session, whose count of references both threads would write to, once per batch.

use std::sync::Arc;

use crate::domain::{
    Charge, CulpritId, ExclusionReason, HandOff, Message, MessageAftermath, Moment, MsgType, Part,
    SentBetween, SentTime, SessionId, TapCounts, Update, Wait,
};

/// Cells of a matrix.
pub(super) const CELLS: usize = crate::domain::Matrix::CELLS;
const _: () = assert!(CELLS <= u32::BITS as usize);

/// A message without its session, its parts, its charges and what those follow from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flat {
    pub(super) seq: u64,
    pub(super) sent: SentTime,
    pub(super) received_ns: i64,
    pub(super) handed_off_ns: i64,
    pub(super) handed_off_at: u64,
    pub(super) arrived_ns: Option<i64>,
    pub(super) sent_between: Option<SentBetween>,
    pub(super) ack_pending_ns: u64,
    pub(super) tid: u32,
    pub(super) bytes: u32,
    pub(super) msg_type: MsgType,
    pub(super) poss_dup: bool,
    pub(super) hand_off: HandOff,
}

impl Flat {
    pub(super) const fn of(m: &Message) -> Self {
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

/// Stands for a session of the batch.
type Place = u32;

/// One thing in a batch. Messages, which are most of it, make it as large as it is.
#[derive(Debug)]
enum Item {
    /// What follows was published then.
    Moment(Moment),
    Message {
        session: Place,
        /// Which cells are not zero, a bit each; they follow each other in [`Batch::cells`].
        cells: u32,
        /// How many follow in [`Batch::charges`].
        charges: u32,
        /// Whether there is one in [`Batch::aftermath`].
        aftermath: bool,
        flat: Flat,
    },
    Excluded(Place, ExclusionReason),
    Tap(Place, TapCounts),
    Wait(Wait),
    Other(Update),
    /// So many updates are missing here.
    Lost(u64),
    End,
}

/// One entry of a batch, as it was published.
#[derive(Debug)]
pub(super) enum BatchEntry<'a> {
    Message {
        session: &'a Arc<SessionId>,
        flat: &'a Flat,
        cells: &'a [i64; CELLS],
        charges: &'a [Charge],
        aftermath: MessageAftermath,
    },
    Update(Update),
    /// So many updates are missing here.
    Lost(u64),
    End,
}

/// Updates in the order in which they were published.
#[derive(Debug, Default)]
pub(super) struct Batch {
    updates: usize,
    moment: Option<Moment>,
    items: Vec<Item>,
    cells: Vec<i64>,
    charges: Vec<Charge>,
    aftermath: Vec<MessageAftermath>,
    sessions: Vec<Arc<SessionId>>,
    /// Where the session of the last update is.
    latest: usize,
}

impl Batch {
    /// With memory for so many messages, in use already: the system gives a page when it is first
    /// written to.
    pub(super) fn ready(messages: usize) -> Self {
        let mut batch = Self::default();
        let nothing = Charge {
            part: Part::Unknown,
            culprit: CulpritId::OTHER,
            ns: 0,
            held_back_ns: 0,
        };
        batch
            .items
            .resize_with(messages + messages / 8, || Item::End);
        batch.cells.resize(messages * 6, i64::MAX);
        batch.charges.resize(messages * 2, nothing);
        batch.clear();
        batch
    }

    /// How many updates and marks there are.
    pub(super) const fn len(&self) -> usize {
        self.updates
    }

    /// Adds an update.
    #[inline]
    pub(super) fn add(&mut self, now: Moment, update: Update) {
        match update {
            Update::Message(message) => self.message(now, &message),
            Update::Excluded(session, why) => {
                self.at(now);
                let place = self.place(&session);
                self.items.push(Item::Excluded(place, why));
            }
            Update::Tap(session, delta) => {
                self.at(now);
                let place = self.place(&session);
                self.items.push(Item::Tap(place, delta));
            }
            Update::Wait(wait) => {
                self.at(now);
                self.items.push(Item::Wait(wait));
            }
            other => {
                self.at(now);
                self.items.push(Item::Other(other));
            }
        }
    }

    fn message(&mut self, now: Moment, message: &Message) {
        self.at(now);
        let session = self.place(&message.session);
        let all = message.split.matrix().cells();
        let mut cells = 0;
        for (cell, &ns) in all.iter().enumerate() {
            cells |= u32::from(ns != 0) << cell;
        }
        let mut left = cells;
        while left != 0 {
            self.cells.push(all[left.trailing_zeros() as usize]);
            left &= left - 1;
        }
        self.charges.extend_from_slice(&message.charges);
        let aftermath = message.aftermath != MessageAftermath::default();
        if aftermath {
            self.aftermath.push(message.aftermath);
        }
        self.items.push(Item::Message {
            session,
            cells,
            charges: message.charges.len() as u32,
            aftermath,
            flat: Flat::of(message),
        });
    }

    /// So many updates are missing here.
    pub(super) fn lost(&mut self, updates: u64) {
        self.updates += 1;
        self.items.push(Item::Lost(updates));
    }

    /// The run ended.
    pub(super) fn end(&mut self, now: Moment) {
        self.at(now);
        self.items.push(Item::End);
    }

    fn at(&mut self, now: Moment) {
        self.updates += 1;
        if self.moment != Some(now) {
            self.moment = Some(now);
            self.items.push(Item::Moment(now));
        }
    }

    fn place(&mut self, session: &Arc<SessionId>) -> Place {
        let is = |known: &Arc<SessionId>| Arc::ptr_eq(known, session);
        if !self.sessions.get(self.latest).is_some_and(is) {
            self.latest = self.sessions.iter().position(is).unwrap_or_else(|| {
                self.sessions.push(Arc::clone(session));
                self.sessions.len() - 1
            });
        }
        self.latest as Place
    }

    /// Hands out everything in order, and is empty then.
    pub(super) fn drain<E>(
        &mut self,
        mut take: impl FnMut(Moment, BatchEntry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut now = Moment::default();
        let (mut cells, mut charges) = (self.cells.iter(), &self.charges[..]);
        let mut aftermath = self.aftermath.iter();
        let mut all = [0; CELLS];
        for item in self.items.drain(..) {
            let entry = match item {
                Item::Moment(at) => {
                    now = at;
                    continue;
                }
                Item::Message {
                    session,
                    cells: which,
                    charges: count,
                    aftermath: follows,
                    flat,
                } => {
                    for (cell, ns) in all.iter_mut().enumerate() {
                        *ns = if which & (1 << cell) == 0 {
                            0
                        } else {
                            cells.next().copied().unwrap_or(0)
                        };
                    }
                    let (own, rest) = charges.split_at(count as usize);
                    charges = rest;
                    let entry = BatchEntry::Message {
                        session: &self.sessions[session as usize],
                        flat: &flat,
                        cells: &all,
                        charges: own,
                        aftermath: if follows {
                            aftermath.next().copied().unwrap_or_default()
                        } else {
                            MessageAftermath::default()
                        },
                    };
                    take(now, entry)?;
                    continue;
                }
                Item::Excluded(session, why) => BatchEntry::Update(Update::Excluded(
                    self.sessions[session as usize].clone(),
                    why,
                )),
                Item::Tap(session, delta) => {
                    BatchEntry::Update(Update::Tap(self.sessions[session as usize].clone(), delta))
                }
                Item::Wait(wait) => BatchEntry::Update(Update::Wait(wait)),
                Item::Other(update) => BatchEntry::Update(update),
                Item::Lost(updates) => BatchEntry::Lost(updates),
                Item::End => BatchEntry::End,
            };
            take(now, entry)?;
        }
        self.clear();
        Ok(())
    }

    fn clear(&mut self) {
        self.updates = 0;
        self.moment = None;
        self.items.clear();
        self.cells.clear();
        self.charges.clear();
        self.aftermath.clear();
        self.sessions.clear();
        self.latest = 0;
    }
}
