//! From the probes' records of waits to updates and charges.

use std::{collections::HashMap, sync::Arc};

use agent_common::{RunQueueWait, SleepEnded, ThreadState};

use super::{
    aftermath::AftermathLedgers,
    candidates::{CandidateSample, CandidateSamples},
    charging::{ChargedSpan, WaitLedgers},
    cpu_turns::TurnHistory,
    culprits::{CulpritChange, CulpritKey, CulpritTable},
    current_wait::{LockOwner, LockReader, call_key},
    releasers::Releasers,
    run_queue::shares,
    sleeps::{OpenSleeps, Sleep, timed_out},
};
use crate::domain::{
    Culprit, CulpritId, Message, MessageAftermath, Part, SleepObject, Update, Wait, Waiting,
};

/// How long a wait is retained, nanoseconds: a message that is older is charged with what came
/// later.
const RETENTION_NS: u64 = 600_000_000_000;

/// What has waited for less is not worth a look into locks and descriptors, nanoseconds.
const MIN_RESOLVED_WAITING_NS: u64 = 50_000_000;

/// Resolves culprits to names.
pub(crate) trait CulpritResolver: LockReader {
    /// Everything that can be found out about the culprit now.
    fn resolve(&mut self, key: &CulpritKey) -> Culprit;
}

/// Assigns the waits of all tracked threads to culprits and charges messages with them.
#[derive(Debug, Default)]
pub(crate) struct Attribution {
    waits: WaitLedgers,
    aftermath: AftermathLedgers,
    sleeps: OpenSleeps,
    culprits: CulpritTable,
    releasers: Releasers,
    candidates: CandidateSamples,
    turns: TurnHistory,
    /// The cgroup that used up its quota last, by process.
    quotas: HashMap<u32, CulpritId>,
}

impl Attribution {
    /// A sleep of a lock wait or of a blocking call is over. When the wait is over with it, emits the
    /// samples of the lock's holder and then the wait.
    pub(crate) fn sleep_ended(
        &mut self,
        record: &SleepEnded,
        resolver: &mut dyn CulpritResolver,
        emit: &mut dyn FnMut(Update),
    ) {
        let (tid, from_ns, to_ns) = (record.tid, record.from_ns, record.to_ns);
        if record.goes_on != 0 {
            self.sleeps.add(tid, from_ns, to_ns);
            return;
        }
        let key = self.key(record);
        let culprit = self.culprit(&key, resolver, emit);
        let sleeps = match key {
            CulpritKey::Holder { .. } => self.sleeps.take(tid),
            _ => Vec::new(),
        };
        let mut wait = Wait {
            tid,
            part: key.part(),
            culprit,
            from_ns: sleeps.first().map_or(from_ns, |sleep| sleep.0),
            to_ns,
            ns: 0,
            timeouts: timed_out(&sleeps),
        };
        let last = Some((from_ns, to_ns)).filter(|(from, to)| from < to);
        self.add_sleeps(&mut wait, sleeps.into_iter().chain(last));
        if let CulpritKey::Holder { tid, .. } = key {
            self.candidates.settle(&wait, tid, &mut |sample| {
                emit(Update::HolderSample(Box::new(sample)));
            });
        }
        if wait.ns > 0 {
            emit(Update::Wait(wait));
        }
    }

    /// What the sleep was for. A lock without an observed releaser is taken to be released by its
    /// usual one.
    fn key(&mut self, record: &SleepEnded) -> CulpritKey {
        if record.state != ThreadState::LockWait as u32 {
            return CulpritKey::Call {
                pid: record.tgid,
                number: record.object as i64,
                argument: record.syscall_arg,
            };
        }
        let (pid, address) = (record.tgid, record.object);
        let observed = (record.releaser, record.releaser_tgid);
        let (tid, holder_pid) = if record.releaser == 0 {
            self.releasers.usual(pid, address).unwrap_or(observed)
        } else {
            self.releasers.released(pid, address, observed);
            observed
        };
        CulpritKey::Holder {
            pid,
            address,
            tid,
            holder_pid,
        }
    }

