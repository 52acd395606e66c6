//! The agent's account of itself, published once an interval.

use std::{io, sync::Arc};

use agent_common::ProbeCounter;

use super::{super::own_use::own_use, Collector};
use crate::{
    domain::{Capability, Health, Update},
    host::Host,
    kube::PodDirectory,
    pipeline::Sink as _,
};

/// The concept of the capability that the engine itself adds to those of the probes.
const HOLDER_FUNCTIONS: &str = "functions of holders";

/// What was published last, and what only the drain counts.
#[derive(Debug)]
pub(super) struct HealthReport {
    health: Health,
    malformed_records: u64,
    /// Sockets that could not be sampled.
    samples_failed: u64,
    ring_high_water_bytes: u64,
}

impl HealthReport {
    pub(super) fn new(capabilities: Vec<Capability>) -> Self {
        let mut report = Self {
            health: Health::default(),
            malformed_records: 0,
            samples_failed: 0,
            ring_high_water_bytes: 0,
        };
        report.health.capabilities = capabilities;
        report
    }

    /// Counts a record that cannot be decoded.
    pub(super) const fn count_malformed(&mut self) {
        self.malformed_records += 1;
    }

    /// Counts a sample of what waits that the kernel refused, and warns of the first.
    pub(super) fn sample_failed(&mut self, error: &io::Error) {
        if self.samples_failed == 0 {
            log::warn!("what waits is not shown until it is handed off: {error}");
        }
        self.samples_failed += 1;
    }

    /// So many bytes waited in the ring buffer.
    pub(super) fn ring_drained(&mut self, bytes: u64) {
        self.ring_high_water_bytes = self.ring_high_water_bytes.max(bytes);
    }

    /// Takes over a counter of the probes. Streams are only counted where processes are
    /// discovered: `excluded_streams` is how many of them a selector excluded.
    fn set_counter(&mut self, counter: ProbeCounter, n: u64, excluded_streams: Option<u64>) {
        let health = &mut self.health;
        match (counter, excluded_streams) {
            (ProbeCounter::StreamFix, Some(excluded)) => {
                let streams = health.discovery.get_or_insert_default();
                streams.not_selected = excluded;
                streams.fix = n.saturating_sub(excluded);
            }
            (ProbeCounter::StreamNotFix, Some(excluded)) => {
                let streams = health.discovery.get_or_insert_default();
                streams.not_selected = excluded;
                streams.other = n;
            }
            (ProbeCounter::StreamFix | ProbeCounter::StreamNotFix, None) => {}
            (counter, _) if counter.is_loss() => health.set_lost(counter.name(), n),
            (counter, _) => health.set_anomaly(counter.name(), n),
        }
    }

    /// Says whether the functions of holders are read, and why not.
    fn set_holder_functions(&mut self, sampled: bool, host: &Host) {
        let refusals: Vec<&str> = host.unsupported_runtimes().collect();
        let capability = if !sampled {
            Capability::unavailable(HOLDER_FUNCTIONS, "--no-stacks")
        } else if refusals.is_empty() {
            let hook = "process_vm_readv (CPython 3.11 to 3.13)";
            Capability::observed(HOLDER_FUNCTIONS, hook)
        } else {
            Capability::unavailable(HOLDER_FUNCTIONS, refusals.join("; "))
        };
        let capabilities = &mut self.health.capabilities;
        match capabilities.iter_mut().find(|c| c.name == HOLDER_FUNCTIONS) {
            Some(present) => *present = capability,
            None => capabilities.push(capability),
        }
    }
}

impl Collector {
    /// Brings everything up to date that is cumulative: cgroups, readers, windows, and the health
    /// of the agent itself.
    pub(super) fn report_health(&mut self) {
        let pids = self.reading_processes();
        self.samplers.quotas.retain(&pids);
        self.sample_quotas(&pids);
        self.publish_sessions();
        self.read_probe_counters();
        self.read_agent_counters();
        let report = &mut self.health;
        report.set_holder_functions(self.samplers.holders.is_some(), &self.host);
        report.health.ring_high_water_bytes = report.ring_high_water_bytes;
        report.health.kube = self.processes.kube().map(PodDirectory::health);
        report.health.own = own_use();
        report.health.probes = self.probes.cost();
        let now = self.clock.moment();
        let health = Box::new(report.health.clone());
        self.publisher.begin().publish(now, Update::Health(health));
    }

    /// Publishes the lock waits of the readers and the closures of the windows.
    fn publish_sessions(&mut self) {
        let now = self.clock.moment();
        let mut publication = self.publisher.begin();
        for (session, tid) in self.sockets.readers() {
            if let Some(thread) = self.probes.thread(tid) {
                let totals = self.samplers.lock_waits.sample(session, tid, &thread);
                publication.publish(now, Update::LockWaits(Arc::clone(session), totals));
            }
        }
        for (session, closures) in self.sockets.window_facts() {
            if closures.closed > 0 {
                publication.publish(now, Update::Window(Arc::clone(session), closures));
            }
        }
    }

    fn read_probe_counters(&mut self) {
        let excluded = self.processes.excluded_streams();
        match self.probes.counters() {
            Ok(counters) => {
                for (counter, n) in counters {
                    if counter == ProbeCounter::LifecycleLost {
                        self.cleanup.lifecycle_records_lost(n);
                    }
                    self.health.set_counter(counter, n, excluded);
                }
            }
            Err(_) => self.health.health.anomaly("counters_unreadable", 1),
        }
        let (missed, second_pass) = self.probes.missed_runs();
        if let Err(error) = second_pass {
            log::warn!(
                "receive calls whose probe the kernel skips stay unobserved, their messages are \
                 lost from the figures: {error}"
            );
        }
        // Any of them may have been that of a socket or thread that ended.
        self.cleanup.runs_missed(missed);
        self.health.health.set_lost("missed_run", missed);
    }

    fn read_agent_counters(&mut self) {
        let malformed = self.health.malformed_records;
        let samples_failed = self.health.samples_failed;
        let health = &mut self.health.health;
        health.set_lost("malformed_record", malformed);
        health.set_lost("socket_sample", samples_failed);
        health.set_lost("socket_unregistered", self.sockets.unregistered_records());
        health.set_anomaly("hand_off_unmatched", self.sockets.unmatched_hand_offs());
        health.set_anomaly("clock_steps", self.clock.steps());
        for (kind, times) in self.host.counts().named() {
            health.set_anomaly(kind, times);
        }
        if let Some(holders) = &self.samplers.holders {
            let missed = holders.missed;
            health.set_anomaly("holder_unknown", missed.unknown);
            health.set_anomaly("holder_sample_late", missed.late);
            let dropped = missed.dropped + self.attribution.candidate_samples_dropped();
            health.set_anomaly("holder_samples_dropped", dropped);
        }
    }
}
