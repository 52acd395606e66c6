//! From the kernel's records of waits to charges.

use std::{collections::HashMap, sync::Arc};

use agent_common::{RunQueueWait, SleepEnded, ThreadState};

use crate::domain::{
    Aftermath, Charge, Culprit, CulpritId, Message, MessageAftermath, Part, Stage, Update, Wait,
};

use super::{
    culprits::{CulpritChange, CulpritKey, Culprits},
    ledger::{Due, Ledger},
    queue::shares,
    releasers::Releasers,
    seen::{CandidateSample, Seen},
    switches::Switches,
};

/// Sleeps of one lock wait kept, at 5 ms each (CPython) some five minutes.
const MOST_SLEEPS: usize = 1 << 16;

/// So long a wait can be charged, ns: messages older than this are charged with what came later.
const KEPT: u64 = 600_000_000_000;

/// Stands for whatever a wait followed upon.
const AFTERMATH: CulpritId = CulpritId(1);

/// Who says what a culprit is called.
pub trait CulpritResolver {
    /// Everything that can be found out about it, now.
    fn resolve(&mut self, key: &CulpritKey) -> Culprit;
}

/// The waits of all watched threads.
#[derive(Debug, Default)]
pub struct Attribution {
    /// By thread and part: the waits of one part end one after the other, a lock wait of many
    /// sleeps is told after the run-queue waits in between.
    threads: HashMap<(u32, Part), Ledger>,
    /// Of a lock wait that goes on: its sleeps so far, by thread.
    sleeps: HashMap<u32, Vec<(u64, u64)>>,
    culprits: Culprits,
    releasers: Releasers,
    /// Waits for the CPU by what they followed upon; on the CPU: the retries of lock waits.
    aftermath: HashMap<(u32, Part), Ledger>,
    seen: Seen,
    switches: Switches,
    /// The cgroup whose quota ran out last, by process.
    quota: HashMap<u32, CulpritId>,
}

impl Attribution {
    /// A lock wait or a blocking call is over.
    pub fn sleep_ended(
        &mut self,
        waited: &SleepEnded,
        names: &mut dyn CulpritResolver,
        emit: &mut dyn FnMut(Update),
    ) {
        if waited.goes_on != 0 {
            let sleeps = self.sleeps.entry(waited.tid).or_default();
            if sleeps.len() < MOST_SLEEPS && waited.from_ns < waited.to_ns {
                sleeps.push((waited.from_ns, waited.to_ns));
            }
            return;
        }
        let key = if waited.state == ThreadState::LockWait as u32 {
            let (pid, address) = (waited.tgid, waited.object);
            let seen = (waited.releaser, waited.releaser_tgid);
            let (tid, holder_pid) = if waited.releaser == 0 {
                self.releasers.likely(pid, address).unwrap_or(seen)
            } else {
                self.releasers.saw(pid, address, seen);
                seen
            };
            CulpritKey::Holder {
                pid,
                address,
                tid,
                holder_pid,
            }
        } else {
            CulpritKey::Call {
                pid: waited.tgid,
                number: waited.object as i64,
                argument: waited.syscall_arg,
            }
        };
        let culprit = self.culprit(&key, names, emit);
        let sleeps = match key {
            CulpritKey::Holder { .. } => self.sleeps.remove(&waited.tid).unwrap_or_default(),
            _ => Vec::new(),
        };
        let last = Some((waited.from_ns, waited.to_ns)).filter(|(from, to)| from < to);
        let timeouts = timed_out(&sleeps);
        let mut wait = Wait {
            tid: waited.tid,
            part: key.part(),
            culprit,
            from_ns: sleeps.first().map_or(waited.from_ns, |sleep| sleep.0),
            to_ns: waited.to_ns,
            ns: 0,
            timeouts,
        };
        let mut before = None;
        for (from, to) in sleeps.into_iter().chain(last) {
            if let Some(before) = before.replace(to) {
                self.retried(waited.tid, before, from);
            }
            wait.ns += to - from;
            self.due(&wait, from, to, to - from);
        }
        if let CulpritKey::Holder { tid, .. } = key {
            self.seen.settle(&wait, tid, &mut |sample| {
                emit(Update::HolderSample(Box::new(sample)));
            });
        }
        if wait.ns > 0 {
            emit(Update::Wait(wait));
        }
    }

