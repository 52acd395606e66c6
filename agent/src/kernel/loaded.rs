//! The second stage: the probes are in the kernel and do not run yet.

use std::{fs, num::NonZeroU32};

use aya::{
    Btf, Ebpf, EbpfLoader, include_bytes_aligned,
    maps::{Array, HashMap, MapError, PerCpuArray, RingBuf},
};

use super::{
    KernelSupport, ProbeConfig, ProbeError, Probes,
    cost::RunTimeAccounting,
    counters::ProbeCounters,
    handoff_probe,
    hooks::{SECOND_PASS, SYS_ENTER},
    layout::Layout,
    missed_runs, present,
    probes::{ProbeMaps, SecondPass},
    socket_sampler,
    watched::WatchedProcesses,
};
use crate::domain::Capability;

/// Programs that the kernel has verified, with their maps; dropping it takes them out again.
pub(crate) struct LoadedProbes {
    ebpf: Ebpf,
    maps: ProbeMaps,
    support: KernelSupport,
    config: ProbeConfig,
    /// Why the kernel refused the program that samples sockets.
    samples_refused: Option<ProbeError>,
}

impl LoadedProbes {
    /// Has the kernel verify the programs.
    ///
    /// # Errors
    /// [`ProbeError`]: no right, or a program that the kernel refuses.
    pub(crate) fn load(support: KernelSupport, config: ProbeConfig) -> Result<Self, ProbeError> {
        let mut ebpf = load_object(&support.btf, &support.layout, &config)?;
        let maps = take_maps(&mut ebpf, &config)?;
        for (_, point) in &support.hooks {
            point.load(&mut ebpf, &support.btf)?;
        }
        SYS_ENTER.load(&mut ebpf, &support.btf)?;
        if has_second_pass(&support) {
            SECOND_PASS.load(&mut ebpf, &support.btf)?;
        }
        let samples_refused = socket_sampler::load(&mut ebpf).err();
        if let Some(function) = &config.function {
            handoff_probe::load(&mut ebpf, function)?;
        }
        Ok(Self {
            ebpf,
            maps,
            support,
            config,
            samples_refused,
        })
    }

    /// Lets the programs run from now on.
    ///
    /// # Errors
    /// [`ProbeError`]: a hook that the kernel refuses, or a function that a process lacks.
    pub(crate) fn attach(self) -> Result<Probes, ProbeError> {
        let Self {
            mut ebpf,
            maps,
            support,
            config,
            samples_refused,
        } = self;
        let KernelSupport { btf, layout, hooks } = &support;
        let mut capabilities = layout.capabilities.clone();
        for (concept, point) in hooks {
            point.attach(&mut ebpf)?;
            capabilities.push(Capability::observed(*concept, point.to_string()));
        }
        let second_pass = if !has_second_pass(&support) {
            SecondPass::Impossible
        } else if missed_runs::are_usual() {
            SECOND_PASS.attach(&mut ebpf)?;
            let concept = "receive calls, a second pass";
            capabilities.push(Capability::observed(concept, SECOND_PASS.to_string()));
            SecondPass::Since { missed_before: 0 }
        } else {
            SecondPass::OnDemand
        };
        capabilities.push(samples(samples_refused.as_ref()));
        // In this order: what the reader of a socket does is known from then on.
        capabilities.push(present_threads(&mut ebpf, btf, &config));
        capabilities.push(open_sockets(&mut ebpf, btf, &config));
        if let Some(function) = &config.function {
            // All processes are searched before anything is attached.
            let locations = function.find_in(&config.pids)?;
            for (location, &pid) in locations.iter().zip(&config.pids) {
                handoff_probe::attach(&mut ebpf, pid, function, location)?;
            }
            capabilities.push(Capability::observed("hand-off", function.to_string()));
        }
        let accounting = config.accounts_run_time.then(RunTimeAccounting::start);
        Ok(Probes::new(
            ebpf,
            maps,
            capabilities,
            accounting.flatten(),
            second_pass,
            samples_refused.is_none(),
        ))
    }
}

/// Whether what waits can be sampled.
fn samples(refused: Option<&ProbeError>) -> Capability {
    const CONCEPT: &str = "what waits now";
    match refused {
        None => Capability::observed(CONCEPT, "a program that the agent runs"),
        Some(why) => Capability::unavailable(CONCEPT, why.to_string()),
    }
}

