//! From the ring to the model and the outputs.

use std::{
    num::NonZeroU32,
    os::fd::{AsFd as _, OwnedFd},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use agent_common::recv_flags;

use crate::{
    cli::Watch,
    events::Event,
    join::clock::{RunTime, UtcClock},
    model::{Capability, Health, Hook, Input, Model, ProbeCost, Summary},
    outputs::{OutputError, Outputs, top::View},
    probes::{ProbeError, Probes},
    sessions::{Fact, Filter, Sessions},
};

use super::{cgroups::Cgroups, thread_use, threads::LockWaits};

/// Owns everything between the probes and the outputs.
pub(super) struct Collector {
    probes: Probes,
    sessions: Sessions,
    clock: UtcClock<RunTime>,
    model: Arc<Mutex<Model>>,
    /// As told to the model last.
    health: Health,
    lock_waits: LockWaits,
    /// The processes that run.
    pids: Vec<NonZeroU32>,
    /// Where their cgroups are; `None` unless they and the threads are to be told of.
    surroundings: Option<Cgroups>,
    malformed: u64,
    unmatched: u64,
    ring_high_water: u64,
}

impl Collector {
    pub(super) fn new(
        probes: Probes,
        arguments: &Watch,
        time: RunTime,
        model: Arc<Mutex<Model>>,
    ) -> Self {
        let sessions = Sessions::new(Filter {
            port: arguments.port,
            by_function: arguments.handoff.is_some(),
        });
        let mut collector = Self {
            probes,
            sessions,
            clock: UtcClock::new(time),
            model,
            health: Health::default(),
            lock_waits: LockWaits::default(),
            pids: arguments.pids.clone(),
            surroundings: None,
            malformed: 0,
            unmatched: 0,
            ring_high_water: 0,
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

    /// From now on tells of the threads and cgroups of the watched processes too.
    pub(super) fn look_around(&mut self) {
        self.surroundings = Some(Cgroups::find());
        self.read_surroundings();
    }

    /// The wall clock was set: what arrives from now on has another UTC.
    pub(super) fn clock_set(&mut self) {
        self.clock.track();
    }

    /// Takes in what waits in the ring.
    pub(super) fn drain(&mut self, outputs: &mut Outputs) -> Result<(), OutputError> {
        self.clock.track();
        let mut told = Ok(());
        let mut bytes = 0;
        let Self {
            probes,
            sessions,
            clock,
            model,
            lock_waits,
            malformed,
            unmatched,
            ..
        } = self;
        let mut model = model.lock().unwrap_or_else(PoisonError::into_inner);
        let now = clock.moment();
        let mut tell = |fact| {
            if let Some(input) = apply(fact, lock_waits, unmatched) {
                model.take(now, &input);
                if let Input::Message(message) = &input
                    && told.is_ok()
                {
                    told = outputs.message(message);
                }
            }
        };
        let mut call_hook = false;
        loop {
            let Some(record) = probes.ring().next() else {
                break;
            };
            bytes += record.len() as u64;
            match Event::decode(&record) {
                Ok(event) => {
                    call_hook |= wants_call_hook(&event);
                    sessions.handle(event, clock, &mut tell);
                }
                Err(_) => *malformed += 1,
            }
            drop(record);
            probes.hand_over(sessions.header_bytes());
        }
        drop(model);
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

    /// A watched process has ended.
    pub(super) fn process_ended(&mut self, pid: NonZeroU32) {
        self.pids.retain(|&watched| watched != pid);
        if let Err(error) = self.probes.unwatch(pid) {
            eprintln!("tag52: whoever gets pid {pid} next is watched too: {error}");
        }
    }

    /// Tells of the interval that ends now.
    pub(super) fn interval(&mut self, outputs: &mut Outputs) -> Result<(), OutputError> {
        self.read_health();
        self.read_surroundings();
        let now = self.clock.moment();
        let interval = self.lock().take_interval(now);
        outputs.interval(&interval)
    }

    /// What the live view shows now.
    pub(super) fn view(&self, watched: &str) -> View {
        View::of(&self.lock(), watched)
    }

    /// Takes in the rest, and adds up the whole run.
    pub(super) fn finish(&mut self, outputs: &mut Outputs) -> Result<Summary, OutputError> {
        self.read_health();
        let now = self.clock.moment();
        let mut told = Ok(());
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        let (lock_waits, unmatched) = (&mut self.lock_waits, &mut self.unmatched);
        self.sessions.ended(now.monotonic_ns, &mut |fact| {
            if let Some(input) = apply(fact, lock_waits, unmatched) {
                model.take(now, &input);
                if let Input::Message(message) = &input
                    && told.is_ok()
                {
                    told = outputs.message(message);
                }
            }
        });
        told?;
        // What came since the last interval: all of them add up to the summary.
        let rest = model.take_interval(now);
        if rest.sessions.iter().any(|s| !s.figures.is_empty()) {
            outputs.interval(&rest)?;
        }
        Ok(model.summary(now))
    }

    /// Tells the model of the threads and cgroups of the watched processes, where that is wanted.
    fn read_surroundings(&mut self) {
        let now = self.clock.moment();
        let Some(cgroups) = &self.surroundings else {
            return;
        };
        let mut model = self.lock();
        for &pid in &self.pids {
            let thread = |tid| self.probes.thread(tid);
            for told in thread_use::of(pid, now.monotonic_ns, thread) {
                model.take(now, &Input::ThreadUse(Box::new(told)));
            }
            // One that cannot be read has ended.
            if let Ok(told) = cgroups.of(pid) {
                model.take(now, &Input::Cgroup(Box::new(told)));
            }
        }
    }

    /// Brings the model's account of the agent itself up to date.
    fn read_health(&mut self) {
        let counts = self.probes.counts();
        let costs = self.probes.cost();
        let missed = self.probes.missed_runs();
        let now = self.clock.moment();
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        for (session, tid) in self.sessions.readers() {
            if let Some(thread) = self.probes.thread(tid) {
                let facts = self.lock_waits.look(session, tid, &thread);
                model.take(now, &Input::Threads(Arc::clone(session), facts));
            }
        }
        let health = &mut self.health;
        match counts {
            Ok(counts) => {
                for (count, n) in counts {
                    if count.is_loss() {
                        health.set_lost(count.name(), n);
                    } else {
                        health.set_anomaly(count.name(), n);
                    }
                }
            }
            Err(ProbeError::Map(_) | _) => health.anomaly("counts_unreadable", 1),
        }
        health.set_lost("probe_run", missed);
        health.set_lost("malformed", self.malformed);
        health.set_lost("socket_unknown", self.sessions.stray());
        health.set_anomaly("hand_off_unmatched", self.unmatched);
        health.set_anomaly("clock_steps", self.clock.steps());
        health.ring_high_water_bytes = self.ring_high_water;
        health.probes = costs
            .into_iter()
            .map(|run| ProbeCost {
                name: run.name,
                runs: run.runs,
                run_time_ns: u64::try_from(run.time.as_nanos()).unwrap_or(u64::MAX),
            })
            .collect();
        model.take(now, &Input::Health(Box::new(health.clone())));
    }
}

fn wants_call_hook(event: &Event<'_>) -> bool {
    matches!(event, Event::Recv(recv, _) if recv.flags & recv_flags::CALL_HOOK_WANTED != 0)
}

/// What the model is to be told of a fact.
fn apply(fact: Fact, lock_waits: &mut LockWaits, unmatched: &mut u64) -> Option<Input> {
    Some(match fact {
        Fact::Message(message) => Input::Message(message),
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
