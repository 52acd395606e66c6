//! From the ring to the model and the outputs.

use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

use agent_common::{ProbeCounter, ThreadState, receive_flags};

use crate::{
    attribution::Attribution,
    clock::{RunClocks, UtcClock},
    domain::{Availability, Capability, Health, ProcessInfo, Update},
    events::Event,
    host::Host,
    join::{SocketFilter, SocketTable},
    kernel::{ProbeError, Probes},
    kube::PodDirectory,
    model::Summary,
    outputs::{OutputError, top::ScreenData},
    pipeline::{Publisher, Sink as _},
    recording::{Recorder, WriteError, Written},
    targets::discovery::Decision,
};

use super::{
    config::Config, holders::Holders, names::Names, own_use::own_use, processes::Processes,
    quotas::Quotas, thread_use, threads::LockWaits,
};
use crate::targets::discovered::{DecidedProcess, DiscoveredProcesses};

/// Owns everything between the probes and the outputs.
pub(super) struct Collector {
    probes: Probes,
    sockets: SocketTable,
    clock: UtcClock<RunClocks>,
    publisher: Publisher<Recorder>,
    /// As it was published last.
    health: Health,
    lock_waits: LockWaits,
    attribution: Attribution,
    names: Names,
    processes: Processes,
    quotas: Quotas,
    /// The processes that run.
    pids: Vec<NonZeroU32>,
    /// Whether the model is to be told what their threads do.
    publishes_threads: bool,
    /// Whether it is to be told of those that read sessions, at the least: exemplars name them.
    publishes_readers: bool,
    /// `None`: not asked for.
    holders: Option<Holders>,
    /// `None`: the processes were given.
    found: Option<DiscoveredProcesses>,
    /// Those the model was told of.
    introduced: BTreeSet<u32>,
    malformed: u64,
    ring_high_water: u64,
    /// Threads of which something was known that the probes know no longer.
    threads_gone: BTreeSet<u32>,
    /// Records of sockets or threads that came or went, and runs of probes, as last told.
    ends_lost: (u64, u64),
    /// More of them since it was looked what is there.
    lives_lost: bool,
}

impl Collector {
    pub(super) fn new(
        probes: Probes,
        config: &Config,
        time: RunClocks,
        publisher: Publisher<Recorder>,
        names: Names,
        found: Option<DiscoveredProcesses>,
    ) -> Self {
        let sockets = SocketTable::new(SocketFilter {
            port: config.port,
            hand_off_function: config.handoff.is_some() && found.is_none(),
        });
        let mut collector = Self {
            probes,
            sockets,
            clock: UtcClock::new(time),
            publisher,
            health: Health::default(),
            lock_waits: LockWaits::default(),
            attribution: Attribution::default(),
            names,
            processes: Processes::default(),
            quotas: Quotas::default(),
            pids: config.pids().to_vec(),
            publishes_threads: false,
            publishes_readers: false,
            holders: config.sample_holders.then(Holders::default),
            found,
            introduced: BTreeSet::new(),
            malformed: 0,
            ring_high_water: 0,
            threads_gone: BTreeSet::new(),
            ends_lost: (0, 0),
            lives_lost: false,
        };
        collector.health.capabilities = collector.probes.capabilities().to_vec();
        collector
    }

    /// A descriptor that is readable when the probes press.
    pub(super) fn ring_fd(&mut self) -> Result<OwnedFd, OutputError> {
        let ring = self.probes.ring().as_fd().try_clone_to_owned();
        ring.map_err(OutputError::Failed)
    }

    /// From now on processes are told with the names that the API knows.
    pub(super) fn resolve_pods(&mut self, kube: PodDirectory) {
        self.processes = Processes::new(kube);
    }

    /// From now on tells what the threads of the watched processes do, too.
    pub(super) const fn publish_threads(&mut self) {
        self.publishes_threads = true;
    }

    /// From now on tells of the threads that read sessions, at the least.
    pub(super) const fn publish_readers(&mut self) {
        self.publishes_readers = true;
    }

    /// The wall clock was set: what arrives from now on has another UTC.
    pub(super) fn clock_set(&mut self) {
        self.clock.track();
    }