    /// Adds the sleeps of a wait to the ledgers and to its length.
    fn add_sleeps(&mut self, wait: &mut Wait, sleeps: impl Iterator<Item = Sleep>) {
        let mut woken_at = None;
        for (from, to) in sleeps {
            if let Some(woken_at) = woken_at.replace(to) {
                self.aftermath.lock_retry(wait.tid, woken_at, from);
            }
            wait.ns += to - from;
            self.add_wait(wait, from, to, to - from);
        }
    }

    /// The threads that may hold the lock at `address` of process `pid`, for which thread `waiter`
    /// waits, the likeliest first, as thread id and thread group id.
    pub(crate) fn likely_holders(
        &self,
        pid: u32,
        address: u64,
        waiter: u32,
    ) -> impl Iterator<Item = (u32, u32)> + '_ {
        let candidates = self.releasers.candidates(pid, address);
        candidates.filter(move |thread| thread.0 != waiter)
    }

    /// A thread that may hold a lock was sampled while another one waited for it. The sample is
    /// emitted with the end of the wait if the thread turns out to be the releaser.
    pub(crate) fn candidate_sampled(&mut self, sample: CandidateSample) {
        self.candidates.add(sample);
    }

    /// Number of such samples that were dropped for lack of room.
    #[must_use]
    pub(crate) const fn candidate_samples_dropped(&self) -> u64 {
        self.candidates.dropped
    }

    /// A wait for a CPU is over. Emits its throttled part, and then the rest of it once for every
    /// culprit.
    pub(crate) fn run_queue_wait_ended(
        &mut self,
        record: &RunQueueWait,
        resolver: &mut dyn CulpritResolver,
        emit: &mut dyn FnMut(Update),
    ) {
        let mut wait = Wait {
            tid: record.tid,
            part: Part::RunQueue,
            culprit: CulpritId::OTHER,
            from_ns: record.from_ns,
            to_ns: record.to_ns,
            ns: 0,
            timeouts: 0,
        };
        let length = record.to_ns.saturating_sub(record.from_ns);
        let throttled = record.throttled_ns.min(length);
        if throttled > 0 {
            let quota = self.quotas.get(&record.tgid).copied();
            let wait = Wait {
                part: Part::Throttle,
                culprit: quota.unwrap_or(CulpritId::OTHER),
                ns: throttled,
                ..wait
            };
            self.add_wait(&wait, wait.from_ns, wait.to_ns, wait.ns);
            emit(Update::Wait(wait));
        }
        self.aftermath.run_queue_wait(record, length - throttled);
        self.turns.add(record);
        // Shares are charged piece by piece and emitted by culprit.
        let mut by_culprit: Vec<(CulpritId, u64)> = Vec::new();
        for share in shares(record, &self.turns) {
            wait.culprit = self.culprit(&share.key(record.tgid), resolver, emit);
            self.add_wait(&wait, share.from, share.to, share.ns);
            match by_culprit.iter_mut().find(|(id, _)| *id == wait.culprit) {
                Some((_, ns)) => *ns += share.ns,
                None => by_culprit.push((wait.culprit, share.ns)),
            }
        }
        for (culprit, ns) in by_culprit.into_iter().filter(|(_, ns)| *ns > 0) {
            emit(Update::Wait(Wait {
                culprit,
                ns,
                ..wait
            }));
        }
    }

    /// A full block of turns on a CPU for which a tracked thread waits.
    pub(crate) fn cpu_turns(&mut self, block: &RunQueueWait) {
        self.turns.add(block);
    }

    /// The cgroup at this path has used up its quota: the latest one of the process.
    pub(crate) fn quota_exhausted(
        &mut self,
        pid: u32,
        cgroup: &str,
        resolver: &mut dyn CulpritResolver,
        emit: &mut dyn FnMut(Update),
    ) {
        let culprit = self.culprit(&CulpritKey::Quota(cgroup.to_owned()), resolver, emit);
        self.quotas.insert(pid, culprit);
    }

    fn culprit(
        &mut self,
        key: &CulpritKey,
        resolver: &mut dyn CulpritResolver,
        emit: &mut dyn FnMut(Update),
    ) -> CulpritId {
        let resolve = |key: &CulpritKey| resolver.resolve(key);
        self.culprits.id(key, resolve, &mut |change| {
            emit(match change {
                CulpritChange::Registered(id, culprit) => Update::Culprit(id, Arc::clone(culprit)),
                CulpritChange::Retired(id) => Update::CulpritRetired(id),
            });
        })
    }

    fn add_wait(&mut self, wait: &Wait, from: u64, to: u64, ns: u64) {
        if wait.culprit != CulpritId::OTHER {
            self.waits.add(wait, from, to, ns);
        }
    }

    /// Emits an update of the join, with the charges of its message and the culprit of what waits.
    pub(crate) fn attribute(
        &mut self,
        mut update: Update,
        resolver: &mut dyn CulpritResolver,
        emit: &mut dyn FnMut(Update),
    ) {
        match &mut update {
            Update::Message(message) => self.charge(message),
            Update::Waiting(_, waiting) => self.attribute_waiting(waiting, resolver, emit),
            _ => {}
        }
        emit(update);
    }

    /// Sets who or what the reader of a session waits for now.
    fn attribute_waiting(
        &mut self,
        waiting: &mut Waiting,
        resolver: &mut dyn CulpritResolver,
        emit: &mut dyn FnMut(Update),
    ) {
        if waiting.without_hand_off_ns() < MIN_RESOLVED_WAITING_NS {
            return;
        }
        let Some(reader) = &mut waiting.reader else {
            return;
        };
        match (reader.state, reader.sleep) {
            (Part::LockWait, Some(SleepObject::Lock { pid, address })) => {
                let last = self.likely_holders(pid, address, reader.tid).next();
                let owner = LockOwner::find(reader.tid, (pid, address), last, resolver);
                let key = owner.key((pid, address));
                reader.culprit = Some(self.culprit(&key, resolver, emit));
                reader.owner = owner.evidence;
                reader.deadlock = owner.deadlock;
            }
            (Part::Blocked, Some(sleep)) => {
                if let Some(key) = call_key(sleep) {
                    reader.culprit = Some(self.culprit(&key, resolver, emit));
                }
            }
            (Part::Throttle, _) => reader.culprit = self.quotas.get(&reader.pid).copied(),
            _ => {}
        }
    }

    /// Charges a message with the waits that fell into its age outside of the network, and sets the
    /// aftermath of waits in it.
    pub(super) fn charge(&self, message: &mut Message) {
        let span = ChargedSpan::of(message);
        let aftermath = |from, to| self.aftermath.aftermath(message.tid, from, to);
        message.aftermath = MessageAftermath {
            queued: aftermath(span.arrived, span.received),
            in_app: aftermath(span.received, span.handed_off),
        };
        self.waits.charge(message, span);
    }

    /// Forgets waits that are older than any message to come is likely to be. `now` is
    /// `CLOCK_MONOTONIC` nanoseconds. The caller repeats this every few seconds, so that threads
    /// that do not wait any more take no memory over weeks.
    pub(crate) fn forget_before(&mut self, now: u64) {
        let before = now.saturating_sub(RETENTION_NS);
        self.turns.forget_before(before);
        self.waits.ledgers.forget_before(before);
        self.aftermath.ledgers.forget_before(before);
    }

    /// The threads of which something is retained; a thread may appear several times.
    pub(crate) fn tids(&self) -> impl Iterator<Item = u32> + '_ {
        let (waits, aftermath) = (&self.waits.ledgers, &self.aftermath.ledgers);
        let tids = waits.tids().chain(aftermath.tids());
        tids.chain(self.sleeps.tids())
    }

    /// A process has ended.
    pub(crate) fn process_ended(&mut self, pid: u32) {
        self.quotas.remove(&pid);
        self.releasers.process_ended(pid);
    }

    /// A tracked thread has ended.
    pub(crate) fn thread_ended(&mut self, tid: u32) {
        self.waits.ledgers.thread_ended(tid);
        self.aftermath.ledgers.thread_ended(tid);
        self.sleeps.thread_ended(tid);
        self.candidates.thread_ended(tid);
    }
}