    /// Who may hold a lock of a process that one of its threads waits for, likeliest first:
    /// (thread, its process).
    pub fn likely_holders(
        &self,
        pid: u32,
        address: u64,
        waiter: u32,
    ) -> impl Iterator<Item = (u32, u32)> + '_ {
        let holders = self.releasers.holders(pid, address);
        holders.filter(move |thread| thread.0 != waiter)
    }

    /// A thread that may hold a lock was looked at while somebody waited for it: told as a sample
    /// with the wait, if it did.
    pub fn candidate_sampled(&mut self, look: CandidateSample) {
        self.seen.add(look);
    }

    /// Looks there was no room for.
    #[must_use]
    pub const fn candidate_samples_dropped(&self) -> u64 {
        self.seen.dropped
    }

    /// A wait for a CPU is over.
    pub fn run_queue_wait_ended(
        &mut self,
        queued: &RunQueueWait,
        names: &mut dyn CulpritResolver,
        emit: &mut dyn FnMut(Update),
    ) {
        let mut wait = Wait {
            tid: queued.tid,
            part: Part::RunQueue,
            culprit: CulpritId::OTHER,
            from_ns: queued.from_ns,
            to_ns: queued.to_ns,
            ns: 0,
            timeouts: 0,
        };
        let length = queued.to_ns.saturating_sub(queued.from_ns);
        let throttled = queued.throttled_ns.min(length);
        if throttled > 0 {
            let culprit = self.quota.get(&queued.tgid).copied();
            self.emit_wait(
                Wait {
                    part: Part::Throttle,
                    culprit: culprit.unwrap_or(CulpritId::OTHER),
                    ns: throttled,
                    ..wait
                },
                emit,
            );
        }
        if let Some(before) = aftermath(queued) {
            let ledger = self.aftermath.entry((queued.tid, before)).or_default();
            ledger.add(AFTERMATH, queued.from_ns, queued.to_ns, length - throttled);
        }
        self.switches.add(queued);
        let mut whole: Vec<(CulpritId, u64)> = Vec::new();
        for share in shares(queued, &self.switches) {
            wait.culprit = self.culprit(&share.key(queued.tgid), names, emit);
            self.due(&wait, share.from, share.to, share.ns);
            match whole.iter_mut().find(|(known, _)| *known == wait.culprit) {
                Some((_, ns)) => *ns += share.ns,
                None => whole.push((wait.culprit, share.ns)),
            }
        }
        for (culprit, ns) in whole {
            if ns > 0 {
                emit(Update::Wait(Wait {
                    culprit,
                    ns,
                    ..wait
                }));
            }
        }
    }

    /// Who had a CPU for which somebody waits: a full block.
    pub fn cpu_turns(&mut self, block: &RunQueueWait) {
        self.switches.add(block);
    }

    /// The cgroup (by its path) that used up its quota last, of those of a process.
    pub fn quota_exhausted(
        &mut self,
        pid: u32,
        cgroup: &str,
        names: &mut dyn CulpritResolver,
        emit: &mut dyn FnMut(Update),
    ) {
        let culprit = self.culprit(&CulpritKey::Quota(cgroup.to_owned()), names, emit);
        self.quota.insert(pid, culprit);
    }

    fn culprit(
        &mut self,
        key: &CulpritKey,
        names: &mut dyn CulpritResolver,
        emit: &mut dyn FnMut(Update),
    ) -> CulpritId {
        self.culprits
            .id(key, |key| names.resolve(key), &mut |news| {
                emit(match news {
                    CulpritChange::Is(id, culprit) => Update::Culprit(id, Arc::clone(culprit)),
                    CulpritChange::Gone(id) => Update::CulpritRetired(id),
                });
            })
    }

    fn emit_wait(&mut self, wait: Wait, emit: &mut dyn FnMut(Update)) {
        if wait.ns > 0 {
            self.due(&wait, wait.from_ns, wait.to_ns, wait.ns);
            emit(Update::Wait(wait));
        }
    }

    fn due(&mut self, wait: &Wait, from: u64, to: u64, ns: u64) {
        if wait.culprit != CulpritId::OTHER {
            let ledger = self.threads.entry((wait.tid, wait.part)).or_default();
            ledger.add(wait.culprit, from, to, ns);
        }
    }

    /// The same update; a message is charged ([`Self::charge`]).
    #[must_use]
    pub fn with_charges(&self, mut update: Update) -> Update {
        if let Update::Message(message) = &mut update {
            self.charge(message);
        }
        update
    }

    /// Charges a message with the waits that fell into its time outside the network, and says which
    /// of those for the CPU were the aftermath of others. It was held back, if it was, from
    /// `held_back_from` on.
    pub fn charge(&self, message: &mut Message) {
        let matrix = message.split.matrix();
        let ago = |at: u64, stage| at.saturating_sub(matrix.stage(stage).max(0) as u64);
        let received = ago(message.handed_off_at, Stage::InApp);
        let arrived = ago(received, Stage::Queued);
        message.aftermath = MessageAftermath {
            queued: self.aftermath(message.tid, arrived, received),
            in_app: self.aftermath(message.tid, received, message.handed_off_at),
        };
        let to = message.handed_off_at;
        for part in Part::ALL {
            let Some(ledger) = self.threads.get(&(message.tid, part)) else {
                continue;
            };
            let held_back = matrix.get(Stage::HeldBack, part).max(0) as u64;
            let here = matrix.part(part).max(0) as u64 - held_back;
            for due in at_most(here, ledger.between(arrived, to)) {
                message.charges.push(Charge {
                    part,
                    culprit: due.culprit,
                    ns: due.ns,
                    held_back_ns: 0,
                });
            }
            if held_back == 0 {
                continue;
            }
            // In between the window may have been open for moments, which count as well: the
            // culprits of these are as good as the others, and nobody is charged for more than was
            // held back.
            for due in at_most(held_back, ledger.between(message.held_back_from, arrived)) {
                let known = message
                    .charges
                    .iter_mut()
                    .find(|charge| (charge.part, charge.culprit) == (part, due.culprit));
                if let Some(charge) = known {
                    charge.ns += due.ns;
                    charge.held_back_ns = due.ns;
                } else {
                    message.charges.push(Charge {
                        part,
                        culprit: due.culprit,
                        ns: due.ns,
                        held_back_ns: due.ns,
                    });
                }
            }
        }
    }

    /// Between two sleeps of a lock wait the thread was awake.
    fn retried(&mut self, tid: u32, from: u64, to: u64) {
        let queued = self.aftermath.get(&(tid, Part::LockWait));
        let queued = queued.map_or_else(Vec::new, |ledger| ledger.between(from, to));
        let queued: u64 = queued.iter().map(|due| due.ns).sum();
        let ran = to.saturating_sub(from).saturating_sub(queued);
        let ledger = self.aftermath.entry((tid, Part::OnCpu)).or_default();
        ledger.add(AFTERMATH, from, to, ran);
    }

    fn aftermath(&self, tid: u32, from: u64, to: u64) -> Aftermath {
        let after = |part| {
            let ledger = self.aftermath.get(&(tid, part));
            let due = ledger.map_or_else(Vec::new, |ledger| ledger.between(from, to));
            due.iter().map(|due| due.ns).sum()
        };
        Aftermath {
            lock_wait_ns: after(Part::LockWait),
            throttle_ns: after(Part::Throttle),
            blocked_ns: after(Part::Blocked),
            lock_retry_ns: after(Part::OnCpu),
        }
    }

    /// Forgets what is older than any message to come is likely to be, as of `now`
    /// (`CLOCK_MONOTONIC` ns): called now and then. What is not asked for again must not add up to
    /// much over weeks.
    pub fn forget_before(&mut self, now: u64) {
        let before = now.saturating_sub(KEPT);
        self.switches.forget(before);
        for ledgers in [&mut self.threads, &mut self.aftermath] {
            ledgers.retain(|_, ledger| {
                ledger.forget(before);
                !ledger.is_empty()
            });
        }
    }

    /// The threads something is known of.
    pub fn tids(&self) -> impl Iterator<Item = u32> + '_ {
        let ledgers = self.threads.keys().chain(self.aftermath.keys());
        let tids = ledgers.map(|&(tid, _)| tid);
        tids.chain(self.sleeps.keys().copied())
    }

    /// The process has ended.
    pub fn process_ended(&mut self, pid: u32) {
        self.quota.remove(&pid);
        self.releasers.forget(pid);
    }

    /// The thread has ended.
    pub fn thread_ended(&mut self, tid: u32) {
        self.threads.retain(|&(of, _), _| of != tid);
        self.aftermath.retain(|&(of, _), _| of != tid);
        self.sleeps.remove(&tid);
        self.seen.forget(tid);
    }
}

