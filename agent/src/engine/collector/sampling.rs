//! What is sampled: what the probes do not report by themselves.

use std::collections::BTreeSet;

use super::{
    super::{
        config::Config, holder_sampler::HolderSampler, lock_wait_counter::LockWaitCounter,
        quota_sampler::QuotaSampler, thread_sampler,
    },
    Collector,
};
use crate::{domain::Update, outputs::OutputError, pipeline::Sink as _};

/// The samplers of a run.
#[derive(Debug)]
pub(super) struct Samplers {
    /// `None`: not asked for.
    pub(super) holders: Option<HolderSampler>,
    pub(super) quotas: QuotaSampler,
    pub(super) lock_waits: LockWaitCounter,
    threads: SampledThreads,
}

/// Whose use of time is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SampledThreads {
    /// Nobody's.
    None,
    /// The readers' only, which costs next to nothing: exemplars name them.
    Readers,
    /// That of all threads of the followed processes.
    All,
}

impl Samplers {
    pub(super) fn new(config: &Config) -> Self {
        let threads = if config.shows_threads() {
            SampledThreads::All
        } else if config.publishes_metrics() {
            SampledThreads::Readers
        } else {
            SampledThreads::None
        };
        Self {
            holders: config.sample_holders.then(HolderSampler::default),
            quotas: QuotaSampler::default(),
            lock_waits: LockWaitCounter::default(),
            threads,
        }
    }

    /// A sleep of a thread in a lock wait has ended.
    pub(super) fn sleep_ended(&mut self, tid: u32, from_ns: u64, to_ns: u64) {
        if let Some(holders) = &mut self.holders {
            holders.sleep_ended(tid, from_ns, to_ns);
        }
    }

    pub(super) fn thread_ended(&mut self, tid: u32) {
        if let Some(holders) = &mut self.holders {
            holders.thread_ended(tid);
        }
    }

    /// Forgets the session of an update that ends it.
    pub(super) fn forget_ended(&mut self, update: &Update) {
        self.lock_waits.forget_ended(update);
    }
}

impl Collector {
    /// Samples the readers of sessions whose window is closed: that keeps the split of held-back
    /// time fine.
    pub(in crate::engine) fn sample_starving_readers(&mut self) {
        let readers: Vec<u32> = self.sockets.closed_window_readers().collect();
        for tid in readers {
            let now = self.clock.monotonic();
            if let Some(snapshot) = self.probes.snapshot(tid, now) {
                self.sockets.reader_sampled(snapshot);
            }
        }
    }

    /// Samples what waits on every socket that carries a session, and takes the samples in.
    pub(in crate::engine) fn sample_sockets(&mut self) -> Result<(), OutputError> {
        let addresses: Vec<u64> = self.sockets.sample_addresses().collect();
        if addresses.is_empty() {
            return Ok(());
        }
        for sk in addresses {
            if let Err(error) = self.probes.sample_socket(sk) {
                self.health.sample_failed(&error);
            }
        }
        self.drain()
    }

    /// Finds readers in lock waits that the probes have not reported yet.
    pub(in crate::engine) fn find_waiters(&mut self) {
        let Some(holders) = &mut self.samplers.holders else {
            return;
        };
        let mut readers: Vec<u32> = self.sockets.readers().map(|(_, tid)| tid).collect();
        readers.sort_unstable();
        readers.dedup();
        holders.sweep(&readers, &self.probes, self.clock.monotonic());
    }

    /// Whether somebody has waited for a lock lately: then holders are sampled often.
    pub(in crate::engine) fn has_waiters(&self) -> bool {
        let holders = self.samplers.holders.as_ref();
        holders.is_some_and(HolderSampler::has_warm_threads)
    }

    /// Samples what the holders of locks do.
    pub(in crate::engine) fn sample_holders(&mut self) {
        let now = self.clock.monotonic();
        if let Some(holders) = &mut self.samplers.holders {
            holders.sample(&self.probes, &mut self.attribution, &mut self.host, now);
        }
    }

    /// Samples the cgroups of these processes.
    pub(super) fn sample_quotas(&mut self, pids: &[u32]) {
        let now = self.clock.moment();
        let mut publication = self.publisher.begin();
        for &pid in pids {
            let Some((cgroups, exhausted)) = self.samplers.quotas.sample(pid, &self.host) else {
                continue;
            };
            if let Some(path) = exhausted {
                self.attribution
                    .quota_exhausted(pid, &path, &mut self.host, &mut |update| {
                        publication.publish(now, update);
                    });
            }
            publication.publish(now, Update::Cgroup(Box::new(cgroups)));
        }
    }

    /// Samples what threads do with their time, as far as that is shown.
    pub(super) fn sample_threads(&mut self) {
        match self.samplers.threads {
            SampledThreads::None => {}
            SampledThreads::Readers => self.sample_readers(),
            SampledThreads::All => self.sample_all_threads(),
        }
    }

    fn sample_all_threads(&mut self) {
        let now = self.clock.moment();
        let mut publication = self.publisher.begin();
        for &pid in self.processes.running() {
            for task in thread_sampler::tasks(pid) {
                let tid = task.tid.unsigned_abs();
                let name = self.host.thread(tid);
                let counters = self.probes.thread(tid);
                let used = thread_sampler::of(name, &task, counters.as_ref(), now.monotonic_ns);
                if let Some(used) = used {
                    publication.publish(now, Update::ThreadUse(Box::new(used)));
                }
            }
        }
    }

    fn sample_readers(&mut self) {
        let now = self.clock.moment();
        let mut publication = self.publisher.begin();
        let readers = self.sockets.readers().map(|(id, tid)| (id.pid, tid));
        let readers: BTreeSet<(u32, u32)> = readers.collect();
        for (pid, tid) in readers {
            if let Some(counters) = self.probes.thread(tid) {
                let name = self.host.thread(tid);
                let used = thread_sampler::of_reader(name, pid, &counters, now.monotonic_ns);
                publication.publish(now, Update::ThreadUse(Box::new(used)));
            }
        }
    }
}