    /// Takes in what waits in the ring.
    pub(super) fn drain(&mut self) -> Result<(), OutputError> {
        self.clock.track();
        let mut bytes = 0;
        let Self {
            probes,
            sockets,
            clock,
            publisher,
            lock_waits,
            attribution,
            names,
            holders,
            found,
            processes,
            malformed,
            ..
        } = self;
        let kube = processes.kube();
        let now = clock.moment();
        let mut publication = publisher.begin();
        let mut call_hook = false;
        loop {
            let Some(record) = probes.ring().next() else {
                break;
            };
            bytes += record.len() as u64;
            let mut publish = |update| publication.publish(now, update);
            match Event::decode(&record) {
                Ok(Event::SleepEnded(waited)) => {
                    if waited.state == ThreadState::LockWait as u32
                        && let Some(holders) = holders
                    {
                        holders.slept(waited.tid, waited.from_ns, waited.to_ns);
                    }
                    attribution.sleep_ended(&waited, names, &mut publish);
                }
                Ok(Event::CpuTurns(block)) => attribution.cpu_turns(&block),
                Ok(Event::RunQueueWait(queued)) => {
                    attribution.run_queue_wait_ended(&queued, names, &mut publish);
                }
                Ok(event) => {
                    call_hook |= wants_call_hook(&event);
                    let ended = match &event {
                        Event::ThreadExited(exit) => Some(exit.tid),
                        _ => None,
                    };
                    sockets.handle(event, clock, &mut |update| {
                        if is_admitted(found, &update, names, kube) {
                            lock_waits.forget_ended(&update);
                            publish(attribution.with_charges(update));
                        }
                    });
                    if let Some(tid) = ended {
                        attribution.thread_ended(tid);
                        if let Some(holders) = holders {
                            holders.forget(tid);
                        }
                    }
                }
                Err(_) => *malformed += 1,
            }
            drop(record);
            probes.set_slice_limit(sockets.header_budget_bytes());
        }
        drop(publication);
        publisher.flush_recording();
        if call_hook {
            self.watch_syscalls();
        }
        self.ring_high_water = self.ring_high_water.max(bytes);
        self.publisher.check()
    }

    /// Watches the entry of system calls from now on.
    fn watch_syscalls(&mut self) {
        match self.probes.watch_syscalls() {
            Ok(true) => self
                .sockets
                .syscall_entries_observed_from(self.clock.monotonic()),
            Ok(false) => {}
            Err(error) => log::warn!(
                "the messages of a recvmmsg, and waits that do not sleep, are not seen: {error}"
            ),
        }
    }

    /// Looks at the readers of sessions whose window is closed.
    pub(super) fn look_at_starving_readers(&mut self) {
        let readers: Vec<u32> = self.sockets.closed_window_readers().collect();
        for tid in readers {
            let now = self.clock.monotonic();
            if let Some(snapshot) = self.probes.snapshot(tid, now) {
                self.sockets.reader_sampled(snapshot);
            }
        }
    }

    /// Looks for readers that have waited for a lock for so long that nothing was told of it yet.
    pub(super) fn look_for_waiters(&mut self) {
        let Some(holders) = &mut self.holders else {
            return;
        };
        let mut readers: Vec<u32> = self.sockets.readers().map(|(_, tid)| tid).collect();
        readers.sort_unstable();
        readers.dedup();
        holders.sweep(&readers, &self.probes, self.clock.monotonic());
    }

    /// Whether somebody has waited for a lock a short while ago: then its holder is worth a look,
    /// often.
    pub(super) fn wants_to_see_holders(&self) -> bool {
        self.holders.as_ref().is_some_and(Holders::are_worth_a_look)
    }

    /// Looks at what the holders of locks are doing.
    pub(super) fn look_at_holders(&mut self) {
        let now = self.clock.monotonic();
        if let Some(holders) = &mut self.holders {
            holders.look(&self.probes, &mut self.attribution, &mut self.names.0, now);
        }
    }

    /// Follows the processes that were found to read FIX since the last call, or leaves them alone.
    pub(super) fn settle_found(&mut self) {
        self.attach_found();
        let Some(found) = &mut self.found else {
            return;
        };
        let settled = found.take_decided(&self.names.0, self.processes.kube());
        for DecidedProcess {
            pid,
            decision,
            first,
        } in settled
        {
            let ended = |found: &DiscoveredProcesses| first && !found.watch_exit(pid);
            if self.found.as_ref().is_some_and(ended) {
                if decision != Decision::Follow {
                    self.leave_out(pid);
                }
                self.process_ended(pid);
                continue;
            }
            match decision {
                Decision::Undecided => {}
                Decision::Follow => self.follow(pid),
                Decision::Exclude => self.leave(pid),
            }
        }
    }

