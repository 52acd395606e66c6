//! From the ring buffer to the pipeline: everything a live run measures.

mod cleanup;
mod health;
mod intake;
mod processes;
mod sampling;

use std::os::fd::{AsFd as _, OwnedFd};

use agent_common::{ThreadState, receive_flags};

use crate::{
    attribution::Attribution,
    clock::{RunClocks, UtcClock},
    domain::{Moment, Update},
    events::Event,
    host::Host,
    join::{SocketFilter, SocketTable},
    kernel::Probes,
    kube::PodDirectory,
    model::Summary,
    outputs::{OutputError, top::ScreenData},
    pipeline::{Publisher, Sink as _},
    recording::{Recorder, RecordingTotals, WriteError},
    targets::discovered::DiscoveredProcesses,
};

use super::config::Config;
use cleanup::Cleanup;
use health::HealthReport;
use intake::Intake;
use processes::FollowedProcesses;
use sampling::Samplers;

/// What stands between the probes and the pipeline.
pub(super) struct Collector {
    probes: Probes,
    sockets: SocketTable,
    clock: UtcClock<RunClocks>,
    publisher: Publisher<Recorder>,
    attribution: Attribution,
    host: Host,
    processes: FollowedProcesses,
    samplers: Samplers,
    health: HealthReport,
    cleanup: Cleanup,
}

/// What a collector works with besides the probes.
pub(super) struct CollectorParts {
    pub(super) clocks: RunClocks,
    pub(super) publisher: Publisher<Recorder>,
    pub(super) host: Host,
    /// `None`: the processes were given.
    pub(super) discovered: Option<DiscoveredProcesses>,
    /// `None`: pods and containers have ids only.
    pub(super) kube: Option<PodDirectory>,
}

impl Collector {
    pub(super) fn new(probes: Probes, config: &Config, parts: CollectorParts) -> Self {
        let CollectorParts {
            clocks,
            publisher,
            host,
            discovered,
            kube,
        } = parts;
        let sockets = SocketTable::new(SocketFilter {
            port: config.port,
            hand_off_function: config.handoff.is_some() && discovered.is_none(),
        });
        Self {
            health: HealthReport::new(probes.capabilities().to_vec()),
            probes,
            sockets,
            clock: UtcClock::new(clocks),
            publisher,
            attribution: Attribution::default(),
            host,
            processes: FollowedProcesses::new(config.pids().to_vec(), discovered, kube),
            samplers: Samplers::new(config),
            cleanup: Cleanup::default(),
        }
    }

    /// A descriptor that is readable when the probes wake the agent.
    pub(super) fn ring_fd(&mut self) -> Result<OwnedFd, OutputError> {
        let ring = self.probes.ring().as_fd().try_clone_to_owned();
        ring.map_err(OutputError::Failed)
    }

    /// The wall clock was set: what arrives from now on has another UTC.
    pub(super) fn clock_set(&mut self) {
        self.clock.track();
    }

