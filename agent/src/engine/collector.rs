//! From the ring to the model and the outputs.

use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    os::fd::{AsFd as _, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use agent_common::{ProbeCounter, ThreadState, receive_flags};

use crate::{
    attribution::{Blame, Told},
    cli::Watch,
    domain::{Capability, Health, Hook, Input, ProbeCost, ProcessFacts},
    events::Event,
    host::Host,
    join::{
        account::Joined,
        clock::{RunTime, UtcClock},
    },
    kernel::{ProbeError, Probes},
    kube::Kube,
    model::{Model, Summary},
    outputs::{OutputError, Outputs, top::View},
    recording::{Recorder, WriteError, Written},
    streams::{Fact, Filter, Sessions},
    targets::discovery::Decision,
};

use super::{
    holders::Holders, names::Names, own_use::own_use, processes::Processes, quotas::Quotas,
    tell::Tell, thread_use, threads::LockWaits,
};
use crate::targets::found::{Found, Settled};

/// Owns everything between the probes and the outputs.
pub(super) struct Collector {
    probes: Probes,
    sessions: Sessions,
    clock: UtcClock<RunTime>,
    model: Arc<Mutex<Model>>,
    recorder: Option<Recorder>,
    /// As told to the model last.
    health: Health,
    lock_waits: LockWaits,
    blame: Blame,
    names: Names,
    processes: Processes,
    quotas: Quotas,
    /// The processes that run.
    pids: Vec<NonZeroU32>,
    /// Whether the model is to be told what their threads do.
    threads_told: bool,
    /// Whether it is to be told of those that read sessions, at the least: exemplars name them.
    readers_told: bool,
    /// `None`: not asked for.
    holders: Option<Holders>,
    /// `None`: the processes were given.
    found: Option<Found>,
    /// Those the model was told of.
    introduced: BTreeSet<u32>,
    malformed: u64,
    unmatched: u64,
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
        arguments: &Watch,
        time: RunTime,
        model: Arc<Mutex<Model>>,
        recorder: Option<Recorder>,
        names: Names,
        found: Option<Found>,
    ) -> Self {
        let sessions = Sessions::new(Filter {
            port: arguments.port,
            by_function: arguments.handoff.is_some() && found.is_none(),
        });
        let mut collector = Self {
            probes,
            sessions,
            clock: UtcClock::new(time),
            model,
            recorder,
            health: Health::default(),
            lock_waits: LockWaits::default(),
            blame: Blame::default(),
            names,
            processes: Processes::default(),
            quotas: Quotas::default(),
            pids: arguments.pids.clone(),
            threads_told: false,
            readers_told: false,
            holders: (!arguments.no_stacks).then(Holders::default),
            found,
            introduced: BTreeSet::new(),
            malformed: 0,
            unmatched: 0,
            ring_high_water: 0,
            threads_gone: BTreeSet::new(),
            ends_lost: (0, 0),
            lives_lost: false,
        };
        collector.health.capabilities = collector
            .probes
            .capabilities()
            .iter()
            .map(|(name, how)| Capability {
                name: (*name).to_owned(),
                hook: match how.strip_prefix("not observable: ") {
                    Some(why) => Hook::Absent(why.to_owned()),
                    None => Hook::Chosen(how.clone()),
                },
            })
            .collect();
        collector
    }

    /// A panic elsewhere leaves figures that are still the best there are.
    fn lock(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A descriptor that is readable when the probes press.
    pub(super) fn ring_fd(&mut self) -> Result<OwnedFd, OutputError> {
        let ring = self.probes.ring().as_fd().try_clone_to_owned();
        ring.map_err(OutputError::Failed)
    }

    /// From now on processes are told with the names that the API knows.
    pub(super) fn ask_for_names(&mut self, kube: Kube) {
        self.processes = Processes::new(kube);
    }

    /// From now on tells what the threads of the watched processes do, too.
    pub(super) const fn tell_of_threads(&mut self) {
        self.threads_told = true;
    }

    /// From now on tells of the threads that read sessions, at the least.
    pub(super) const fn tell_of_readers(&mut self) {
        self.readers_told = true;
    }

    /// The wall clock was set: what arrives from now on has another UTC.
    pub(super) fn clock_set(&mut self) {
        self.clock.track();
    }

    /// Takes in what waits in the ring.
    pub(super) fn drain(&mut self, outputs: &mut Outputs) -> Result<(), OutputError> {
        self.clock.track();
        let mut bytes = 0;
        let Self {
            probes,
            sessions,
            clock,
            model,
            recorder,
            lock_waits,
            blame,
            names,
            holders,
            found,
            processes,
            malformed,
            unmatched,
            ..
        } = self;
        let kube = processes.kube();
        let mut model = model.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tell = Tell::new(clock.moment(), &mut model, outputs, recorder.as_mut());
        let mut call_hook = false;
        loop {
            let Some(record) = probes.ring().next() else {
                break;
            };
            bytes += record.len() as u64;
            match Event::decode(&record) {
                Ok(Event::SleepEnded(waited)) => {
                    if waited.state == ThreadState::LockWait as u32
                        && let Some(holders) = holders
                    {
                        holders.slept(waited.tid, waited.from_ns, waited.to_ns);
                    }
                    blame.waited(&waited, names, &mut |told| tell.input(wait(told)));
                }
                Ok(Event::CpuTurns(block)) => blame.switched(&block),
                Ok(Event::RunQueueWait(queued)) => {
                    blame.queued(&queued, names, &mut |told| tell.input(wait(told)));
                }
                Ok(event) => {
                    call_hook |= wants_call_hook(&event);
                    let ended = match &event {
                        Event::ThreadExited(exit) => Some(exit.tid),
                        _ => None,
                    };
                    sessions.handle(event, clock, &mut |fact| {
                        if is_admitted(found, &fact, names, kube)
                            && let Some(input) = apply(fact, blame, lock_waits, unmatched)
                        {
                            tell.input(input);
                        }
                    });
                    if let Some(tid) = ended {
                        blame.forget(tid);
                        if let Some(holders) = holders {
                            holders.forget(tid);
                        }
                    }
                }
                Err(_) => *malformed += 1,
            }
            drop(record);
            probes.hand_over(sessions.header_bytes());
        }
        let told = tell.told();
        drop(model);
        if let Some(recorder) = recorder {
            recorder.hand_over();
        }
        if call_hook {
            self.follow_calls();
        }
        self.ring_high_water = self.ring_high_water.max(bytes);
        told
    }

    /// Watches the entry of system calls from now on.
    fn follow_calls(&mut self) {
        match self.probes.follow_calls() {
            Ok(true) => self.sessions.entries_watched(self.clock.monotonic()),
            Ok(false) => {}
            Err(error) => eprintln!(
                "tag52: the messages of a recvmmsg, and waits that do not sleep, are not seen: {error}"
            ),
        }
    }

    /// Looks at the readers of sessions whose window is closed.
    pub(super) fn look_at_starving_readers(&mut self) {
        let readers: Vec<u32> = self.sessions.closed_window_readers().collect();
        for tid in readers {
            let now = self.clock.monotonic();
            if let Some(snapshot) = self.probes.snapshot(tid, now) {
                self.sessions.seen(snapshot);
            }
        }
    }

    /// Looks for readers that have waited for a lock for so long that nothing was told of it yet.
    pub(super) fn look_for_waiters(&mut self) {
        let Some(holders) = &mut self.holders else {
            return;
        };
        let mut readers: Vec<u32> = self.sessions.readers().map(|(_, tid)| tid).collect();
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
            holders.look(&self.probes, &mut self.blame, &mut self.names.0, now);
        }
    }

    /// Follows the processes that were found to read FIX since the last call, or leaves them alone.
    pub(super) fn settle_found(&mut self, outputs: &mut Outputs) {
        self.attach_found();
        let Some(found) = &mut self.found else {
            return;
        };
        let settled = found.settled(&self.names.0, self.processes.kube());
        for Settled {
            pid,
            decision,
            first,
        } in settled
        {
            let ended = |found: &Found| first && !found.follow(pid);
            if self.found.as_ref().is_some_and(ended) {
                if decision != Decision::Follow {
                    self.leave_out(pid);
                }
                self.process_ended(pid, outputs);
                continue;
            }
            match decision {
                Decision::Wait => {}
                Decision::Follow => self.follow(pid),
                Decision::Leave => self.leave(pid),
            }
        }
    }

    fn follow(&mut self, pid: NonZeroU32) {
        self.names.0.prepare_aside(pid.get());
        self.pids.push(pid);
        // Who reads that a process is followed may count on its hand-offs.
        if !self
            .found
            .as_ref()
            .is_some_and(|found| found.look_for_function(pid))
        {
            self.say_followed(pid);
        }
    }

    fn say_followed(&mut self, pid: NonZeroU32) {
        let comm = self.names.0.thread(pid.get()).comm;
        eprintln!("tag52: pid {pid} ({comm}) reads FIX");
    }

    /// Attaches to the function of `--handoff` in processes that were looked through since the last
    /// call.
    fn attach_found(&mut self) {
        while let Some((pid, function, place)) = self.found.as_ref().and_then(Found::function_found)
        {
            // It ended meanwhile, and that was said.
            if !self.pids.contains(&pid) {
                continue;
            }
            let attached =
                place.and_then(|place| self.probes.attach_function(pid, &function, &place));
            match attached {
                Ok(()) => self.sessions.follow_function(pid.get()),
                Err(error) => eprintln!(
                    "tag52: pid {pid} hands off when it next reads or waits: --handoff: {error}"
                ),
            }
            self.say_followed(pid);
        }
    }

    fn leave(&mut self, pid: NonZeroU32) {
        if let Err(error) = self.probes.leave(pid) {
            eprintln!("tag52: pid {pid}, which is not selected, costs as if it were: {error}");
        }
        self.leave_out(pid);
    }

    /// Forgets and counts its streams: one at the least, whose message it was decided on by, though
    /// that may be closed by now.
    fn leave_out(&mut self, pid: NonZeroU32) {
        let streams = self.sessions.leave(pid.get()).max(1);
        if let Some(found) = &mut self.found {
            found.discovery.left_out(streams);
        }
    }

    /// Tells of processes that have just begun to read a session, and reads their cgroups.
    pub(super) fn look_at_new_processes(&mut self, outputs: &mut Outputs) {
        let pids = self.pids();
        let fresh: Vec<_> = pids
            .into_iter()
            .filter(|&pid| self.introduced.insert(pid))
            .collect();
        let renamed = self.processes.renamed();
        if !renamed.is_empty() {
            self.tell_of_processes(renamed, outputs);
        }
        if fresh.is_empty() {
            return;
        }
        let introduced = self.processes.introduce(&fresh, &self.names.0);
        self.tell_of_processes(introduced, outputs);
        self.look_at_quotas(&fresh, outputs);
    }

    /// Tells who these processes are.
    fn tell_of_processes(&mut self, all: Vec<ProcessFacts>, outputs: &mut Outputs) {
        let now = self.clock.moment();
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tell = Tell::new(now, &mut model, outputs, self.recorder.as_mut());
        for facts in all {
            tell.input(Input::Process(Box::new(facts)));
        }
    }

    /// The processes that read a session.
    fn pids(&self) -> Vec<u32> {
        let mut pids: Vec<_> = self.sessions.readers().map(|(id, _)| id.pid).collect();
        pids.sort_unstable();
        pids.dedup();
        if let Some(found) = &self.found {
            pids.retain(|&pid| found.discovery.decided(pid) == Some(Decision::Follow));
        }
        pids
    }

    fn look_at_quotas(&mut self, pids: &[u32], outputs: &mut Outputs) {
        let now = self.clock.moment();
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tell = Tell::new(now, &mut model, outputs, self.recorder.as_mut());
        for &pid in pids {
            if let Some((cgroups, ran_out)) = self.quotas.look(pid, &self.names) {
                if let Some(path) = ran_out {
                    self.blame
                        .ran_out(pid, &path, &mut self.names, &mut |told| {
                            tell.input(wait(told));
                        });
                }
                tell.input(Input::Cgroup(Box::new(cgroups)));
            }
        }
    }

    /// A watched process has ended.
    pub(super) fn process_ended(&mut self, pid: NonZeroU32, outputs: &mut Outputs) {
        let followed = self.pids.contains(&pid);
        self.pids.retain(|&watched| watched != pid);
        if followed {
            eprintln!("tag52: pid {pid} has ended");
        }
        let number = pid.get();
        self.processes.forget(number);
        if self.introduced.remove(&number) {
            let now = self.clock.moment();
            let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
            Tell::new(now, &mut model, outputs, self.recorder.as_mut())
                .input(Input::ProcessEnded(number));
        }
        self.blame.process_ended(number);
        if let Some(found) = &mut self.found {
            found.discovery.ended(number);
        }
        if let Err(error) = self.probes.unwatch(pid) {
            eprintln!("tag52: whoever gets pid {pid} next is watched too: {error}");
        }
    }

    /// Tells of the interval that ends now.
    pub(super) fn interval(&mut self, outputs: &mut Outputs) -> Result<(), OutputError> {
        self.read_threads(outputs);
        self.read_health(outputs);
        self.tidy(outputs);
        let now = self.clock.moment();
        let interval = self.lock().take_interval(now);
        if let Some(recorder) = &mut self.recorder {
            recorder.interval(now);
        }
        outputs.interval(&interval)
    }

    /// Forgets what nothing will be told of any more; what was lost on the way must not stay for
    /// ever either.
    fn tidy(&mut self, outputs: &mut Outputs) {
        let now = self.clock.moment();
        self.blame.tidy(now.monotonic_ns);
        let tids: BTreeSet<u32> = self.blame.tids().collect();
        let gone = tids
            .into_iter()
            .filter(|&tid| self.probes.thread(tid).is_none());
        let gone: BTreeSet<u32> = gone.collect();
        // Those that were gone the last time already: what they did last has been told by now.
        for tid in gone.intersection(&self.threads_gone) {
            self.blame.forget(*tid);
        }
        self.threads_gone = gone;
        if std::mem::take(&mut self.lives_lost) {
            self.keep_sockets(outputs);
        }
    }

    /// Records of sockets that were closed have been lost: looks which are there.
    fn keep_sockets(&mut self, outputs: &mut Outputs) {
        let there = match self.probes.sockets() {
            Ok(there) => there,
            Err(error) => {
                eprintln!("tag52: sessions that have ended may seem open: {error}");
                return;
            }
        };
        let now = self.clock.moment();
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tell = Tell::new(now, &mut model, outputs, self.recorder.as_mut());
        let (lock_waits, unmatched) = (&mut self.lock_waits, &mut self.unmatched);
        let blame = &self.blame;
        let (found, names) = (&mut self.found, &self.names);
        let kube = self.processes.kube();
        self.sessions.keep(&there, now.monotonic_ns, &mut |fact| {
            if is_admitted(found, &fact, names, kube)
                && let Some(input) = apply(fact, blame, lock_waits, unmatched)
            {
                tell.input(input);
            }
        });
    }

    /// What the live view shows now.
    pub(super) fn view(&self, watched: &str) -> View {
        View::of(&self.lock(), watched)
    }

    /// Takes in the rest, and adds up the whole run.
    pub(super) fn finish(&mut self, outputs: &mut Outputs) -> Result<Summary, OutputError> {
        self.read_health(outputs);
        let now = self.clock.moment();
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tell = Tell::new(now, &mut model, outputs, self.recorder.as_mut());
        let (lock_waits, unmatched) = (&mut self.lock_waits, &mut self.unmatched);
        let blame = &self.blame;
        let (found, names) = (&mut self.found, &self.names);
        let kube = self.processes.kube();
        self.sessions.ended(now.monotonic_ns, &mut |fact| {
            if is_admitted(found, &fact, names, kube)
                && let Some(input) = apply(fact, blame, lock_waits, unmatched)
            {
                tell.input(input);
            }
        });
        let told = tell.told();
        if let Some(recorder) = &mut self.recorder {
            recorder.end(now);
        }
        told?;
        outputs.rest(&mut model, now)
    }

    /// Ends the recording, if there is one.
    pub(super) fn close_recording(&mut self) -> Option<Result<Written, WriteError>> {
        self.recorder.take().map(Recorder::close)
    }

    /// Tells the model what the threads of the watched processes do, where that is wanted.
    fn read_threads(&mut self, outputs: &mut Outputs) {
        if !self.threads_told {
            if self.readers_told {
                self.read_readers(outputs);
            }
            return;
        }
        let now = self.clock.moment();
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tell = Tell::new(now, &mut model, outputs, self.recorder.as_mut());
        for &pid in &self.pids {
            for task in thread_use::tasks(pid) {
                let tid = task.tid.unsigned_abs();
                let name = self.names.0.thread(tid);
                let counters = self.probes.thread(tid);
                let told = thread_use::of(name, &task, counters.as_ref(), now.monotonic_ns);
                if let Some(told) = told {
                    tell.input(Input::ThreadUse(Box::new(told)));
                }
            }
        }
    }

    /// The same of the threads that read sessions only, which costs next to nothing.
    fn read_readers(&mut self, outputs: &mut Outputs) {
        let now = self.clock.moment();
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tell = Tell::new(now, &mut model, outputs, self.recorder.as_mut());
        let readers: BTreeSet<(u32, u32)> = self
            .sessions
            .readers()
            .map(|(id, tid)| (id.pid, tid))
            .collect();
        for (pid, tid) in readers {
            if let Some(counters) = self.probes.thread(tid) {
                let name = self.names.0.thread(tid);
                let told = thread_use::of_reader(name, pid, &counters, now.monotonic_ns);
                tell.input(Input::ThreadUse(Box::new(told)));
            }
        }
    }

    /// Brings the model's account of the agent itself up to date.
    fn read_health(&mut self, outputs: &mut Outputs) {
        let pids = self.pids();
        self.quotas.keep(&pids);
        self.look_at_quotas(&pids, outputs);
        let counts = self.probes.counts();
        let costs = self.probes.cost();
        let (missed, made_up_for) = self.probes.missed_runs();
        if let Err(error) = made_up_for {
            eprintln!("tag52: receive calls the kernel left out stay unseen: {error}");
        }
        let now = self.clock.moment();
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tell = Tell::new(now, &mut model, outputs, self.recorder.as_mut());
        for (session, tid) in self.sessions.readers() {
            if let Some(thread) = self.probes.thread(tid) {
                let facts = self.lock_waits.look(session, tid, &thread);
                tell.input(Input::Threads(Arc::clone(session), facts));
            }
        }
        for (session, facts) in self.sessions.windows() {
            if facts.closed > 0 {
                tell.input(Input::Window(Arc::clone(session), facts));
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
                        so_far.not_selected = found.discovery.not_selected();
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
        health.set_lost("socket_unregistered", self.sessions.stray());
        health.set_anomaly("hand_off_unmatched", self.unmatched);
        health.set_anomaly("clock_steps", self.clock.steps());
        let host = self.names.0.counts();
        for (kind, times) in host.named() {
            health.set_anomaly(kind, times);
        }
        if let Some(holders) = &self.holders {
            let missed = holders.missed;
            health.set_anomaly("holder_unknown", missed.unknown);
            health.set_anomaly("holder_sample_late", missed.late);
            let crowded = missed.crowded + self.blame.looks_dropped();
            health.set_anomaly("holder_samples_dropped", crowded);
        }
        say_functions(health, self.holders.is_some(), &self.names.0);
        health.ring_high_water_bytes = self.ring_high_water;
        health.kube = self.processes.kube().map(Kube::health);
        health.own = own_use();
        health.probes = costs
            .into_iter()
            .map(|run| ProbeCost {
                name: run.name,
                runs: run.runs,
                run_time_ns: u64::try_from(run.time.as_nanos()).unwrap_or(u64::MAX),
            })
            .collect();
        tell.input(Input::Health(Box::new(health.clone())));
    }
}

/// Whether the functions of holders are told, and why not.
fn say_functions(health: &mut Health, asked: bool, host: &Host) {
    const NAME: &str = "functions of holders";
    let why: Vec<&str> = host.refusals().collect();
    let hook = match (asked, why.is_empty()) {
        (false, _) => Hook::Absent("--no-stacks".to_owned()),
        (true, true) => Hook::Chosen("process_vm_readv (CPython 3.11 to 3.13)".to_owned()),
        (true, false) => Hook::Absent(why.join("; ")),
    };
    let known = health.capabilities.iter_mut().find(|c| c.name == NAME);
    match known {
        Some(known) => known.hook = hook,
        None => health.capabilities.push(Capability {
            name: NAME.to_owned(),
            hook,
        }),
    }
}

fn wants_call_hook(event: &Event<'_>) -> bool {
    matches!(event, Event::BytesReceived(recv, _) if recv.flags & receive_flags::SYS_ENTER_WANTED != 0)
}

fn wait(told: Told) -> Input {
    match told {
        Told::Culprit(id, culprit) => Input::Culprit(id, culprit),
        Told::Gone(id) => Input::CulpritGone(id),
        Told::Wait(wait) => Input::Wait(wait),
        Told::Sample(sample) => Input::Sample(Box::new(sample)),
    }
}

/// Whether the model is to be told of a fact at all: of every one where the processes were given.
fn is_admitted(found: &mut Option<Found>, fact: &Fact, names: &Names, kube: Option<&Kube>) -> bool {
    found
        .as_mut()
        .is_none_or(|found| found.admits(fact, &names.0, kube))
}

/// What the model is to be told of a fact.
fn apply(
    fact: Fact,
    blame: &Blame,
    lock_waits: &mut LockWaits,
    unmatched: &mut u64,
) -> Option<Input> {
    Some(match fact {
        Fact::Message(joined) => {
            let Joined {
                mut message,
                held_back_from,
            } = *joined;
            blame.charge(&mut message, held_back_from);
            Input::Message(Box::new(message))
        }
        Fact::Window(session, facts) => Input::Window(session, facts),
        Fact::Excluded(session, why) => Input::Excluded(session, why),
        Fact::Tap(session, delta) => Input::Tap(session, delta),
        Fact::Ended(session) => {
            lock_waits.forget(&session);
            Input::Ended(session)
        }
        Fact::Unmatched(messages) => {
            *unmatched += messages;
            return None;
        }
    })
}
