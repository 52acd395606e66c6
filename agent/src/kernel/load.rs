//! Loading and attaching.

use std::{collections::HashSet, io::Read as _, num::NonZeroU32};

use agent_common::{ProbeCounter, Snapshot, ThreadState, TrackedSocket, TrackedThread};
use aya::{
    Btf, Ebpf, EbpfError, EbpfLoader, include_bytes_aligned,
    maps::{Array, HashMap, MapData, MapError, PerCpuArray, RingBuf},
    programs::{Iter, UProbe, uprobe::UProbeScope},
};

use super::{
    ProbeError,
    btf::KernelTypes,
    cost::{self, Accounting, ProbeRun},
    counts::Counts,
    function::{CallSide, FunctionPlace, FunctionSpec},
    hooks::{CALL_ENTRY, HOOKS, SECOND_LOOK},
    layout::Layout,
    misses::{self, Misses},
    program::{program, refused},
    watched::Watched,
};

/// Where kernels publish their types.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// What to watch, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The processes (thread group ids, initial PID namespace); none stands for every process that
    /// reads a stream beginning as FIX does, but those [left alone](Probes::leave).
    pub pids: Vec<NonZeroU32>,
    /// `--handoff`
    pub function: Option<FunctionSpec>,
    /// Account for the probes' run time (costs some 20-60 ns a run).
    pub accounting: bool,
    /// Diagnostic lines from the probes.
    pub log: bool,
    /// One in so many switches to a tracked thread is skipped; 0: none.
    #[cfg(feature = "fault-injection")]
    pub unseen_switches: u32,
    /// Threads that release locks which watched ones wait for are tracked too ([`Probes::thread`]).
    pub track_holders: bool,
}

/// The probes in place. Dropping it takes them out of the kernel.
pub struct Probes {
    ebpf: Ebpf,
    ring: RingBuf<MapData>,
    counts: Counts,
    watched: Watched,
    threads: HashMap<MapData, u32, TrackedThread>,
    sockets: HashMap<MapData, u64, TrackedSocket>,
    slice_limit: (Array<MapData, u64>, usize),
    capabilities: Vec<(&'static str, String)>,
    accounting: Option<Accounting>,
    follows_calls: bool,
    /// Where there can be one: [`Misses::so_far`] when the second look at receive calls began, if
    /// it has.
    second_look: Option<Option<u64>>,
}

impl Probes {
    /// Loads and attaches the probes.
    ///
    /// # Errors
    /// [`ProbeError`]: no right, no BTF, a field, hook or function this kernel or process lacks.
    pub fn load(options: &Options) -> Result<Self, ProbeError> {
        let kernel = KernelTypes::read(VMLINUX).map_err(|source| ProbeError::NoBtf {
            path: VMLINUX,
            source,
        })?;
        if !kernel.has_enumerator("bpf_func_id", "BPF_FUNC_loop") {
            return Err(ProbeError::MissingHelper {
                name: "bpf_loop",
                since: "Linux 5.17 and later",
            });
        }
        let layout = Layout::resolve(&kernel).map_err(|f| ProbeError::MissingField(f.0))?;
        // All are chosen before any is loaded: a kernel that lacks one is told so, and left alone.
        let places = HOOKS
            .iter()
            .map(|hook| Ok((hook.what, hook.choose(&kernel)?)))
            .collect::<Result<Vec<_>, ProbeError>>()?;
        let btf = Btf::from_sys_fs().map_err(EbpfError::BtfError)?;
        let mut ebpf = load_object(&btf, &layout, options)?;
        let mut capabilities = layout.capabilities;

        // The ring and the maps first: a full ring before the first drain would be a loss.
        let ring = RingBuf::try_from(take_map(&mut ebpf, "RING")?)?;
        let counts = Counts::new(PerCpuArray::try_from(take_map(&mut ebpf, "COUNTS")?)?);
        let threads = HashMap::try_from(take_map(&mut ebpf, "THREADS")?)?;
        let sockets = HashMap::try_from(take_map(&mut ebpf, "SOCKETS")?)?;
        let slice_limit = Array::try_from(take_map(&mut ebpf, "SLICE_LIMIT")?)?;
        let watched = Watched::new(take_map(&mut ebpf, "WATCHED")?, &options.pids)?;

        for (what, place) in &places {
            place.load(&mut ebpf, &btf)?;
            place.attach(&mut ebpf)?;
            capabilities.push((what, place.to_string()));
        }
        // Ready for when it is asked for: until then what it would tell is unknown.
        CALL_ENTRY.load(&mut ebpf, &btf)?;
        let mut second_look = None;
        if places.iter().any(|(_, place)| place.has_second_look()) {
            SECOND_LOOK.load(&mut ebpf, &btf)?;
            second_look = Some(None);
            if misses::are_usual() {
                SECOND_LOOK.attach(&mut ebpf)?;
                second_look = Some(Some(0));
                capabilities.push(("receive calls, a second look", SECOND_LOOK.to_string()));
            }
        }
        let present = if options.pids.is_empty() {
            "found at their first read".to_owned()
        } else {
            match walk_open_files(&mut ebpf, &btf) {
                Ok(()) => "iter task_file".to_owned(),
                Err(why) => format!("not observable: {why}; found at their first read instead"),
            }
        };
        capabilities.push(("sockets open at the start", present));
        if let Some(function) = &options.function {
            load_function(&mut ebpf, function)?;
            // All are looked through before anything is attached.
            let places = function.find_in(&options.pids)?;
            for (place, &pid) in places.iter().zip(&options.pids) {
                attach_function(&mut ebpf, pid, function, place)?;
            }
            capabilities.push(("hand-off", function.to_string()));
        }
        let accounting = if options.accounting {
            Accounting::start()
        } else {
            None
        };
        Ok(Self {
            ebpf,
            ring,
            counts,
            watched,
            threads,
            sockets,
            slice_limit: (slice_limit, 0),
            capabilities,
            accounting,
            follows_calls: false,
            second_look,
        })
    }