    fn follow(&mut self, pid: NonZeroU32) {
        self.names.0.find_runtime_in_background(pid.get());
        self.pids.push(pid);
        // Who reads that a process is followed may count on its hand-offs.
        if !self
            .found
            .as_ref()
            .is_some_and(|found| found.search_function(pid))
        {
            self.say_followed(pid);
        }
    }

    fn say_followed(&mut self, pid: NonZeroU32) {
        let comm = self.names.0.thread(pid.get()).comm;
        log::info!("pid {pid} ({comm}) reads FIX");
    }

    /// Attaches to the function of `--handoff` in processes that were looked through since the last
    /// call.
    fn attach_found(&mut self) {
        while let Some((pid, function, place)) = self
            .found
            .as_ref()
            .and_then(DiscoveredProcesses::next_function)
        {
            // It ended meanwhile, and that was said.
            if !self.pids.contains(&pid) {
                continue;
            }
            let attached =
                place.and_then(|place| self.probes.attach_function(pid, &function, &place));
            match attached {
                Ok(()) => self.sockets.hand_off_function_attached(pid.get()),
                Err(error) => log::warn!(
                    "pid {pid} hands off when it next reads or waits: --handoff: {error}"
                ),
            }
            self.say_followed(pid);
        }
    }

    fn leave(&mut self, pid: NonZeroU32) {
        if let Err(error) = self.probes.exclude(pid) {
            log::warn!("pid {pid}, which is not selected, costs as if it were: {error}");
        }
        self.leave_out(pid);
    }

    /// Forgets and counts its streams: one at the least, whose message it was decided on by, though
    /// that may be closed by now.
    fn leave_out(&mut self, pid: NonZeroU32) {
        let streams = self.sockets.exclude_process(pid.get()).max(1);
        if let Some(found) = &mut self.found {
            found.decisions.exclude_streams(streams);
        }
    }

    /// Tells of processes that have just begun to read a session, and reads their cgroups.
    pub(super) fn look_at_new_processes(&mut self) {
        let pids = self.pids();
        let fresh: Vec<_> = pids
            .into_iter()
            .filter(|&pid| self.introduced.insert(pid))
            .collect();
        let renamed = self.processes.renamed();
        if !renamed.is_empty() {
            self.publish_processes(renamed);
        }
        if fresh.is_empty() {
            return;
        }
        let introduced = self.processes.introduce(&fresh, &self.names.0);
        self.publish_processes(introduced);
        self.look_at_quotas(&fresh);
    }

    /// Tells who these processes are.
    fn publish_processes(&mut self, all: Vec<ProcessInfo>) {
        let now = self.clock.moment();
        let mut publication = self.publisher.begin();
        for facts in all {
            publication.publish(now, Update::Process(Box::new(facts)));
        }
    }

    /// The processes that read a session.
    fn pids(&self) -> Vec<u32> {
        let mut pids: Vec<_> = self.sockets.readers().map(|(id, _)| id.pid).collect();
        pids.sort_unstable();
        pids.dedup();
        if let Some(found) = &self.found {
            pids.retain(|&pid| found.decisions.decided(pid) == Some(Decision::Follow));
        }
        pids
    }

    fn look_at_quotas(&mut self, pids: &[u32]) {
        let now = self.clock.moment();
        let mut publication = self.publisher.begin();
        for &pid in pids {
            if let Some((cgroups, ran_out)) = self.quotas.look(pid, &self.names) {
                if let Some(path) = ran_out {
                    self.attribution
                        .quota_exhausted(pid, &path, &mut self.names, &mut |update| {
                            publication.publish(now, update);
                        });
                }
                publication.publish(now, Update::Cgroup(Box::new(cgroups)));
            }
        }
    }

    /// A watched process has ended.
    pub(super) fn process_ended(&mut self, pid: NonZeroU32) {
        let followed = self.pids.contains(&pid);
        self.pids.retain(|&watched| watched != pid);
        if followed {
            log::info!("pid {pid} has ended");
        }
        let number = pid.get();
        self.processes.forget(number);
        if self.introduced.remove(&number) {
            let now = self.clock.moment();
            let mut publication = self.publisher.begin();
            publication.publish(now, Update::ProcessEnded(number));
        }
        self.attribution.process_ended(number);
        if let Some(found) = &mut self.found {
            found.decisions.ended(number);
        }
        if let Err(error) = self.probes.unwatch(pid) {
            log::warn!("whoever gets pid {pid} next is watched too: {error}");
        }
    }

    /// Ends an interval now.
    pub(super) fn interval(&mut self) -> Result<(), OutputError> {
        self.read_threads();
        self.read_health();
        self.tidy();
        let now = self.clock.moment();
        self.publisher.begin().publish(now, Update::IntervalEnded);
        self.publisher.check()
    }

