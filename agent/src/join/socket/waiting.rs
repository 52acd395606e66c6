//! What waits on the socket now: received and not handed off, arrived and not received, held back.

use std::sync::Arc;

use agent_common::{SampledActivity, Snapshot, SocketSampled, ThreadState};

use super::Socket;
use crate::{
    domain::{
        InHand, Matrix, OwnerEvidence, Part, Queued, ReaderActivity, SleepObject, Split, Stage,
        Update, Waiting,
    },
    join::{pending_message::PendingMessage, state_times::StateTimes},
};

/// What the samples of a socket need besides its other state.
#[derive(Debug)]
pub(super) struct SampleContext {
    /// Address of the kernel's `struct sock`.
    pub(super) sk: u64,
    /// When messages were handed off last.
    pub(super) last_hand_off_ns: Option<u64>,
    /// The reader at the last sample.
    pub(super) latest: Option<Snapshot>,
    /// The same, when something waited then.
    waited: Option<Snapshot>,
    /// Messages received and their length together, for the mean.
    messages: u64,
    message_bytes: u64,
}

impl SampleContext {
    pub(super) const fn new(sk: u64) -> Self {
        Self {
            sk,
            last_hand_off_ns: None,
            latest: None,
            waited: None,
            messages: 0,
            message_bytes: 0,
        }
    }

    /// A message of this length was received.
    pub(super) const fn message(&mut self, bytes: u64) {
        self.messages += 1;
        self.message_bytes += bytes;
    }

    /// About how many messages so many bytes are.
    fn messages_in(&self, bytes: u64) -> Option<u64> {
        let mean = self.message_bytes.checked_div(self.messages)?.max(1);
        Some(bytes.div_ceil(mean))
    }
}

/// The oldest of what waits in one place.
struct Oldest {
    split: Split,
    /// Since when it waits for the reader.
    here_since_ns: u64,
}

impl Socket {
    /// The socket was sampled: emits what waits on it, and once more when nothing does any longer.
    pub(in crate::join) fn sampled(
        &mut self,
        sample: &SocketSampled,
        emit: &mut dyn FnMut(Update),
    ) {
        self.note_losses(sample.head.lost);
        self.reader_sampled(sample.reader);
        let Some(session) = self.identity.session().map(Arc::clone) else {
            return;
        };
        self.samples.latest = Some(sample.reader);
        let mut waiting = self.waiting(sample);
        let waits = (!waiting.is_empty()).then_some(sample.reader);
        let waited = std::mem::replace(&mut self.samples.waited, waits);
        if let Some(from) = waited
            && waiting
                .waits_since_ns
                .is_some_and(|since| since <= from.at_ns)
        {
            let times = StateTimes::between(&from, &sample.reader);
            waiting.waited_ns = Part::ALL.map(|part| times.part(part));
        }
        if waited.is_some() || !waiting.is_empty() {
            emit(Update::Waiting(session, Box::new(waiting)));
        }
    }

    fn waiting(&mut self, sample: &SocketSampled) -> Waiting {
        let at_ns = sample.reader.at_ns;
        let (queued, oldest_queued) = self.queued(sample);
        let in_hand = self.in_hand();
        let oldest_in_hand = self.oldest_in_hand(sample);
        let waits_since_ns = [&oldest_queued, &oldest_in_hand]
            .into_iter()
            .flatten()
            .map(|oldest| oldest.here_since_ns)
            .min();
        let queued_age = oldest_queued.as_ref().map(|oldest| oldest.split.age_ns());
        let in_hand_age = oldest_in_hand.as_ref().map(|oldest| oldest.split.age_ns());
        let is_lower_bound = queued_age > in_hand_age;
        let oldest = if is_lower_bound {
            oldest_queued
        } else {
            oldest_in_hand
        };
        Waiting {
            at_ns,
            in_hand,
            queued,
            window_closed_since_ns: self.moments.window.closed_since_ns(),
            split: oldest.map_or_else(Split::default, |oldest| oldest.split),
            is_lower_bound,
            waits_since_ns,
            last_hand_off_ns: self.samples.last_hand_off_ns,
            reader: reader_activity(sample),
            waited_ns: [0; Part::ALL.len()],
        }
    }