    /// Follows the entry of system calls, which tells the messages of one recvmmsg(2) apart, and
    /// shows the waits that do not sleep. It costs every system call on the machine some tens of
    /// nanoseconds, so it is for processes that need it. Returns whether it does so only now.
    ///
    /// # Errors
    /// When the kernel refuses, for the first time.
    pub fn follow_calls(&mut self) -> Result<bool, ProbeError> {
        if self.follows_calls {
            return Ok(false);
        }
        self.follows_calls = true;
        CALL_ENTRY.attach(&mut self.ebpf)?;
        self.capabilities
            .push(("entry of system calls", CALL_ENTRY.to_string()));
        Ok(true)
    }

    /// The process is left alone from now on, where all are watched: of what it reads and does
    /// nothing is told.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn leave(&mut self, pid: NonZeroU32) -> Result<(), ProbeError> {
        Ok(self.watched.set(pid)?)
    }

    /// The process has ended: what was said of it does not hold for another that gets its number.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn unwatch(&mut self, pid: NonZeroU32) -> Result<(), ProbeError> {
        Ok(self.watched.clear(pid)?)
    }

    /// The calls of the function in this process are seen from now on.
    ///
    /// # Errors
    /// When the kernel refuses, or the process has ended.
    pub fn attach_function(
        &mut self,
        pid: NonZeroU32,
        function: &FunctionSpec,
        place: &FunctionPlace,
    ) -> Result<(), ProbeError> {
        attach_function(&mut self.ebpf, pid, function, place)
    }

    /// While much waits in the ring, so many bytes of each message are to be handed over.
    pub fn hand_over(&mut self, bytes: usize) {
        let (map, told) = &mut self.slice_limit;
        // An element of an array is always there; if not, the probes go on as before.
        if *told != bytes && map.set(0, bytes as u64, 0).is_ok() {
            *told = bytes;
        }
    }

    /// The ring of records.
    pub fn ring(&mut self) -> &mut RingBuf<MapData> {
        &mut self.ring
    }

    /// What is observed, and by which hook, or why it is not.
    #[must_use]
    pub fn capabilities(&self) -> &[(&'static str, String)] {
        &self.capabilities
    }

    /// What the probes could not do, since they were loaded.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn counts(&self) -> Result<Vec<(ProbeCounter, u64)>, ProbeError> {
        self.counts.read()
    }

    /// Runs of probes that the kernel left out: each an event that was not seen. When one of them
    /// was that of a receive call, these are looked at twice from then on, if the kernel does not
    /// refuse.
    pub fn missed_runs(&mut self) -> (u64, Result<(), ProbeError>) {
        let misses = Misses::read(&self.ebpf);
        let mut attached = Ok(());
        if self.second_look == Some(None) && misses.receives() {
            attached = SECOND_LOOK.attach(&mut self.ebpf);
            // One that is refused makes up for nothing.
            self.second_look = attached.is_ok().then(|| Some(misses.so_far()));
        }
        (misses.lost(self.second_look.flatten()), attached)
    }

    /// The tracked thread's counters as stored: the state in progress is not included. `None` when
    /// it is not tracked (any more).
    #[must_use]
    pub fn thread(&self, tid: u32) -> Option<TrackedThread> {
        self.threads.get(&tid, 0).ok()
    }

    /// The tracked thread's counters as of `now` (`CLOCK_MONOTONIC`, read before the call); `None`
    /// when it is not tracked, is being written, or is runnable (the throttled part of a wait in
    /// progress is known to the kernel side only).
    #[must_use]
    pub fn snapshot(&self, tid: u32, now: u64) -> Option<Snapshot> {
        let thread = self.thread(tid)?;
        let again = self.thread(tid)?;
        let stable = thread.seq % 2 == 0 && thread.seq == again.seq;
        if !stable || thread.state == ThreadState::RunQueue as u32 {
            return None;
        }
        let at = now.max(thread.since_ns);
        let mut ns = thread.state_ns;
        *ns.get_mut(thread.state as usize)? += at - thread.since_ns;
        Some(Snapshot {
            at_ns: at,
            state_ns: ns,
            tid,
            reserved: 0,
        })
    }

    /// The watched sockets by the number they go by in records: those that are not there are
    /// closed.
    ///
    /// # Errors
    /// When the map cannot be read.
    pub fn sockets(&self) -> Result<HashSet<u64>, ProbeError> {
        let sockets = self.sockets.iter();
        sockets.map(|known| Ok(known?.1.id)).collect()
    }

    /// What the probes cost; empty unless [`Options::accounting`].
    #[must_use]
    pub fn cost(&self) -> Vec<ProbeRun> {
        match self.accounting {
            Some(_) => cost::read(&self.ebpf),
            None => Vec::new(),
        }
    }

    /// The loaded object, for its log map.
    pub fn ebpf(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }
}