/// Whether the chosen hook for receive calls is one whose missed runs can be made up for.
fn has_second_pass(support: &KernelSupport) -> bool {
    let mut points = support.hooks.iter().map(|(_, point)| point);
    points.any(super::hooks::AttachPoint::has_second_pass)
}

/// Threads of the given processes that are tracked from the start, at most: half of what the probes'
/// map holds, so that readers always find room.
const MAX_PRESENT_THREADS: usize = 2048;

/// How many threads these processes have now.
fn threads_of(pids: &[NonZeroU32]) -> usize {
    pids.iter()
        .filter_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).ok())
        .map(Iterator::count)
        .sum()
}

/// Tracks the threads that run already, where pids were given.
fn present_threads(ebpf: &mut Ebpf, btf: &Btf, config: &ProbeConfig) -> Capability {
    const CONCEPT: &str = "threads running at the start";
    if config.pids.is_empty() {
        return Capability::observed(CONCEPT, "from their first read");
    }
    let threads = threads_of(&config.pids);
    if threads > MAX_PRESENT_THREADS {
        let why =
            format!("{threads} threads, more than {MAX_PRESENT_THREADS}: from their first read");
        return Capability::unavailable(CONCEPT, why);
    }
    match present::threads(ebpf, btf) {
        Ok(()) => Capability::observed(CONCEPT, "iter task"),
        Err(why) => Capability::unavailable(CONCEPT, format!("{why}; from their first read")),
    }
}

/// Puts the sockets that are open already on the probes' list, where pids were given.
fn open_sockets(ebpf: &mut Ebpf, btf: &Btf, config: &ProbeConfig) -> Capability {
    const CONCEPT: &str = "sockets open at the start";
    if config.pids.is_empty() {
        return Capability::observed(CONCEPT, "found at their first read");
    }
    match present::sockets(ebpf, btf) {
        Ok(()) => Capability::observed(CONCEPT, "iter task_file"),
        Err(why) => {
            let why = format!("{why}; found at their first read instead");
            Capability::unavailable(CONCEPT, why)
        }
    }
}

fn load_object(btf: &Btf, layout: &Layout, config: &ProbeConfig) -> Result<Ebpf, ProbeError> {
    static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tag52-probes"));
    let all = u32::from(config.pids.is_empty());
    let log = u32::from(config.log);
    let track_holders = u32::from(config.track_holders);
    let mut loader = EbpfLoader::new();
    loader.btf(Some(btf));
    for (name, offset) in &layout.offsets {
        loader.override_global(name, offset, true);
    }
    loader
        .override_global("WATCH_ALL", &all, true)
        .override_global("PROBE_LOG", &log, true)
        .override_global("TRACK_HOLDERS", &track_holders, true);
    #[cfg(feature = "fault-injection")]
    loader.override_global("SKIP_SWITCH_ONE_IN", &config.unobserved_switches, true);
    loader.load(OBJECT).map_err(|error| {
        if denied(&error) {
            ProbeError::NoRight(error.to_string())
        } else {
            ProbeError::Load(error)
        }
    })
}

/// Whether any error in the chain is EPERM or EACCES.
fn denied(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::PermissionDenied
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// Takes the maps before anything is attached: a ring that is full before it is first drained would
/// be a loss.
fn take_maps(ebpf: &mut Ebpf, config: &ProbeConfig) -> Result<ProbeMaps, ProbeError> {
    Ok(ProbeMaps {
        ring: RingBuf::try_from(take_map(ebpf, "RING")?)?,
        counters: ProbeCounters::new(PerCpuArray::try_from(take_map(ebpf, "COUNTS")?)?),
        threads: HashMap::try_from(take_map(ebpf, "THREADS")?)?,
        sockets: HashMap::try_from(take_map(ebpf, "SOCKETS")?)?,
        slice_limit: Array::try_from(take_map(ebpf, "SLICE_LIMIT")?)?,
        watched: WatchedProcesses::new(take_map(ebpf, "WATCHED")?, &config.pids)?,
    })
}

fn take_map(ebpf: &mut Ebpf, name: &'static str) -> Result<aya::maps::Map, MapError> {
    ebpf.take_map(name).ok_or(MapError::InvalidName {
        name: name.to_owned(),
    })
}