    /// Takes everything that waits in the ring buffer.
    pub(super) fn drain(&mut self) -> Result<(), OutputError> {
        self.clock.track();
        let mut bytes = 0;
        let mut wants_syscalls = false;
        let Self {
            probes,
            sockets,
            clock,
            publisher,
            attribution,
            host,
            processes,
            samplers,
            health,
            ..
        } = self;
        let now = clock.moment();
        let mut publication = publisher.begin();
        loop {
            // Not `while let`: the ring stays borrowed for its whole body.
            let Some(record) = probes.ring().next() else {
                break;
            };
            bytes += record.len() as u64;
            let mut publish = |update| publication.publish(now, update);
            match Event::decode(&record) {
                Ok(Event::SleepEnded(sleep)) => {
                    if sleep.state == ThreadState::LockWait as u32 {
                        samplers.sleep_ended(sleep.tid, sleep.from_ns, sleep.to_ns);
                    }
                    attribution.sleep_ended(&sleep, host, &mut publish);
                }
                Ok(Event::CpuTurns(block)) => attribution.cpu_turns(&block),
                Ok(Event::RunQueueWait(wait)) => {
                    attribution.run_queue_wait_ended(&wait, host, &mut publish);
                }
                Ok(event) => {
                    wants_syscalls |= wants_syscall_entries(&event);
                    let exited = exited_thread(&event);
                    let mut intake = Intake {
                        processes,
                        samplers,
                        attribution,
                        host,
                        now,
                        publication: &mut publication,
                    };
                    sockets.handle(&event, clock, &mut |update| intake.publish(update));
                    if let Some(tid) = exited {
                        attribution.thread_ended(tid);
                        samplers.thread_ended(tid);
                    }
                }
                Err(_) => health.count_malformed(),
            }
            drop(record);
            probes.set_slice_limit(sockets.header_budget_bytes());
        }
        drop(publication);
        publisher.flush_recording();
        health.ring_drained(bytes);
        if wants_syscalls {
            self.watch_syscalls();
        }
        self.publisher.check()
    }

    /// Watches the entry of system calls from now on.
    fn watch_syscalls(&mut self) {
        match self.probes.watch_syscalls() {
            Ok(true) => {
                let now = self.clock.monotonic();
                self.sockets.syscall_entries_observed_from(now);
            }
            Ok(false) => {}
            Err(error) => log::warn!(
                "the messages of a recvmmsg(2), and waits that do not sleep, are not observed: \
                 {error}"
            ),
        }
    }

    /// Ends an interval now.
    pub(super) fn end_interval(&mut self) -> Result<(), OutputError> {
        self.sample_threads();
        self.report_health();
        self.clean_up();
        let now = self.clock.moment();
        self.publisher.begin().publish(now, Update::IntervalEnded);
        self.publisher.check()
    }

    /// Whether a session is stalled.
    pub(super) fn is_any_stalled(&self) -> bool {
        self.publisher.lock().is_any_stalled()
    }

    /// What the live view shows now.
    pub(super) fn view(&self, watched: &str) -> ScreenData {
        ScreenData::of(&self.publisher.lock(), watched)
    }

    /// Publishes what is pending, and adds up the whole run.
    pub(super) fn end(&mut self) -> Result<Summary, OutputError> {
        // What waits at the end, and what its reader did until then.
        self.sample_sockets()?;
        self.report_health();
        let now = self.clock.moment();
        self.close_sockets(now, |sockets, emit| {
            sockets.close_all(now.monotonic_ns, emit);
        });
        self.publisher.end(now)
    }

    /// Publishes what follows from the end of sockets, which `close` closes.
    fn close_sockets(
        &mut self,
        now: Moment,
        close: impl FnOnce(&mut SocketTable, &mut dyn FnMut(Update)),
    ) {
        let mut publication = self.publisher.begin();
        let mut intake = Intake {
            processes: &mut self.processes,
            samplers: &mut self.samplers,
            attribution: &mut self.attribution,
            host: &mut self.host,
            now,
            publication: &mut publication,
        };
        close(&mut self.sockets, &mut |update| intake.publish(update));
    }

    /// Writes the summary.
    pub(super) fn finish(&mut self, summary: &Summary) -> Result<(), OutputError> {
        self.publisher.finish(summary)
    }

    /// Ends the recording, if there is one.
    pub(super) fn close_recording(&mut self) -> Option<Result<RecordingTotals, WriteError>> {
        self.publisher.take_recording().map(Recorder::close)
    }
}

fn wants_syscall_entries(event: &Event<'_>) -> bool {
    let Event::BytesReceived(received, _) = event else {
        return false;
    };
    received.flags & receive_flags::SYS_ENTER_WANTED != 0
}

const fn exited_thread(event: &Event<'_>) -> Option<u32> {
    match event {
        Event::ThreadExited(exit) => Some(exit.tid),
        _ => None,
    }
}
