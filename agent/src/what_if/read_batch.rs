//! The messages that one receive call handed over.
//!
//! Instants are `CLOCK_MONOTONIC` nanoseconds: the UTC of one receive call differs from message to
//! message by what the clock was slewed between their arrivals.

use super::reader_time::ReaderTime;

/// Messages of one receive call in a batch. Of more, the first so many bear all of its cost.
pub(super) const MAX_MESSAGES: usize = 4096;

/// A message that waits for its reader.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueuedMessage {
    /// When it was sent.
    pub(super) sent: i64,
    /// When it can be read.
    pub(super) readable: i64,
    /// Whether its age counts: it is no resend and was mostly observed.
    pub(super) counts: bool,
    /// When it was handed off.
    pub(super) handed_off: i64,
    /// What the reader did from the return of the receive call to the hand-off.
    pub(super) in_app: ReaderTime,
}

/// The messages of one receive call, so far.
#[derive(Clone, Debug)]
pub(super) struct ReadBatch {
    /// When the call returned.
    pub(super) received: i64,
    /// When the first of its messages arrived.
    pub(super) first_arrived: i64,
    /// What the reader did from then to the return.
    pub(super) queued: ReaderTime,
    /// The messages in the order read.
    pub(super) messages: Vec<QueuedMessage>,
}

/// The messages of a batch that were handed off at one instant, and what they cost.
pub(super) struct HandOffGroup<'a> {
    /// What the reader did before the receive call returned; once per batch.
    pub(super) stall: ReaderTime,
    /// What it did for these messages.
    pub(super) work: ReaderTime,
    /// At least one.
    pub(super) messages: &'a [QueuedMessage],
}

impl ReadBatch {
    /// Calls `serve` for every group in the order of hand-off. `done` is when the reader was done
    /// with the batches before, `before` what this receive call has cost so far. Returns what it
    /// has cost with this batch.
    ///
    /// The reader does one thing at a time: where it reads again before it has handed off what it
    /// read before, only the time after `done` is for this batch. Only the split of the time since
    /// the receive call is known; the rest of it is taken to have the same proportions.
    pub(super) fn groups(
        &mut self,
        done: Option<i64>,
        before: &ReaderTime,
        mut serve: impl FnMut(&HandOffGroup<'_>),
    ) -> ReaderTime {
        let mut stall = self.stall(done);
        // With --handoff, messages that the session layer handles itself are handed off last.
        self.messages.sort_by_key(|m| m.handed_off);
        let mut spent = *before;
        for messages in self.messages.chunk_by(|a, b| a.handed_off == b.handed_off) {
            let mut work = messages[0].in_app.since(&spent);
            spent.add(&work);
            let since_done = done.map_or(i64::MAX, |done| messages[0].handed_off - done);
            if work.total() > since_done {
                work = work.scaled_to(since_done.max(0));
            }
            serve(&HandOffGroup {
                stall: std::mem::take(&mut stall),
                work,
                messages,
            });
        }
        spent
    }

    /// What the reader did for the batch before it was received: since the arrival of the first
    /// message when the reader was idle then, else since the hand-off before. Only the split of the
    /// whole time in the queue is known; that stretch is taken to have the same proportions.
    fn stall(&self, done: Option<i64>) -> ReaderTime {
        match done {
            Some(done) if done > self.first_arrived => {
                self.queued.scaled_to((self.received - done).max(0))
            }
            // What the reader did before attach was not for these messages alone.
            None => self.queued.observed(),
            Some(_) => self.queued,
        }
    }
}