    /// Forgets what nothing will be told of any more; what was lost on the way must not stay for
    /// ever either.
    fn tidy(&mut self) {
        let now = self.clock.moment();
        self.attribution.forget_before(now.monotonic_ns);
        let tids: BTreeSet<u32> = self.attribution.tids().collect();
        let gone = tids
            .into_iter()
            .filter(|&tid| self.probes.thread(tid).is_none());
        let gone: BTreeSet<u32> = gone.collect();
        // Those that were gone the last time already: what they did last has been told by now.
        for tid in gone.intersection(&self.threads_gone) {
            self.attribution.thread_ended(*tid);
        }
        self.threads_gone = gone;
        if std::mem::take(&mut self.lives_lost) {
            self.keep_sockets();
        }
    }

    /// Records of sockets that were closed have been lost: looks which are there.
    fn keep_sockets(&mut self) {
        let there = match self.probes.sockets() {
            Ok(there) => there,
            Err(error) => {
                log::warn!("sessions that have ended may seem open: {error}");
                return;
            }
        };
        let now = self.clock.moment();
        let mut publication = self.publisher.begin();
        let (lock_waits, attribution) = (&mut self.lock_waits, &self.attribution);
        let (found, names) = (&mut self.found, &self.names);
        let kube = self.processes.kube();
        self.sockets
            .retain_sockets(&there, now.monotonic_ns, &mut |update| {
                if is_admitted(found, &update, names, kube) {
                    lock_waits.forget_ended(&update);
                    publication.publish(now, attribution.with_charges(update));
                }
            });
    }

    /// What the live view shows now.
    pub(super) fn view(&self, watched: &str) -> ScreenData {
        ScreenData::of(&self.publisher.lock(), watched)
    }

    /// Takes in the rest, and adds up the whole run.
    pub(super) fn end(&mut self) -> Result<Summary, OutputError> {
        self.read_health();
        let now = self.clock.moment();
        let mut publication = self.publisher.begin();
        let (lock_waits, attribution) = (&mut self.lock_waits, &self.attribution);
        let (found, names) = (&mut self.found, &self.names);
        let kube = self.processes.kube();
        self.sockets.close_all(now.monotonic_ns, &mut |update| {
            if is_admitted(found, &update, names, kube) {
                lock_waits.forget_ended(&update);
                publication.publish(now, attribution.with_charges(update));
            }
        });
        drop(publication);
        self.publisher.end(now)
    }

    /// Writes the summary.
    pub(super) fn finish(&mut self, summary: &Summary) -> Result<(), OutputError> {
        self.publisher.finish(summary)
    }

    /// Ends the recording, if there is one.
    pub(super) fn close_recording(&mut self) -> Option<Result<Written, WriteError>> {
        self.publisher.take_recording().map(Recorder::close)
    }

    /// Tells the model what the threads of the watched processes do, where that is wanted.
    fn read_threads(&mut self) {
        if !self.publishes_threads {
            if self.publishes_readers {
                self.read_readers();
            }
            return;
        }
        let now = self.clock.moment();
        let mut publication = self.publisher.begin();
        for &pid in &self.pids {
            for task in thread_use::tasks(pid) {
                let tid = task.tid.unsigned_abs();
                let name = self.names.0.thread(tid);
                let counters = self.probes.thread(tid);
                let used = thread_use::of(name, &task, counters.as_ref(), now.monotonic_ns);
                if let Some(used) = used {
                    publication.publish(now, Update::ThreadUse(Box::new(used)));
                }
            }
        }
    }

    /// The same of the threads that read sessions only, which costs next to nothing.
    fn read_readers(&mut self) {
        let now = self.clock.moment();
        let mut publication = self.publisher.begin();
        let readers: BTreeSet<(u32, u32)> = self
            .sockets
            .readers()
            .map(|(id, tid)| (id.pid, tid))
            .collect();
        for (pid, tid) in readers {
            if let Some(counters) = self.probes.thread(tid) {
                let name = self.names.0.thread(tid);
                let used = thread_use::of_reader(name, pid, &counters, now.monotonic_ns);
                publication.publish(now, Update::ThreadUse(Box::new(used)));
            }
        }
    }

