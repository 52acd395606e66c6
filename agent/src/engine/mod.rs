//! The run loop: drains the ring, feeds the sessions, tells the outputs.

mod clock_set;
mod collector;
mod config;

mod error;

mod holders;
mod names;
mod own_use;
mod probe_log;
mod processes;
mod quotas;
mod telemetry;
mod thread_use;
mod threads;

use std::{
    io::{self, IsTerminal as _},
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use crate::{
    clock::{RunClocks, SteppedClocks, SystemClocks, TimeSource as _},
    domain::Moment,
    kernel::{KernelSupport, LoadedProbes, ProbeConfig},
    kube::{KubeAccess, KubeSetup, PodDirectory},
    model::Model,
    outputs::{
        Endpoint, Heartbeat, OutputError, OutputFormat, OutputWriter,
        top::{Screen, ScreenConfig},
    },
    pipeline::Publisher,
    readiness::readiness,
    recording::{Header, Recorder, WriteError, Written},
    signals::StopSignals,
    targets::{
        ProcessSelector,
        discovered::DiscoveredProcesses,
        exits::ExitWatcher,
        target::{Targets, require_initial_namespace},
    },
};
use clock_set::ClockSet;
use collector::Collector;
use names::Names;
use telemetry::Telemeter;

#[cfg(feature = "fault-injection")]
pub use config::PanicIn;
pub use config::{
    ClockStep, Config, Display, Faults, KubeConfig, OtlpTarget, RecordingConfig, TargetConfig,
    TelemetryConfig,
};
pub use error::RunError;

/// How often the ring is drained when nothing presses: the probes wake the agent only when much is
/// waiting.
const DRAIN_EVERY: Duration = Duration::from_millis(50);

/// How often it says that it is alive when there is nothing left to watch.
const ALIVE: Duration = Duration::from_secs(1);

/// How often the holders of locks are looked at, while somebody waits. No multiple of CPython's
/// switch interval (5 ms), so that looks fall into every phase of it.
const LOOK_EVERY: Duration = Duration::from_millis(7);

/// Watches processes until the last has ended, a signal comes, or the live view is left, which
/// outlives the last process.
///
/// # Errors
/// [`RunError`]
pub fn run(config: &Config) -> Result<(), RunError> {
    if matches!(config.display, Display::LiveView { .. }) && !io::stdout().is_terminal() {
        return Err(RunError::NoTerminal);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    runtime.block_on(watch(config))
}

async fn watch(config: &Config) -> Result<(), RunError> {
    let (targets, selector) = match &config.targets {
        TargetConfig::Pids(pids) => (Some(Targets::open(pids)?), ProcessSelector::default()),
        TargetConfig::Discovered(selector) => {
            require_initial_namespace()?;
            allow_descriptors();
            (None, selector.clone())
        }
    };
    let discovers = targets.is_none();
    let endpoint = match config.telemetry.listen {
        Some(address) => Some(Endpoint::bind(address).await?),
        None => None,
    };
    let kube = resolve_pods(&config.kube).await?;
    if kube.is_none() && !selector.pods.is_any() {
        return Err(RunError::NoPods);
    }
    let otlp = telemetry::config(&config.telemetry)?;
    let names = Names::new(config.pids()).map_err(RunError::Runtime)?;
    let support = KernelSupport::probe()?;
    let loaded = LoadedProbes::load(support, probe_config(config))?;
    let mut probes = loaded.attach()?;
    give_back_memory();
    if config.probe_log {
        probe_log::follow(&mut probes)?;
    }
    let time = run_time(config);
    let start = Moment {
        monotonic_ns: time.clone().monotonic(),
        utc_ns: time.clone().realtime(),
    };
    let mut model = Model::new(start);
    model.set_max_latency(config.max_latency);
    model.set_max_series(telemetry::room(&config.telemetry));
    if discovers {
        model.merge_ended_sessions();
    }
    let model = Arc::new(Mutex::new(model));
    let heartbeat = Arc::new(Heartbeat::default());
    heartbeat.beat();
    let telemeter = Telemeter::start(&config.telemetry, endpoint, otlp, &model, &heartbeat)?;
    let watched = match &targets {
        Some(targets) => targets.to_string(),
        None => "every process that reads FIX".to_owned(),
    };
    let recorder = config.recording.as_ref().map(|to| {
        let header = Header::new(watched.clone(), start, config.max_latency);
        Recorder::start(&to.path, to.max_size_bytes, header)
    });
    let (all_ends, mut ends) = ExitWatcher::new();
    let found = match targets {
        Some(targets) => {
            for target in targets {
                all_ends.watch(target).map_err(RunError::Runtime)?;
            }
            // Once all of these have ended, so has the watch.
            drop(all_ends);
            None
        }
        None => {
            let found = DiscoveredProcesses::new(selector, all_ends, config.handoff.clone());
            Some(found.map_err(RunError::Runtime)?)
        }
    };
    let (format, live) = match config.display {
        Display::Lines(format) => (format, None),
        Display::LiveView { stay } => (OutputFormat::SummaryOnly, Some(stay)),
    };
    let outputs = OutputWriter::stdout(format, watched.clone());
    let publisher = Publisher::new(Arc::clone(&model), outputs, recorder.transpose()?);
    let clock_set = ClockSet::new(&time).map_err(RunError::Runtime)?;
    let mut collector = Collector::new(probes, config, time, publisher, names, found);
    if let Some(kube) = kube {
        collector.resolve_pods(kube);
    }
    if live.is_some() || config.recording.is_some() {
        collector.publish_threads();
    }
    if config.publishes_metrics() {
        collector.publish_readers();
    }
    log::info!("watching {watched}");
    // Before the terminal is another one: a signal has to give it back.
    let mut signals = StopSignals::new().map_err(RunError::Runtime)?;
    let mut screen = match live {
        Some(_) => Some(Screen::open(setup(config, &watched)).map_err(RunError::Screen)?),
        None => None,
    };
    let told = follow(
        &mut collector,
        screen.as_mut().map(|window| Live {
            window,
            watched: &watched,
            #[cfg(feature = "fault-injection")]
            panics: config.faults.panic == Some(PanicIn::Watching),
        }),
        Outside {
            signals: &mut signals,
            ends: &mut ends,
            clock_set: &clock_set,
        },
        config.interval,
        &heartbeat,
    )
    .await;
    let told = told.and_then(|why| {
        collector.drain()?;
        Ok((why, collector.end()?))
    });
    let recorded = collector.close_recording();
    let left = match screen {
        Some(mut screen) => {
            if live == Some(true)
                && let Ok((End::Processes, _)) = told
            {
                let mut view = collector.view(&watched);
                view.ended = true;
                screen.show(view);
                stay(&mut screen, &mut signals, &heartbeat).await;
            }
            screen.close().await.map_err(RunError::Screen)
        }
        None => Ok(()),
    };
    let told = told.and_then(|(_, summary)| collector.finish(&summary));
    telemeter.stop().await;
    match told {
        // Nobody reads any more: a reason to end, not a failure.
        Err(OutputError::Closed) | Ok(()) => {}
        Err(failed) => return Err(failed.into()),
    }
    recorded.map_or(Ok(()), say_recorded)?;
    left
}

fn say_recorded(recorded: Result<Written, WriteError>) -> Result<(), RunError> {
    let written = recorded?;
    log::info!("{written}");
    Ok(())
}

fn setup(config: &Config, watched: &str) -> ScreenConfig {
    #[cfg(not(feature = "fault-injection"))]
    let _ = config;
    ScreenConfig {
        target: watched.to_owned(),
        commands: None,
        #[cfg(feature = "fault-injection")]
        panics: config.faults.panic == Some(PanicIn::Drawing),
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

/// Begins to follow this node's pods, where that is wanted and possible.
async fn resolve_pods(config: &KubeConfig) -> Result<Option<PodDirectory>, RunError> {
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

/// The clocks to read, and a line on a simulated step, which whoever asked for it has to follow.
fn run_time(config: &Config) -> RunClocks {
    let Some(step) = config.faults.clock_step else {
        return RunClocks::System(SystemClocks);
    };
    let at = SystemClocks.monotonic() + step.after.as_nanos() as u64;
    log::info!(
        "simulating a step of the wall clock by {} ns at {at} ns",
        step.by_ns
    );
    RunClocks::Stepped(SteppedClocks {
        step_at_ns: at,
        step_by_ns: step.by_ns,
    })
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

/// What a watch is told from elsewhere.
struct Outside<'a> {
    signals: &'a mut StopSignals,
    ends: &'a mut mpsc::Receiver<NonZeroU32>,
    clock_set: &'a ClockSet,
}

/// Why watching is over.
enum End {
    /// A signal came, or the live view was left.
    Asked,
    /// The last process has ended.
    Processes,
}

/// Until the last process has ended, a signal comes, the live view is left or nobody reads the
/// output.
async fn follow(
    collector: &mut Collector,
    mut live: Option<Live<'_>>,
    outside: Outside<'_>,
    every: Duration,
    heartbeat: &Heartbeat,
) -> Result<End, OutputError> {
    let Outside {
        signals,
        ends,
        clock_set,
    } = outside;
    let io = |e: io::Error| OutputError::Failed(e);
    let ring = readiness(collector.ring_fd()?).map_err(io)?;
    let mut drain = interval(DRAIN_EVERY);
    drain.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tell = interval(every);
    tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick of an interval is at once.
    tell.tick().await;
    loop {
        tokio::select! {
            biased;
            () = signals.any() => return Ok(End::Asked),
            () = left(&mut live) => return Ok(End::Asked),
            () = clock_set.set() => collector.clock_set(),
            pressed = ring.readable() => {
                if let Ok(mut guard) = pressed {
                    guard.clear_ready();
                }
                collector.drain()?;
            }
            _ = drain.tick() => {
                collector.drain()?;
                collector.look_at_starving_readers();
                collector.settle_found();
                collector.look_at_new_processes();
                collector.look_for_waiters();
            }
            _ = look.tick(), if collector.wants_to_see_holders() => collector.look_at_holders(),
            _ = tell.tick() => {
                collector.drain()?;
                collector.interval()?;
                if let Some(live) = &mut live {
                    live.show(collector);
                }
            }
            ended = ends.recv() => {
                let Some(pid) = ended else {
                    return Ok(End::Processes);
                };
                // What it did last is in the ring.
                collector.drain()?;
                collector.process_ended(pid);
            }
        }
        heartbeat.beat();
    }
}

/// The live view of a watch.
struct Live<'a> {
    window: &'a mut Screen,
    watched: &'a str,
    /// For tests.
    #[cfg(feature = "fault-injection")]
    panics: bool,
}

impl Live<'_> {
    /// Shows what the model holds now, unless the view before is too fresh.
    fn show(&mut self, collector: &Collector) {
        if self.window.is_due() {
            self.window.show(collector.view(self.watched));
        }
        #[cfg(feature = "fault-injection")]
        assert!(!self.panics, "a panic was asked for");
    }
}

/// Until the live view is left; for ever without one.
async fn left(live: &mut Option<Live<'_>>) {
    match live {
        Some(live) => live.window.left().await,
        None => std::future::pending().await,
    }
}

/// Until the last view is left or a signal comes.
async fn stay(window: &mut Screen, signals: &mut StopSignals, heartbeat: &Heartbeat) {
    let mut alive = interval(ALIVE);
    loop {
        tokio::select! {
            () = signals.any() => return,
            () = window.left() => return,
            _ = alive.tick() => heartbeat.beat(),
        }
    }
}
