//! The run loop: drains the ring, feeds the sessions, tells the outputs.

mod clock_set;
mod collector;
mod error;
mod names;
mod probe_log;
mod quotas;
mod server;
mod tell;
mod threads;

use std::{
    io,
    num::NonZeroU32,
    os::fd::AsRawFd,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{Interest, unix::AsyncFd},
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use crate::{
    cli::{Record, Run},
    join::clock::{RunTime, SteppedTime, SystemTime, TimeSource as _},
    model::{Model, Moment},
    outputs::{Endpoint, Heartbeat, OutputError, Outputs},
    probes::{Options, Probes},
    record::{Header, Recorder, WriteError, Written},
    target::Targets,
};
use clock_set::ClockSet;
use collector::Collector;
use names::Names;

pub use error::RunError;
pub(crate) use server::Server;

/// How often the ring is drained when nothing presses: the probes wake the agent only when much is
/// waiting.
const DRAIN_EVERY: Duration = Duration::from_millis(50);

/// Watches processes until the last has ended or a signal comes.
///
/// # Errors
/// [`RunError`]
pub fn run(arguments: &Run) -> Result<(), RunError> {
    begin(arguments, None)
}

/// The same, and records what is measured.
///
/// # Errors
/// [`RunError`]
pub fn record(arguments: &Record) -> Result<(), RunError> {
    begin(&arguments.run, Some(arguments))
}

fn begin(arguments: &Run, recording: Option<&Record>) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    runtime.block_on(watch(arguments, recording))
}

async fn watch(arguments: &Run, recording: Option<&Record>) -> Result<(), RunError> {
    let targets = Targets::open(&arguments.pids)?;
    let endpoint = match arguments.listen {
        Some(address) => Some(Endpoint::bind(address).await?),
        None => None,
    };
    let mut probes = Probes::load(&Options {
        pids: arguments.pids.clone(),
        function: arguments.handoff.clone(),
        accounting: arguments.listen.is_some() || arguments.probe_cost,
        log: arguments.probe_log,
        unseen_switches: arguments.simulate_unseen_switches,
    })?;
    give_back_memory();
    if arguments.probe_log {
        probe_log::follow(&mut probes)?;
    }
    let time = run_time(arguments);
    let start = Moment {
        monotonic_ns: time.clone().monotonic(),
        utc_ns: time.clone().realtime(),
    };
    let mut model = Model::new(start);
    model.set_max_latency(arguments.max_latency);
    let model = Arc::new(Mutex::new(model));
    let heartbeat = Arc::new(Heartbeat::default());
    heartbeat.beat();
    let server = endpoint.map(|e| Server::start(e, &model, &heartbeat));
    let watched = targets.to_string();
    let recorder = recording.map(|to| {
        let header = Header::new(watched.clone(), start);
        Recorder::start(&to.output, to.max_size, header)
    });
    let mut ends = ends(targets).map_err(RunError::Runtime)?;
    let mut outputs = Outputs::stdout(arguments.format(), watched.clone());
    let clock_set = ClockSet::new(&time).map_err(RunError::Runtime)?;
    let mut collector = Collector::new(
        probes,
        arguments,
        time,
        Arc::clone(&model),
        recorder.transpose()?,
        Names::new().map_err(RunError::Runtime)?,
    );
    eprintln!("tag52: watching {watched}");
    let told = follow(
        &mut collector,
        &mut outputs,
        &mut ends,
        &clock_set,
        arguments.interval,
        &heartbeat,
    )
    .await;
    let told = told.and_then(|()| {
        collector.drain(&mut outputs)?;
        collector.finish(&mut outputs)
    });
    if let Some(server) = server {
        server.stop().await;
    }
    let recorded = collector.close_recording();
    match told {
        // Nobody reads any more: a reason to end, not a failure.
        Err(OutputError::Closed) | Ok(()) => {}
        Err(failed) => return Err(failed.into()),
    }
    recorded.map_or(Ok(()), say_recorded)
}

fn say_recorded(recorded: Result<Written, WriteError>) -> Result<(), RunError> {
    let written = recorded?;
    eprintln!("tag52: {written}");
    Ok(())
}

/// The clocks to read, and a line on a simulated step, which whoever asked for it has to follow.
fn run_time(arguments: &Run) -> RunTime {
    let Some(step) = arguments.simulate_clock_step else {
        return RunTime::System(SystemTime);
    };
    let at = SystemTime.monotonic() + step.after.as_nanos() as u64;
    eprintln!(
        "tag52: simulating a step of the wall clock by {} ns at {at} ns",
        step.by_ns
    );
    RunTime::Stepped(SteppedTime { at, by: step.by_ns })
}

/// Reading the kernel's types took tens of MiB that are not needed again.
fn give_back_memory() {
    // SAFETY: no pointers; it only returns free pages to the system.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Tells when a descriptor can be read.
fn readiness<T: AsRawFd>(fd: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: every caller's descriptor is open, and stays the same, for as long as it is held.
    let registered = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
    registered.map_err(Into::into)
}

/// Tells which process has ended; closed once all have.
fn ends(targets: Targets) -> io::Result<mpsc::Receiver<NonZeroU32>> {
    let (tell, told) = mpsc::channel(1);
    for target in targets {
        let (pid, tell) = (target.pid(), tell.clone());
        let target = readiness(target)?;
        tokio::spawn(async move {
            let _ended = target.readable().await;
            // The run may be over for another reason.
            let _gone = tell.send(pid).await;
        });
    }
    Ok(told)
}

/// Until the last process has ended, a signal comes or nobody reads the output.
async fn follow(
    collector: &mut Collector,
    outputs: &mut Outputs,
    ends: &mut mpsc::Receiver<NonZeroU32>,
    clock_set: &ClockSet,
    every: Duration,
    heartbeat: &Heartbeat,
) -> Result<(), OutputError> {
    let io = |e: io::Error| OutputError::Failed(e);
    let ring = readiness(collector.ring_fd()?).map_err(io)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(io)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(io)?;
    let mut drain = interval(DRAIN_EVERY);
    drain.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tell = interval(every);
    tell.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick of an interval is at once.
    tell.tick().await;
    loop {
        tokio::select! {
            biased;
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
            () = clock_set.set() => collector.clock_set(),
            pressed = ring.readable() => {
                if let Ok(mut guard) = pressed {
                    guard.clear_ready();
                }
                collector.drain(outputs)?;
            }
            _ = drain.tick() => {
                collector.drain(outputs)?;
                collector.look_at_starving_readers();
                collector.look_at_new_processes(outputs);
            }
            _ = tell.tick() => {
                collector.drain(outputs)?;
                collector.interval(outputs)?;
            }
            ended = ends.recv() => {
                let Some(pid) = ended else {
                    return Ok(());
                };
                eprintln!("tag52: pid {pid} has ended");
                collector.process_ended(pid);
            }
        }
        heartbeat.beat();
    }
}
