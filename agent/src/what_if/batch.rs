//! The messages of one receive call, as they come from the join: one after the other.
//!
//! All instants are `CLOCK_MONOTONIC` ns: UTC of one receive call differs from message to message,
//! by what the clock was slewed between their arrivals.

use super::service::Service;

/// Messages of one receive call kept at once. Of more, the first so many bear all of its cost.
pub(crate) const MOST: usize = 4096;

/// A message that waits for the reader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    /// When it was sent.
    pub(crate) sent: i64,
    /// When it is there to be read.
    pub(crate) there: i64,
    /// Its age counts: it is no resend.
    pub(crate) counts: bool,
    /// When it was handed off.
    pub(crate) handed_off: i64,
    /// What the reader spent from the receive call's return to that.
    pub(crate) in_app: Service,
}

/// What one receive call handed over, so far.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// When the call returned.
    pub(crate) received: i64,
    /// When the first of its messages arrived.
    pub(crate) first_arrived: i64,
    /// What the reader spent from then to the return.
    pub(crate) queued: Service,
    /// Its messages, in the order read.
    pub(crate) messages: Vec<Waiting>,
}

/// Messages of a batch that were handed off at one instant, and what they cost.
pub(crate) struct Group<'a> {
    /// What the reader spent before the receive call returned, once.
    pub(crate) stall: Service,
    /// What it spent on the messages.
    pub(crate) work: Service,
    /// Never empty.
    pub(crate) messages: &'a [Waiting],
}

impl Batch {
    /// Calls `serve` for every group in the order of hand-off. `through` is when the reader was
    /// through with the batch before, `before` what this receive call has cost so far.
    pub(crate) fn groups(
        &mut self,
        through: Option<i64>,
        before: &Service,
        mut serve: impl FnMut(&Group<'_>),
    ) {
        let mut stall = self.stall(through);
        // By function, those the session layer handles itself are handed off last.
        self.messages.sort_by_key(|m| m.handed_off);
        let mut spent = *before;
        for messages in self.messages.chunk_by(|a, b| a.handed_off == b.handed_off) {
            let work = messages[0].in_app.since(&spent);
            spent.add(&work);
            serve(&Group {
                stall: std::mem::take(&mut stall),
                work,
                messages,
            });
        }
    }

    /// What the reader spent on it before it was received: from the arrival of its first message
    /// when the reader was idle, else from the hand-off before. Of that stretch the split is not
    /// known by itself: it is taken to be that of the whole wait in the queue.
    fn stall(&self, through: Option<i64>) -> Service {
        match through {
            Some(through) if through > self.first_arrived => {
                self.queued.scaled_to((self.received - through).max(0))
            }
            // What the reader did before it was watched was not for these messages' sake alone.
            None => self.queued.seen(),
            Some(_) => self.queued,
        }
    }
}
