//! From received to handed off: the messages of one receive call, and the calls of the function
//! named with `--handoff` that follow it.

use std::sync::Arc;

use agent_common::Snapshot;

use super::pending_message::PendingMessage;
use crate::domain::{HandOff, InHand, Message, SessionId, Unbalanced};

/// Calls retained for one batch: far more than messages fit into one receive call.
const MAX_CALLS: usize = 1 << 16;

/// What one receive call handed over and the thread has not handed off.
#[derive(Debug, Default)]
pub(super) struct PendingBatch {
    messages: Vec<PendingMessage>,
    calls: Vec<Snapshot>,
    /// Messages of it that have no age.
    skipped: u64,
    /// The thread's counters when the first of those was received.
    skipped_since: Option<Snapshot>,
    /// Events were lost: how the batch ended was not observed.
    events_lost: bool,
    /// The calls need not follow the messages: see [`PendingBatch::add`].
    out_of_step: bool,
    /// What an earlier batch has shown of the function.
    called_for: Option<CalledFor>,
    /// It may end, or may have ended, in a wait that is not observed; calls of a function are
    /// observed all the same.
    wait_unobserved: bool,
}

/// Which messages the function is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CalledFor {
    /// All of them.
    All,
    /// Those for the application; the session layer handles the others itself.
    Application,
}

impl CalledFor {
    fn includes(self, message: &PendingMessage) -> bool {
        self == Self::All || !message.is_admin()
    }
}

impl PendingBatch {
    /// Adds a message of this receive call.
    ///
    /// An engine passes on what comes in order. After a gap it retains what follows until the gap
    /// is filled, and then passes on messages of earlier receive calls; resends it has already it
    /// drops. Calls and messages may then be equal in number and not belong together. So a number
    /// that does not follow, a resend or a SequenceReset puts the whole batch out of step.
    pub(super) fn add(&mut self, message: PendingMessage) {
        let follows = match self.messages.last() {
            Some(last) => message.seq() == last.seq().wrapping_add(1),
            None => true,
        };
        self.out_of_step |= !follows || message.may_fill_a_gap();
        self.messages.push(message);
    }

    /// This receive call handed over another message, which is excluded.
    pub(super) fn skip_message(&mut self, reader: Snapshot) {
        self.skipped += 1;
        self.skipped_since.get_or_insert(reader);
        self.out_of_step = true;
    }

    /// The function was called by the thread that has this batch.
    pub(super) fn function_called(&mut self, caller: Snapshot) {
        if !self.messages.is_empty() && self.calls.len() < MAX_CALLS {
            self.calls.push(caller);
        }
    }

    /// Events of this socket or thread were lost.
    pub(super) fn events_lost(&mut self) {
        self.events_lost = true;
    }

    /// The wait that ends the batch is, or may have been, one that is not observed.
    pub(super) fn wait_unobserved(&mut self) {
        self.wait_unobserved = true;
    }

    /// Whether nothing was received since the last hand-off.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.skipped == 0
    }

    /// The thread's counters when the first message in hand was received that has no age.
    pub(super) const fn skipped_since(&self) -> Option<&Snapshot> {
        self.skipped_since.as_ref()
    }

    /// How much is in hand, resends and messages without an age included. Of the latter the length
    /// is not known.
    pub(super) fn amount_in_hand(&self, by_function: bool) -> InHand {
        let mut amount = InHand {
            messages: self.skipped,
            bytes: 0,
        };
        for message in self.in_hand(by_function) {
            amount.messages += 1;
            amount.bytes += message.bytes();
        }
        amount
    }

    /// The messages in hand. `by_function` says that a hand-off function is attached: those that it
    /// was called for already, in the order of the calls, are not in hand any more, unless it is
    /// uncertain which they are.
    pub(super) fn in_hand(&self, by_function: bool) -> impl Iterator<Item = &PendingMessage> {
        let mut calls = if by_function && !self.events_lost && !self.out_of_step {
            self.calls.len()
        } else {
            0
        };
        let called_for = self.called_for.unwrap_or(CalledFor::All);
        self.messages.iter().filter(move |message| {
            let is_called = calls > 0 && called_for.includes(message);
            calls -= usize::from(is_called);
            !is_called
        })
    }

    /// When the latest of its messages was received, `CLOCK_MONOTONIC` ns; `None` when it has none.
    pub(super) fn received_at(&self) -> Option<u64> {
        self.messages.last().map(PendingMessage::received_at)
    }

    /// Which messages the calls of this batch belong to, in order; `None` when that is uncertain.
    fn match_calls(&mut self) -> Option<CalledFor> {
        if self.events_lost || self.out_of_step {
            return None;
        }
        let all = self.messages.len();
        let application = self.messages.iter().filter(|m| !m.is_admin()).count();
        let fits = |called_for| match called_for {
            CalledFor::All => self.calls.len() == all,
            CalledFor::Application => self.calls.len() == application,
        };
        if all == application {
            // Does not distinguish the two.
            return fits(CalledFor::All).then_some(CalledFor::All);
        }
        let matched = match self.called_for {
            Some(called_for) => fits(called_for).then_some(called_for),
            None => [CalledFor::All, CalledFor::Application]
                .into_iter()
                .find(|&called_for| fits(called_for)),
        };
        self.called_for = self.called_for.or(matched);
        matched
    }

    /// The thread is through with all of it at `end`. `by_function` says that a hand-off function
    /// is attached. Returns how many messages its calls could not be matched to: those end with the
    /// batch.
    pub(super) fn handed_off(
        &mut self,
        end: &Snapshot,
        how: HandOff,
        by_function: bool,
        session: &Arc<SessionId>,
        mut done: impl FnMut(Result<Message, Unbalanced>),
    ) -> u64 {
        let matched = if by_function {
            self.match_calls()
        } else {
            None
        };
        let how = if self.events_lost || self.wait_unobserved {
            HandOff::Unobserved
        } else {
            how
        };
        let mut calls = self.calls.drain(..);
        let mut unmatched = 0;
        for message in self.messages.drain(..) {
            let call = match matched {
                Some(called_for) if called_for.includes(&message) => calls.next(),
                Some(_) => None,
                None => {
                    unmatched += u64::from(by_function);
                    None
                }
            };
            let (end, how) = match &call {
                Some(caller) => (caller, HandOff::Function),
                None => (end, how),
            };
            done(message.handed_off(end, how, Arc::clone(session)));
        }
        drop(calls);
        self.skipped = 0;
        self.skipped_since = None;
        self.events_lost = false;
        self.out_of_step = false;
        self.wait_unobserved = false;
        unmatched
    }
}
