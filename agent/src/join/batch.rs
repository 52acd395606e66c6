//! From received to handed off: the messages of one receive call, and the calls of the function
//! named with `--handoff` that follow it.

use std::sync::Arc;

use agent_common::Snapshot;

use super::account::Received;
use crate::model::{HandOff, Message, SessionId, Unbalanced};

/// Calls kept for one batch: far more than messages fit into one receive.
const MOST_CALLS: usize = 1 << 16;

/// What one receive call handed over and the thread is not through with.
#[derive(Debug, Default)]
pub struct Batch {
    messages: Vec<Received>,
    calls: Vec<Snapshot>,
    /// Events were lost since: how it ended was not seen.
    lost: bool,
}

/// How the calls of a batch belong to its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Match {
    /// One per message.
    All,
    /// One per application message; the session layer handles the others itself.
    Application,
    /// Cannot be told.
    None,
}

impl Batch {
    /// Adds a message of this receive call.
    pub fn add(&mut self, message: Received) {
        self.messages.push(message);
    }

    /// Whether nothing waits to be handed off.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
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

    fn matched(&self, by_function: bool) -> Match {
        let all = self.messages.len();
        let application = self.messages.iter().filter(|m| !m.is_admin()).count();
        if !by_function || self.lost {
            Match::None
        } else if self.calls.len() == all {
            Match::All
        } else if self.calls.len() == application {
            Match::Application
        } else {
            Match::None
        }
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
        let matched = self.matched(by_function);
        let how = if self.lost { HandOff::Unseen } else { how };
        let mut calls = self.calls.drain(..);
        let mut unmatched = 0;
        for message in self.messages.drain(..) {
            let call = match matched {
                Match::All => calls.next(),
                Match::Application if !message.is_admin() => calls.next(),
                Match::Application => None,
                Match::None => {
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
        unmatched
    }
}
