//! The processes that are followed: how they come, what is published about them, how they end.

use std::{collections::BTreeSet, num::NonZeroU32};

use super::{super::process_infos::ProcessInfos, Collector};
use crate::{
    domain::{ProcessInfo, Update},
    host::Host,
    kube::PodDirectory,
    pipeline::Sink as _,
    targets::{
        discovered::{DecidedProcess, DiscoveredProcesses},
        discovery::Decision,
    },
};

/// Which processes are followed.
#[derive(Debug)]
pub(super) struct FollowedProcesses {
    /// Those that have not ended.
    running: Vec<NonZeroU32>,
    /// Those about which something was published.
    published: BTreeSet<u32>,
    infos: ProcessInfos,
    /// `None`: the processes were given.
    discovered: Option<DiscoveredProcesses>,
}

impl FollowedProcesses {
    pub(super) fn new(
        running: Vec<NonZeroU32>,
        discovered: Option<DiscoveredProcesses>,
        kube: Option<PodDirectory>,
    ) -> Self {
        Self {
            running,
            published: BTreeSet::new(),
            infos: kube.map_or_else(ProcessInfos::default, ProcessInfos::new),
            discovered,
        }
    }

    /// Whether an update is published: every one where the processes were given.
    pub(super) fn admits(&mut self, update: &Update, host: &Host) -> bool {
        let kube = self.infos.kube();
        self.discovered
            .as_mut()
            .is_none_or(|discovered| discovered.admits(update, host, kube))
    }

    /// The Kubernetes API, when the agent asks it.
    pub(super) const fn kube(&self) -> Option<&PodDirectory> {
        self.infos.kube()
    }

    /// FIX streams that a selector excluded; `None` where the processes were given.
    pub(super) fn excluded_streams(&self) -> Option<u64> {
        let discovered = self.discovered.as_ref()?;
        Some(discovered.decisions.not_selected())
    }

    pub(super) fn running(&self) -> &[NonZeroU32] {
        &self.running
    }

    fn is_followed(&self, pid: u32) -> bool {
        self.discovered
            .as_ref()
            .is_none_or(|discovered| discovered.decisions.decided(pid) == Some(Decision::Follow))
    }
}

impl Collector {
    /// Follows or excludes the processes that were discovered since the last call.
    pub(in crate::engine) fn follow_discovered(&mut self) {
        self.attach_found_functions();
        let kube = self.processes.infos.kube();
        let Some(discovered) = &mut self.processes.discovered else {
            return;
        };
        for decided in discovered.take_decided(&self.host, kube) {
            let DecidedProcess {
                pid,
                decision,
                first,
            } = decided;
            if first && !self.watch_exit(pid) {
                // It has exited already; what it sent until then was decided on.
                if decision != Decision::Follow {
                    self.count_excluded(pid);
                }
                self.process_exited(pid);
                continue;
            }
            match decision {
                Decision::Undecided => {}
                Decision::Follow => self.follow(pid),
                Decision::Exclude => self.exclude(pid),
            }
        }
    }

    fn watch_exit(&self, pid: NonZeroU32) -> bool {
        let discovered = self.processes.discovered.as_ref();
        discovered.is_none_or(|discovered| discovered.watch_exit(pid))
    }

    fn follow(&mut self, pid: NonZeroU32) {
        self.host.find_runtime_in_background(pid.get());
        self.processes.running.push(pid);
        let discovered = self.processes.discovered.as_ref();
        // Whoever reads that a process is followed may count on its hand-offs: not before its
        // function is searched.
        if !discovered.is_some_and(|discovered| discovered.search_function(pid)) {
            self.log_followed(pid);
        }
    }

    fn log_followed(&mut self, pid: NonZeroU32) {
        let comm = self.host.thread(pid.get()).comm;
        log::info!("pid {pid} ({comm}) reads FIX");
    }

    /// Attaches to the function of `--handoff` in the processes whose search has ended.
    fn attach_found_functions(&mut self) {
        while let Some((pid, function, location)) = self
            .processes
            .discovered
            .as_ref()
            .and_then(DiscoveredProcesses::next_function)
        {
            // A process that has exited meanwhile was reported.
            if !self.processes.running.contains(&pid) {
                continue;
            }
            let attached = location
                .and_then(|location| self.probes.attach_function(pid, &function, &location));
            match attached {
                Ok(()) => self.sockets.hand_off_function_attached(pid.get()),
                Err(error) => log::warn!(
                    "pid {pid} hands off when it next reads or waits: --handoff: {error}"
                ),
            }
            self.log_followed(pid);
        }
    }

    fn exclude(&mut self, pid: NonZeroU32) {
        if let Err(error) = self.probes.exclude(pid) {
            log::warn!(
                "pid {pid} is excluded by a selector, but its system calls cost as much as if it \
                 were followed: {error}"
            );
        }
        self.count_excluded(pid);
    }

    /// Forgets and counts the streams of an excluded process: at least the one whose message it was
    /// decided on by, though that may be closed by now.
    fn count_excluded(&mut self, pid: NonZeroU32) {
        let streams = self.sockets.exclude_process(pid.get()).max(1);
        if let Some(discovered) = &mut self.processes.discovered {
            discovered.decisions.exclude_streams(streams);
        }
    }

    /// Publishes the processes that have just begun to read a session, with their cgroups, and
    /// those about which the Kubernetes API knows more than before.
    pub(in crate::engine) fn publish_new_processes(&mut self) {
        let mut fresh = self.reading_processes();
        fresh.retain(|&pid| self.processes.published.insert(pid));
        let renamed = self.processes.infos.renamed();
        if !renamed.is_empty() {
            self.publish_processes(renamed);
        }
        if fresh.is_empty() {
            return;
        }
        let infos = self.processes.infos.add(&fresh, &self.host);
        self.publish_processes(infos);
        self.sample_quotas(&fresh);
    }

    fn publish_processes(&mut self, infos: Vec<ProcessInfo>) {
        let now = self.clock.moment();
        let mut publication = self.publisher.begin();
        for info in infos {
            publication.publish(now, Update::Process(Box::new(info)));
        }
    }

    /// The followed processes that read a session.
    pub(super) fn reading_processes(&self) -> Vec<u32> {
        let mut pids: Vec<_> = self.sockets.readers().map(|(id, _)| id.pid).collect();
        pids.sort_unstable();
        pids.dedup();
        pids.retain(|&pid| self.processes.is_followed(pid));
        pids
    }

    /// A process has exited.
    pub(in crate::engine) fn process_exited(&mut self, pid: NonZeroU32) {
        let running = &mut self.processes.running;
        if running.contains(&pid) {
            log::info!("pid {pid} has ended");
        }
        running.retain(|&other| other != pid);
        let number = pid.get();
        self.processes.infos.forget(number);
        if self.processes.published.remove(&number) {
            let now = self.clock.moment();
            let mut publication = self.publisher.begin();
            publication.publish(now, Update::ProcessEnded(number));
        }
        self.attribution.process_ended(number);
        if let Some(discovered) = &mut self.processes.discovered {
            discovered.decisions.ended(number);
        }
        if let Err(error) = self.probes.unwatch(pid) {
            log::warn!("a later process with pid {pid} will be watched too: {error}");
        }
    }
}