    /// What is in the receive queue, and the age of its first byte.
    fn queued(&mut self, sample: &SocketSampled) -> (Queued, Option<Oldest>) {
        let positions = &mut self.moments.positions;
        let received = positions.position(sample.copied_seq);
        let bytes = positions.position(sample.rcv_nxt).saturating_sub(received);
        if bytes == 0 {
            return (Queued::default(), None);
        }
        let reader = &sample.reader;
        // Without a record of the arrival: it was before the socket was observed.
        let unobserved = self.reader_at_open.unwrap_or(Snapshot {
            at_ns: self.moments.opened_at_ns,
            ..Snapshot::default()
        });
        let arrived = self.moments.arrivals.of(received + 1).unwrap_or(unobserved);
        let times = StateTimes::between(&arrived, reader);
        let mut matrix = Matrix::default();
        times.add_to_matrix(&mut matrix, Stage::Queued);
        let queued = Queued {
            bytes,
            messages: self.samples.messages_in(bytes),
            since_ns: Some(arrived.at_ns),
        };
        let oldest = matrix.try_into().ok().map(|split| Oldest {
            split,
            here_since_ns: arrived.at_ns,
        });
        (queued, oldest)
    }

    /// What the thread that received last has in hand. What another one received before is not
    /// counted: whether it is through with it is known only when it reads again, and a thread that
    /// has passed the connection on never does.
    fn in_hand(&self) -> InHand {
        let batch = self.batches.get(self.reader);
        batch.map_or_else(InHand::default, |batch| {
            batch.amount_in_hand(self.hand_off_function)
        })
    }

    /// The oldest fresh message in hand; without one, what was received first, whose age is only
    /// known since then.
    fn oldest_in_hand(&self, sample: &SocketSampled) -> Option<Oldest> {
        let batch = self.batches.get(self.reader)?;
        let messages = || batch.in_hand(self.hand_off_function);
        let received = messages()
            .map(PendingMessage::reader)
            .chain(batch.skipped_since())
            .min_by_key(|reader| reader.at_ns)?;
        let fresh = messages()
            .filter(|message| message.is_fresh())
            .min_by_key(|message| message.sent_at_ns());
        let split = if let Some(message) = fresh {
            message.split_until(&sample.reader).ok()?
        } else {
            let mut matrix = Matrix::default();
            StateTimes::between(received, &sample.reader).add_to_matrix(&mut matrix, Stage::InApp);
            matrix.try_into().ok()?
        };
        Some(Oldest {
            split,
            here_since_ns: received.at_ns,
        })
    }
}

/// What the reader does; `None` where it is not tracked.
fn reader_activity(sample: &SocketSampled) -> Option<ReaderActivity> {
    let SampledActivity {
        since_ns,
        object,
        syscall_arg,
        state,
        tgid,
    } = sample.activity;
    if sample.reader.tid == 0 || tgid == 0 {
        return None;
    }
    let (state, sleep) = match state {
        s if s == ThreadState::OnCpu as u32 => (Part::OnCpu, None),
        s if s == ThreadState::RunQueue as u32 => (Part::RunQueue, None),
        s if s == ThreadState::Throttle as u32 => (Part::Throttle, None),
        s if s == ThreadState::LockWait as u32 => (
            Part::LockWait,
            Some(SleepObject::Lock {
                pid: tgid,
                address: object,
            }),
        ),
        s if s == ThreadState::Blocked as u32 => (
            Part::Blocked,
            Some(SleepObject::Call {
                pid: tgid,
                number: object.cast_signed(),
                argument: syscall_arg,
            }),
        ),
        _ => (Part::Unknown, None),
    };
    Some(ReaderActivity {
        tid: sample.reader.tid,
        pid: tgid,
        state,
        since_ns,
        sleep,
        culprit: None,
        owner: OwnerEvidence::None,
        deadlock: Vec::new(),
    })
}
