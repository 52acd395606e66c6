//! The stages of a start, each a type that the next one consumes: targets resolved, kernel probed,
//! probes loaded, probes attached.

use std::num::NonZeroU32;

use tokio::sync::mpsc;

use super::{
    RunError,
    collector::{Collector, CollectorParts},
    config::{Config, KubeConfig, TargetConfig},
    metrics_service, probe_log,
};
use crate::{
    clock::RunClocks,
    host::Host,
    kernel::{KernelSupport, LoadedProbes, ProbeConfig, Probes},
    kube::{KubeAccess, KubeSetup, PodDirectory},
    outputs::{Endpoint, OtlpConfig},
    pipeline::Publisher,
    recording::Recorder,
    targets::{
        ProcessSelector,
        discovered::DiscoveredProcesses,
        exits::ExitWatcher,
        target::{Targets, require_initial_namespace},
    },
};

/// Everything outside of the kernel that a run needs is there.
pub(super) struct Resolved<'c> {
    config: &'c Config,
    targets: ResolvedTargets,
    kube: Option<PodDirectory>,
    host: Host,
    /// Where metrics are served.
    pub(super) endpoint: Option<Endpoint>,
    /// Where metrics are exported to.
    pub(super) otlp: Option<OtlpConfig>,
}

enum ResolvedTargets {
    Given(Targets),
    Discovered(ProcessSelector),
}

/// This kernel can run the probes.
pub(super) struct Probed<'c> {
    resolved: Resolved<'c>,
    support: KernelSupport,
}

/// The kernel has verified the probes.
pub(super) struct Loaded<'c> {
    resolved: Resolved<'c>,
    probes: LoadedProbes,
}

/// The probes run.
pub(super) struct Attached<'c> {
    pub(super) resolved: Resolved<'c>,
    probes: Probes,
}

impl<'c> Resolved<'c> {
    /// Opens the targets, binds the endpoint, finds the Kubernetes API.
    ///
    /// # Errors
    /// [`RunError`]: whatever of that is missing.
    pub(super) async fn new(config: &'c Config) -> Result<Self, RunError> {
        let targets = match &config.targets {
            TargetConfig::Pids(pids) => ResolvedTargets::Given(Targets::open(pids)?),
            TargetConfig::Discovered(selector) => {
                require_initial_namespace()?;
                allow_descriptors();
                ResolvedTargets::Discovered(selector.clone())
            }
        };
        let endpoint = match config.telemetry.listen {
            Some(address) => Some(Endpoint::bind(address).await?),
            None => None,
        };
        let kube = find_pods(&config.kube).await?;
        if let (None, ResolvedTargets::Discovered(selector)) = (&kube, &targets)
            && !selector.pods.is_any()
        {
            return Err(RunError::NoPods);
        }
        let otlp = metrics_service::otlp_config(&config.telemetry)?;
        let mut host = Host::new().map_err(RunError::Runtime)?;
        for pid in config.pids() {
            // Later, messages would wait for it.
            host.find_runtime(pid.get());
        }
        Ok(Self {
            config,
            targets,
            kube,
            host,
            endpoint,
            otlp,
        })
    }

    /// What is watched, in words: `pid 4711`.
    pub(super) fn watched(&self) -> String {
        match &self.targets {
            ResolvedTargets::Given(targets) => targets.to_string(),
            ResolvedTargets::Discovered(_) => "every process that reads FIX".to_owned(),
        }
    }

    /// Whether processes are discovered, without an end.
    pub(super) const fn discovers(&self) -> bool {
        matches!(self.targets, ResolvedTargets::Discovered(_))
    }

    /// Finds out what this kernel supports.
    pub(super) fn probe_kernel(self) -> Result<Probed<'c>, RunError> {
        let support = KernelSupport::probe()?;
        Ok(Probed {
            resolved: self,
            support,
        })
    }
}

impl<'c> Probed<'c> {
    /// Has the kernel verify the probes.
    pub(super) fn load(self) -> Result<Loaded<'c>, RunError> {
        let Self { resolved, support } = self;
        let probes = LoadedProbes::load(support, probe_config(resolved.config))?;
        Ok(Loaded { resolved, probes })
    }
}

impl<'c> Loaded<'c> {
    /// Lets the probes run.
    pub(super) fn attach(self) -> Result<Attached<'c>, RunError> {
        let Self { resolved, probes } = self;
        let mut probes = probes.attach()?;
        give_back_memory();
        if resolved.config.probe_log {
            probe_log::follow(&mut probes)?;
        }
        Ok(Attached { resolved, probes })
    }
}

impl Attached<'_> {
    /// The collector of the run, and the exits of the processes that it follows. The channel closes
    /// after the last exit, if the processes were given.
    pub(super) fn collector(
        self,
        clocks: RunClocks,
        publisher: Publisher<Recorder>,
    ) -> Result<(Collector, mpsc::Receiver<NonZeroU32>), RunError> {
        let Self { resolved, probes } = self;
        let (watcher, exits) = ExitWatcher::new();
        let discovered = match resolved.targets {
            ResolvedTargets::Given(targets) => {
                for target in targets {
                    watcher.watch(target).map_err(RunError::Runtime)?;
                }
                None
            }
            ResolvedTargets::Discovered(selector) => {
                let function = resolved.config.handoff.clone();
                let discovered = DiscoveredProcesses::new(selector, watcher, function);
                Some(discovered.map_err(RunError::Runtime)?)
            }
        };
        let parts = CollectorParts {
            clocks,
            publisher,
            host: resolved.host,
            discovered,
            kube: resolved.kube,
        };
        Ok((Collector::new(probes, resolved.config, parts), exits))
    }
}

fn probe_config(config: &Config) -> ProbeConfig {
    ProbeConfig {
        pids: config.pids().to_vec(),
        function: config.handoff.clone(),
        accounts_run_time: config.publishes_metrics() || config.probe_cost,
        log: config.probe_log,
        #[cfg(feature = "fault-injection")]
        unobserved_switches: config.faults.unobserved_switches,
        track_holders: config.sample_holders,
    }
}

/// Begins to follow the pods of this node, where that is wanted and possible.
async fn find_pods(config: &KubeConfig) -> Result<Option<PodDirectory>, RunError> {
    let (node, file) = (config.node_name.as_deref(), config.kubeconfig.as_deref());
    match KubeSetup::find(config.mode, node, file).await? {
        KubeAccess::Available(setup) => {
            let directory = PodDirectory::start(*setup).map_err(RunError::Runtime)?;
            Ok(Some(directory))
        }
        KubeAccess::Unavailable(reason) => {
            log::warn!("pods are shown with ids instead of names: {reason}");
            Ok(None)
        }
        KubeAccess::Off => Ok(None),
    }
}

/// Reading the kernel's types took tens of MiB that are not needed again.
fn give_back_memory() {
    // SAFETY: no pointers; it only returns free pages to the system.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Each process that is followed takes a descriptor: as many as are allowed at all, not the usual
/// 1024.
fn allow_descriptors() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls are given a limit that outlives them.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            // Where it is refused, the usual number is what there is.
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}
