//! Updates on their way to the writing thread, stored flat.
//!
//! Two threads that share memory pay for every cache line of it, and for every allocation that one
//! makes and the other frees. So a message takes as few bytes as it has, in buffers that come back,
//! and its session, whose reference count both threads would write to, is passed once per batch.

mod flat_message;

use std::sync::Arc;

pub(super) use flat_message::{CELLS, FlatMessage};

use crate::domain::{
    Charge, CulpritId, ExclusionReason, Message, MessageAftermath, Moment, Part, SessionId,
    TapCounts, Update, Wait,
};

/// The index of a session in [`UpdateBatch::sessions`].
type SessionIndex = u32;

/// One stored entry. Most entries are messages, which determine its size.
#[derive(Debug)]
enum StoredEntry {
    /// The entries that follow were published at this moment.
    Moment(Moment),
    Message {
        session: SessionIndex,
        /// Which cells are not zero, a bit each; their values are in [`UpdateBatch::cells`].
        nonzero_cells: u32,
        /// How many of [`UpdateBatch::charges`] are this message's.
        charges: u32,
        /// Whether one of [`UpdateBatch::aftermaths`] is this message's.
        has_aftermath: bool,
        flat: FlatMessage,
    },
    Excluded(SessionIndex, ExclusionReason),
    Tap(SessionIndex, TapCounts),
    Wait(Wait),
    Other(Update),
    /// This many updates were dropped here.
    Lost(u64),
    End,
}

/// One entry as it is handed out.
#[derive(Debug)]
pub(super) enum BatchEntry<'a> {
    Message {
        session: &'a Arc<SessionId>,
        flat: &'a FlatMessage,
        cells: &'a [i64; CELLS],
        charges: &'a [Charge],
        aftermath: MessageAftermath,
    },
    Update(Update),
    /// This many updates were dropped here.
    Lost(u64),
    End,
}

/// Updates in the order in which they were published.
#[derive(Debug, Default)]
pub(super) struct UpdateBatch {
    /// Updates and marks.
    updates: usize,
    moment: Option<Moment>,
    entries: Vec<StoredEntry>,
    /// Of all messages, in their order.
    cells: Vec<i64>,
    charges: Vec<Charge>,
    aftermaths: Vec<MessageAftermath>,
    sessions: Vec<Arc<SessionId>>,
    /// The index of the last update's session.
    last_session: usize,
}