/// How many of a wait's sleeps a timer ended. It is set to the same time again and again: what was
/// over much sooner than most was ended by a wake-up that no hook told of.
fn timed_out(sleeps: &[(u64, u64)]) -> u32 {
    let mut lengths: Vec<u64> = sleeps.iter().map(|(from, to)| to - from).collect();
    lengths.sort_unstable();
    let usual = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    let sooner = lengths.partition_point(|&length| length < usual / 2);
    (lengths.len() - sooner) as u32
}

/// Which wait a wait for the CPU followed upon; `None` when the thread was preempted.
fn aftermath(queued: &RunQueueWait) -> Option<Part> {
    const LOCK_WAIT: u32 = ThreadState::LockWait as u32;
    const BLOCKED: u32 = ThreadState::Blocked as u32;
    match queued.state_before {
        // Preempted or not: what it waits for after its throttling it would not have waited for.
        _ if queued.throttled_ns > 0 => Some(Part::Throttle),
        LOCK_WAIT => Some(Part::LockWait),
        BLOCKED => Some(Part::Blocked),
        _ => None,
    }
}

/// The counters are exact, the waits are told at their ends: what is too much is taken off alike.
fn at_most(most: u64, mut dues: Vec<Due>) -> Vec<Due> {
    let all: u64 = dues.iter().map(|due| due.ns).sum();
    if all > most {
        for due in &mut dues {
            due.ns = (u128::from(due.ns) * u128::from(most) / u128::from(all)) as u64;
        }
    }
    dues.retain(|due| due.ns > 0);
    dues
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Lock, Matrix, Split, ThreadName,
        fixtures::{message, session},
    };

    struct Nameless;

    impl CulpritResolver for Nameless {
        fn resolve(&mut self, key: &CulpritKey) -> Culprit {
            let &CulpritKey::Holder { tid, address, .. } = key else {
                unreachable!("only lock waits here")
            };
            Culprit::Holder {
                lock: Lock::Futex { address },
                thread: ThreadName {
                    tid,
                    pid: 1,
                    comm: String::new(),
                },
            }
        }
    }

    /// The reader waited for thread 5 until 200, for thread 7 until 400, and for thread 6 after
    /// 600.
    fn blame(tid: u32) -> Attribution {
        let mut blame = Attribution::default();
        for (from, to, releaser) in [(100, 200, 5), (300, 400, 7), (600, 700, 6), (800, 900, 6)] {
            let waited = SleepEnded {
                tid,
                tgid: 1,
                state: ThreadState::LockWait as u32,
                from_ns: from,
                to_ns: to,
                object: 64,
                releaser,
                releaser_tgid: 1,
                ..SleepEnded::default()
            };
            blame.sleep_ended(&waited, &mut Nameless, &mut |_| ());
        }
        blame
    }

    /// Handed off at 1000, an age of 1000: in flight, held back and queued with these lock waits.
    fn charged(held_back: i64, queued: i64, arrived: i64, held_back_from: u64) -> Vec<Charge> {
        let mut m = message(&session(0), 1, &[]);
        let mut matrix = Matrix::default();
        matrix.add(Stage::HeldBack, Part::LockWait, held_back);
        matrix.add(Stage::Queued, Part::LockWait, queued);
        matrix.add(Stage::InApp, Part::OnCpu, 1_000 - arrived - queued);
        matrix.add(Stage::InFlight, Part::Network, arrived - held_back);
        m.split = Split::new(1_000, matrix).expect("balanced");
        m.handed_off_at = 1_000;
        m.held_back_from = held_back_from;
        blame(m.tid).charge(&mut m);
        m.charges
    }

    fn charge(id: u32, ns: u64, held_back_ns: u64) -> Charge {
        Charge {
            part: Part::LockWait,
            culprit: CulpritId(id),
            ns,
            held_back_ns,
        }
    }

    #[test]
    fn what_was_held_back_is_charged_to_those_waited_for_then() {
        // Arrived at 500: the queue is for thread 6, what was before for threads 5 and 7.
        assert_eq!(
            charged(200, 200, 500, 0),
            [charge(3, 200, 0), charge(1, 100, 100), charge(2, 100, 100)]
        );
        // The window was open until 250.
        assert_eq!(
            charged(100, 200, 500, 250),
            [charge(3, 200, 0), charge(2, 100, 100)]
        );
        // Never more than there was.
        assert_eq!(
            charged(100, 90, 500, 0),
            [charge(3, 90, 0), charge(1, 50, 50), charge(2, 50, 50)]
        );
        assert_eq!(charged(0, 200, 500, 500), [charge(3, 200, 0)]);
        // One and the same in both.
        assert_eq!(
            charged(300, 100, 750, 0),
            [
                charge(3, 200, 100),
                charge(1, 100, 100),
                charge(2, 100, 100)
            ]
        );
    }
}
