//! From the kernel's records of waits to charges.

use std::{collections::HashMap, sync::Arc};

use agent_common::{Queued, RUNNERS, State, Waited};

use crate::model::{Charge, Culprit, CulpritId, Followed, FollowedBy, Message, Part, Stage, Wait};

use super::{
    culprits::{Culprits, Key},
    ledger::Ledger,
    releasers::Releasers,
};

/// Sleeps of one lock wait kept, at 5 ms each (CPython) some five minutes.
const MOST_SLEEPS: usize = 1 << 16;

/// Stands for whatever a wait followed upon.
const AFTERMATH: CulpritId = CulpritId(1);

/// Who says what a culprit is called.
pub trait Describe {
    /// Everything that can be found out about it, now.
    fn describe(&mut self, key: &Key) -> Culprit;
}

/// What follows from a wait.
#[derive(Clone, Debug)]
pub enum Told {
    /// What a number stands for.
    Culprit(CulpritId, Arc<Culprit>),
    /// A wait, or what one culprit has of it.
    Wait(Wait),
}

/// The waits of all watched threads.
#[derive(Debug, Default)]
pub struct Blame {
    /// By thread and part: the waits of one part end one after the other, a lock wait of many sleeps is
    /// told after the run-queue waits in between.
    threads: HashMap<(u32, Part), Ledger>,
    /// Of a lock wait that goes on: its sleeps so far, by thread.
    sleeps: HashMap<u32, Vec<(u64, u64)>>,
    culprits: Culprits,
    releasers: Releasers,
    /// Waits for the CPU by what they followed upon; on the CPU: the retries of lock waits.
    followed: HashMap<(u32, Part), Ledger>,
    /// The cgroup whose quota ran out last, by process.
    quota: HashMap<u32, CulpritId>,
}