impl UpdateBatch {
    /// Creates a batch with memory for so many messages that was written to already: the system
    /// provides a page only when it is first written to.
    pub(super) fn with_touched_memory(messages: usize) -> Self {
        let mut batch = Self::default();
        let no_charge = Charge {
            part: Part::Unknown,
            culprit: CulpritId::OTHER,
            ns: 0,
            held_back_ns: 0,
        };
        batch
            .entries
            .resize_with(messages + messages / 8, || StoredEntry::End);
        batch.cells.resize(messages * 6, i64::MAX);
        batch.charges.resize(messages * 2, no_charge);
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
                let index = self.index_of(&session);
                self.entries.push(StoredEntry::Excluded(index, why));
            }
            Update::Tap(session, delta) => {
                self.at(now);
                let index = self.index_of(&session);
                self.entries.push(StoredEntry::Tap(index, delta));
            }
            Update::Wait(wait) => {
                self.at(now);
                self.entries.push(StoredEntry::Wait(wait));
            }
            other => {
                self.at(now);
                self.entries.push(StoredEntry::Other(other));
            }
        }
    }

    fn message(&mut self, now: Moment, message: &Message) {
        self.at(now);
        let session = self.index_of(&message.session);
        let all = message.split.matrix().cells();
        let mut nonzero_cells = 0;
        for (cell, &ns) in all.iter().enumerate() {
            nonzero_cells |= u32::from(ns != 0) << cell;
        }
        let mut remaining = nonzero_cells;
        while remaining != 0 {
            self.cells.push(all[remaining.trailing_zeros() as usize]);
            remaining &= remaining - 1;
        }
        self.charges.extend_from_slice(&message.charges);
        let has_aftermath = message.aftermath != MessageAftermath::default();
        if has_aftermath {
            self.aftermaths.push(message.aftermath);
        }
        self.entries.push(StoredEntry::Message {
            session,
            nonzero_cells,
            charges: message.charges.len() as u32,
            has_aftermath,
            flat: FlatMessage::of(message),
        });
    }

    /// This many updates were dropped here.
    pub(super) fn lost(&mut self, updates: u64) {
        self.updates += 1;
        self.entries.push(StoredEntry::Lost(updates));
    }

    /// The run ended.
    pub(super) fn end(&mut self, now: Moment) {
        self.at(now);
        self.entries.push(StoredEntry::End);
    }

    fn at(&mut self, now: Moment) {
        self.updates += 1;
        if self.moment != Some(now) {
            self.moment = Some(now);
            self.entries.push(StoredEntry::Moment(now));
        }
    }

    fn index_of(&mut self, session: &Arc<SessionId>) -> SessionIndex {
        let is_same = |other: &Arc<SessionId>| Arc::ptr_eq(other, session);
        if !self.sessions.get(self.last_session).is_some_and(is_same) {
            self.last_session = self.sessions.iter().position(is_same).unwrap_or_else(|| {
                self.sessions.push(Arc::clone(session));
                self.sessions.len() - 1
            });
        }
        self.last_session as SessionIndex
    }

    /// Hands out all entries in order; the batch is empty then.
    pub(super) fn drain<E>(
        &mut self,
        mut take: impl FnMut(Moment, BatchEntry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut now = Moment::default();
        let mut values = self.cells.iter();
        let mut charges = &self.charges[..];
        let mut aftermaths = self.aftermaths.iter();
        let mut cells = [0; CELLS];
        let sessions = &self.sessions;
        for stored in self.entries.drain(..) {
            let update = match stored {
                StoredEntry::Moment(at) => {
                    now = at;
                    continue;
                }
                StoredEntry::Message {
                    session,
                    nonzero_cells,
                    charges: count,
                    has_aftermath,
                    flat,
                } => {
                    for (cell, ns) in cells.iter_mut().enumerate() {
                        *ns = if nonzero_cells & (1 << cell) == 0 {
                            0
                        } else {
                            values.next().copied().unwrap_or(0)
                        };
                    }
                    let (own, rest) = charges.split_at(count as usize);
                    charges = rest;
                    let aftermath = has_aftermath.then(|| aftermaths.next().copied());
                    let entry = BatchEntry::Message {
                        session: &sessions[session as usize],
                        flat: &flat,
                        cells: &cells,
                        charges: own,
                        aftermath: aftermath.flatten().unwrap_or_default(),
                    };
                    take(now, entry)?;
                    continue;
                }
                StoredEntry::Excluded(session, why) => {
                    Update::Excluded(Arc::clone(&sessions[session as usize]), why)
                }
                StoredEntry::Tap(session, counts) => {
                    Update::Tap(Arc::clone(&sessions[session as usize]), counts)
                }
                StoredEntry::Wait(wait) => Update::Wait(wait),
                StoredEntry::Other(update) => update,
                StoredEntry::Lost(updates) => {
                    take(now, BatchEntry::Lost(updates))?;
                    continue;
                }
                StoredEntry::End => {
                    take(now, BatchEntry::End)?;
                    continue;
                }
            };
            take(now, BatchEntry::Update(update))?;
        }
        self.clear();
        Ok(())
    }

    fn clear(&mut self) {
        self.updates = 0;
        self.moment = None;
        self.entries.clear();
        self.cells.clear();
        self.charges.clear();
        self.aftermaths.clear();
        self.sessions.clear();
        self.last_session = 0;
    }
}
