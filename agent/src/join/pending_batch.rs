//! From received to handed off: the messages of one receive call, and the calls of the function
//! named with `--handoff` that follow it.

use std::sync::Arc;

use agent_common::Snapshot;

use super::pending_message::Received;
use crate::domain::Message;
use crate::domain::{HandOff, SessionId, Unbalanced};

/// Calls kept for one batch: far more than messages fit into one receive.
const MOST_CALLS: usize = 1 << 16;

/// What one receive call handed over and the thread is not through with.
#[derive(Debug, Default)]
pub struct Batch {
    messages: Vec<Received>,
    calls: Vec<Snapshot>,
    /// Events were lost since: how it ended was not seen.
    lost: bool,
    /// The calls need not follow the messages: see [`Batch::add`].
    out_of_step: bool,
    /// What an earlier batch told of the function.
    called_for: Option<CalledFor>,
    /// It may end, or have ended, in a wait that is not seen; the calls of a function still tell.
    wait_unseen: bool,
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
    fn has(self, message: &Received) -> bool {
        self == Self::All || !message.is_admin()
    }
}

impl Batch {
    /// Adds a message of this receive call.
    ///
    /// An engine passes on what comes in order. After a gap it keeps what follows until the gap is
    /// filled, and then passes on messages of earlier receive calls; resends it has already it
    /// drops. Calls and messages may then be equal in number and not belong together. So a number
    /// that does not follow, a resend or a SequenceReset puts the whole batch out of step.
    pub fn add(&mut self, message: Received) {
        let follows = match self.messages.last() {
            Some(last) => message.seq() == last.seq().wrapping_add(1),
            None => true,
        };
        self.out_of_step |= !follows || message.may_fill_a_gap();
        self.messages.push(message);
    }

    /// This receive call had another message, of which nothing can be said.
    pub fn skip(&mut self) {
        self.out_of_step = true;
    }

    /// The function was called by the thread that holds this batch.
    pub fn called(&mut self, at: Snapshot) {
        if !self.messages.is_empty() && self.calls.len() < MOST_CALLS {
            self.calls.push(at);
        }
    }

    /// Events of this socket or thread were lost.
    pub fn lost(&mut self) {
        self.lost = true;
    }

    /// The wait that ends it is, or may have been, one that is not seen.
    pub fn wait_unseen(&mut self) {
        self.wait_unseen = true;
    }

    /// When the latest of its messages was received, `CLOCK_MONOTONIC` ns; `None` when it has none.
    #[must_use]
    pub fn received_at(&self) -> Option<u64> {
        self.messages.last().map(Received::received_at)
    }

    /// Which messages the calls of this batch belong to, in order; `None` when that cannot be told.
    fn matched(&mut self) -> Option<CalledFor> {
        if self.lost || self.out_of_step {
            return None;
        }
        let all = self.messages.len();
        let application = self.messages.iter().filter(|m| !m.is_admin()).count();
        let fits = |called_for| match called_for {
            CalledFor::All => self.calls.len() == all,
            CalledFor::Application => self.calls.len() == application,
        };
        if all == application {
            // Does not tell the two apart.
            return fits(CalledFor::All).then_some(CalledFor::All);
        }
        let matched = match self.called_for {
            Some(known) => fits(known).then_some(known),
            None => [CalledFor::All, CalledFor::Application]
                .into_iter()
                .find(|&called_for| fits(called_for)),
        };
        self.called_for = self.called_for.or(matched);
        matched
    }

    /// The thread is through with all of it at `end`. `by_function` says that a hand-off function
    /// was named; returns in `unmatched` how many messages its calls could not be told apart for:
    /// those end with the batch.
    pub fn handed_off(
        &mut self,
        end: &Snapshot,
        how: HandOff,
        by_function: bool,
        session: &Arc<SessionId>,
        mut done: impl FnMut(Result<Message, Unbalanced>),
    ) -> u64 {
        let matched = if by_function { self.matched() } else { None };
        let how = if self.lost || self.wait_unseen {
            HandOff::Unobserved
        } else {
            how
        };
        let mut calls = self.calls.drain(..);
        let mut unmatched = 0;
        for message in self.messages.drain(..) {
            let call = match matched {
                Some(called_for) if called_for.has(&message) => calls.next(),
                Some(_) => None,
                None => {
                    unmatched += u64::from(by_function);
                    None
                }
            };
            let (end, how) = match &call {
                Some(at) => (at, HandOff::Function),
                None => (end, how),
            };
            done(message.handed_off(end, how, Arc::clone(session)));
        }
        drop(calls);
        self.lost = false;
        self.out_of_step = false;
        self.wait_unseen = false;
        unmatched
    }
}