impl Blame {
    /// A lock wait or a blocking call is over.
    pub fn waited(
        &mut self,
        waited: &Waited,
        names: &mut dyn Describe,
        tell: &mut dyn FnMut(Told),
    ) {
        if waited.goes_on != 0 {
            let sleeps = self.sleeps.entry(waited.tid).or_default();
            if sleeps.len() < MOST_SLEEPS && waited.from < waited.to {
                sleeps.push((waited.from, waited.to));
            }
            return;
        }
        let key = if waited.state == State::LockWait as u32 {
            let (pid, address) = (waited.tgid, waited.what);
            let seen = (waited.releaser, waited.releaser_tgid);
            let (tid, holder_pid) = if waited.releaser == 0 {
                self.releasers.likely(pid, address).unwrap_or(seen)
            } else {
                self.releasers.saw(pid, address, seen);
                seen
            };
            Key::Holder {
                pid,
                address,
                tid,
                holder_pid,
            }
        } else {
            Key::Call {
                pid: waited.tgid,
                number: waited.what as i64,
                argument: waited.arg,
            }
        };
        let culprit = self.culprit(&key, names, tell);
        let sleeps = match key {
            Key::Holder { .. } => self.sleeps.remove(&waited.tid).unwrap_or_default(),
            _ => Vec::new(),
        };
        let last = Some((waited.from, waited.to)).filter(|(from, to)| from < to);
        let timeouts = sleeps.len() as u32;
        let mut wait = Wait {
            tid: waited.tid,
            part: key.part(),
            culprit,
            from_ns: sleeps.first().map_or(waited.from, |sleep| sleep.0),
            to_ns: waited.to,
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
        if wait.ns > 0 {
            tell(Told::Wait(wait));
        }
    }

    /// A wait for a CPU is over.
    pub fn queued(
        &mut self,
        queued: &Queued,
        names: &mut dyn Describe,
        tell: &mut dyn FnMut(Told),
    ) {
        let mut wait = Wait {
            tid: queued.tid,
            part: Part::RunQueue,
            culprit: CulpritId::OTHER,
            from_ns: queued.from,
            to_ns: queued.to,
            ns: 0,
            timeouts: 0,
        };
        let length = queued.to.saturating_sub(queued.from);
        let throttled = queued.throttled.min(length);
        if throttled > 0 {
            let culprit = self.quota.get(&queued.tgid).copied();
            self.told(
                Wait {
                    part: Part::Throttle,
                    culprit: culprit.unwrap_or(CulpritId::OTHER),
                    ns: throttled,
                    ..wait
                },
                tell,
            );
        }
        if let Some(before) = followed(queued) {
            let ledger = self.followed.entry((queued.tid, before)).or_default();
            ledger.add(AFTERMATH, queued.from, queued.to, length - throttled);
        }
        for (key, ns) in runners(queued) {
            // While it was throttled, who ran was not in its way. Which of the time that was is not
            // known: everybody is charged less, alike.
            let ns = u128::from(ns) * u128::from(length - throttled) / u128::from(length.max(1));
            wait.culprit = self.culprit(&key, names, tell);
            wait.ns = ns as u64;
            self.told(wait, tell);
        }
    }

    /// The cgroup (by its path) that used up its quota last, of those of a process.
    pub fn ran_out(
        &mut self,
        pid: u32,
        cgroup: &str,
        names: &mut dyn Describe,
        tell: &mut dyn FnMut(Told),
    ) {
        let culprit = self.culprit(&Key::Quota(cgroup.to_owned()), names, tell);
        self.quota.insert(pid, culprit);
    }

    fn culprit(
        &mut self,
        key: &Key,
        names: &mut dyn Describe,
        tell: &mut dyn FnMut(Told),
    ) -> CulpritId {
        self.culprits
            .id(key, |key| names.describe(key), &mut |id, culprit| {
                tell(Told::Culprit(id, Arc::clone(culprit)));
            })
    }

    fn told(&mut self, wait: Wait, tell: &mut dyn FnMut(Told)) {
        if wait.ns > 0 {
            self.due(&wait, wait.from_ns, wait.to_ns, wait.ns);
            tell(Told::Wait(wait));
        }
    }

    fn due(&mut self, wait: &Wait, from: u64, to: u64, ns: u64) {
        if wait.culprit != CulpritId::OTHER {
            let ledger = self.threads.entry((wait.tid, wait.part)).or_default();
            ledger.add(wait.culprit, from, to, ns);
        }
    }

    /// Charges a message with the waits that fell into its time outside the network, and says which of
    /// those for the CPU were the aftermath of others.
    pub fn charge(&self, message: &mut Message) {
        let matrix = message.split.matrix();
        let ago = |at: u64, stage| at.saturating_sub(matrix.stage(stage).max(0) as u64);
        let received = ago(message.handed_off_at, Stage::InApp);
        message.followed = FollowedBy {
            queued: self.followed(message.tid, ago(received, Stage::Queued), received),
            in_app: self.followed(message.tid, received, message.handed_off_at),
        };
        let outside: i64 = [Stage::HeldBack, Stage::Queued, Stage::InApp]
            .into_iter()
            .map(|stage| matrix.stage(stage))
            .sum();
        let to = message.handed_off_at;
        let from = to.saturating_sub(outside.max(0) as u64);
        for part in Part::ALL {
            let Some(ledger) = self.threads.get(&(message.tid, part)) else {
                continue;
            };
            let most = matrix.part(part).max(0) as u64;
            let due = ledger.between(from, to);
            let all: u64 = due.iter().map(|due| due.ns).sum();
            for due in due {
                // The counters are exact, the waits are told at their ends: what is too much is taken
                // off alike.
                let ns = if all > most {
                    (u128::from(due.ns) * u128::from(most) / u128::from(all)) as u64
                } else {
                    due.ns
                };
                message.charges.push(Charge {
                    part,
                    culprit: due.culprit,
                    ns,
                });
            }
        }
    }

    /// Between two sleeps of a lock wait the thread was awake.
    fn retried(&mut self, tid: u32, from: u64, to: u64) {
        let queued = self.followed.get(&(tid, Part::LockWait));
        let queued = queued.map_or_else(Vec::new, |ledger| ledger.between(from, to));
        let queued: u64 = queued.iter().map(|due| due.ns).sum();
        let ran = to.saturating_sub(from).saturating_sub(queued);
        let ledger = self.followed.entry((tid, Part::OnCpu)).or_default();
        ledger.add(AFTERMATH, from, to, ran);
    }

    fn followed(&self, tid: u32, from: u64, to: u64) -> Followed {
        let after = |part| {
            let ledger = self.followed.get(&(tid, part));
            let due = ledger.map_or_else(Vec::new, |ledger| ledger.between(from, to));
            due.iter().map(|due| due.ns).sum()
        };
        Followed {
            lock_wait_ns: after(Part::LockWait),
            throttle_ns: after(Part::Throttle),
            blocked_ns: after(Part::Blocked),
            lock_retry_ns: after(Part::OnCpu),
        }
    }

    /// The thread has ended.
    pub fn forget(&mut self, tid: u32) {
        self.threads.retain(|&(of, _), _| of != tid);
        self.followed.retain(|&(of, _), _| of != tid);
        self.sleeps.remove(&tid);
    }
}

/// Which wait a wait for the CPU followed upon; `None` when the thread was preempted.
fn followed(queued: &Queued) -> Option<Part> {
    const LOCK_WAIT: u32 = State::LockWait as u32;
    const BLOCKED: u32 = State::Blocked as u32;
    match queued.after {
        // Preempted or not: what it waits for after its throttling it would not have waited for.
        _ if queued.throttled > 0 => Some(Part::Throttle),
        LOCK_WAIT => Some(Part::LockWait),
        BLOCKED => Some(Part::Blocked),
        _ => None,
    }
}

/// Who had the CPU for how long, ns; at most the last [`RUNNERS`] of them are known.
fn runners(queued: &Queued) -> Vec<(Key, u64)> {
    let known = queued.next.saturating_sub(RUNNERS as u64);
    let missed = queued.first < known;
    let mut since = queued.from;
    let mut shares: Vec<(Key, u64)> = Vec::new();
    for number in queued.first.max(known)..queued.next {
        let runner = queued.runners[number as usize % RUNNERS];
        // Of those that went before, the first known one's beginning is not: nobody is charged with it.
        if !missed || number > known {
            let ns = runner.until.min(queued.to).saturating_sub(since);
            let key = Key::Runner {
                pid: queued.tgid,
                tid: runner.tid,
                runner_pid: runner.tgid,
            };
            match shares.iter_mut().find(|(known, _)| *known == key) {
                Some((_, sum)) => *sum += ns,
                None => shares.push((key, ns)),
            }
        }
        since = since.max(runner.until);
    }
    shares
}