fn load_object(btf: &Btf, layout: &Layout, options: &Options) -> Result<Ebpf, ProbeError> {
    static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tag52-probes"));
    let all = u32::from(options.pids.is_empty());
    let log = u32::from(options.log);
    let track_holders = u32::from(options.track_holders);
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
    loader.override_global("SKIP_SWITCH_ONE_IN", &options.unseen_switches, true);
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

fn take_map(ebpf: &mut Ebpf, name: &'static str) -> Result<aya::maps::Map, MapError> {
    ebpf.take_map(name).ok_or(MapError::InvalidName {
        name: name.to_owned(),
    })
}

/// Runs the iterator once: it puts the targets' open sockets on the list and tells of each.
fn walk_open_files(ebpf: &mut Ebpf, btf: &Btf) -> Result<(), ProbeError> {
    const NAME: &str = "present_sockets";
    let iter: &mut Iter = program(ebpf, NAME)?;
    iter.load("task_file", btf).map_err(refused(NAME))?;
    let link = iter.attach().map_err(refused(NAME))?;
    let link = iter.take_link(link).map_err(refused(NAME))?;
    let mut file = link.into_file().map_err(|source| ProbeError::Io {
        what: "opening the file iterator".to_owned(),
        source: std::io::Error::other(source),
    })?;
    let mut nothing = Vec::new();
    file.read_to_end(&mut nothing)
        .map_err(|source| ProbeError::Io {
            what: "running the file iterator".to_owned(),
            source,
        })?;
    Ok(())
}

const fn function_probe(function: &FunctionSpec) -> &'static str {
    match function.side {
        CallSide::Entry => "function_entered",
        CallSide::Return => "function_returned",
    }
}

fn load_function(ebpf: &mut Ebpf, function: &FunctionSpec) -> Result<(), ProbeError> {
    let name = function_probe(function);
    let program: &mut UProbe = program(ebpf, name)?;
    program.load().map_err(refused(name))
}

fn attach_function(
    ebpf: &mut Ebpf,
    pid: NonZeroU32,
    function: &FunctionSpec,
    place: &FunctionPlace,
) -> Result<(), ProbeError> {
    let name = function_probe(function);
    let program: &mut UProbe = program(ebpf, name)?;
    program
        .attach(
            place.file_offset,
            &place.module,
            UProbeScope::OneProcess(pid),
        )
        .map_err(refused(name))?;
    Ok(())
}