    /// Brings the model's account of the agent itself up to date.
    fn read_health(&mut self) {
        let pids = self.pids();
        self.quotas.keep(&pids);
        self.look_at_quotas(&pids);
        let counts = self.probes.counters();
        let costs = self.probes.cost();
        let (missed, made_up_for) = self.probes.missed_runs();
        if let Err(error) = made_up_for {
            log::warn!("receive calls the kernel left out stay unseen: {error}");
        }
        let now = self.clock.moment();
        let mut publication = self.publisher.begin();
        for (session, tid) in self.sockets.readers() {
            if let Some(thread) = self.probes.thread(tid) {
                let facts = self.lock_waits.look(session, tid, &thread);
                publication.publish(now, Update::LockWaits(Arc::clone(session), facts));
            }
        }
        for (session, facts) in self.sockets.window_facts() {
            if facts.closed > 0 {
                publication.publish(now, Update::Window(Arc::clone(session), facts));
            }
        }
        let health = &mut self.health;
        match counts {
            Ok(counts) => {
                for (count, n) in counts {
                    if count == ProbeCounter::LifecycleLost && self.ends_lost.0 != n {
                        self.ends_lost.0 = n;
                        self.lives_lost = true;
                    }
                    if let (ProbeCounter::StreamFix | ProbeCounter::StreamNotFix, Some(found)) =
                        (count, &self.found)
                    {
                        let so_far = health.discovery.get_or_insert_default();
                        so_far.not_selected = found.decisions.not_selected();
                        match count {
                            ProbeCounter::StreamFix => {
                                so_far.fix = n.saturating_sub(so_far.not_selected);
                            }
                            _ => so_far.other = n,
                        }
                    } else if matches!(count, ProbeCounter::StreamFix | ProbeCounter::StreamNotFix)
                    {
                        // What to watch was given.
                    } else if count.is_loss() {
                        health.set_lost(count.name(), n);
                    } else {
                        health.set_anomaly(count.name(), n);
                    }
                }
            }
            Err(ProbeError::Map(_) | _) => health.anomaly("counters_unreadable", 1),
        }
        // Any of them may have been that of an end.
        if self.ends_lost.1 != missed {
            self.ends_lost.1 = missed;
            self.lives_lost = true;
        }
        health.set_lost("missed_run", missed);
        health.set_lost("malformed_record", self.malformed);
        health.set_lost("socket_unregistered", self.sockets.unregistered_records());
        health.set_anomaly("hand_off_unmatched", self.sockets.unmatched_hand_offs());
        health.set_anomaly("clock_steps", self.clock.steps());
        let host = self.names.0.counts();
        for (kind, times) in host.named() {
            health.set_anomaly(kind, times);
        }
        if let Some(holders) = &self.holders {
            let missed = holders.missed;
            health.set_anomaly("holder_unknown", missed.unknown);
            health.set_anomaly("holder_sample_late", missed.late);
            let crowded = missed.crowded + self.attribution.candidate_samples_dropped();
            health.set_anomaly("holder_samples_dropped", crowded);
        }
        say_functions(health, self.holders.is_some(), &self.names.0);
        health.ring_high_water_bytes = self.ring_high_water;
        health.kube = self.processes.kube().map(PodDirectory::health);
        health.own = own_use();
        health.probes = costs;
        publication.publish(now, Update::Health(Box::new(health.clone())));
    }
}

/// Whether the functions of holders are told, and why not.
fn say_functions(health: &mut Health, asked: bool, host: &Host) {
    const NAME: &str = "functions of holders";
    let why: Vec<&str> = host.unsupported_runtimes().collect();
    let hook = match (asked, why.is_empty()) {
        (false, _) => Availability::Unavailable("--no-stacks".to_owned()),
        (true, true) => {
            Availability::Observed("process_vm_readv (CPython 3.11 to 3.13)".to_owned())
        }
        (true, false) => Availability::Unavailable(why.join("; ")),
    };
    let known = health.capabilities.iter_mut().find(|c| c.name == NAME);
    match known {
        Some(known) => known.availability = hook,
        None => health.capabilities.push(Capability {
            name: NAME.to_owned(),
            availability: hook,
        }),
    }
}

fn wants_call_hook(event: &Event<'_>) -> bool {
    matches!(event, Event::BytesReceived(recv, _) if recv.flags & receive_flags::SYS_ENTER_WANTED != 0)
}

/// Whether an update is published: every one where the processes were given.
fn is_admitted(
    found: &mut Option<DiscoveredProcesses>,
    update: &Update,
    names: &Names,
    kube: Option<&PodDirectory>,
) -> bool {
    found
        .as_mut()
        .is_none_or(|found| found.admits(update, &names.0, kube))
}
