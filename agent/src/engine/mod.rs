//! The live run: from a [`Config`] to the summary.
//!
//! [`startup`] has the stages of a start, [`run_loop`] says what is done when, [`collector`] does
//! it.

mod clock_watch;
mod collector;
mod config;
mod culprit_resolver;
mod error;
mod holder_sampler;
mod lock_wait_counter;
mod metrics_service;
mod own_use;
mod probe_log;
mod process_infos;
mod quota_sampler;
mod run_loop;
mod startup;
mod thread_sampler;

use std::{
    io::{self, IsTerminal as _},
    sync::{Arc, Mutex},
};

use crate::{
    clock::{RunClocks, SteppedClocks, SystemClocks, TimeSource as _},
    domain::Moment,
    model::{Model, Summary},
    outputs::{
        Heartbeat, OutputError, OutputFormat, OutputWriter,
        top::{Screen, ScreenConfig},
    },
    pipeline::Publisher,
    recording::{Recorder, RecordingHeader, RecordingTotals, WriteError},
    signals::StopSignals,
};
use clock_watch::ClockWatch;
use collector::Collector;
use metrics_service::MetricsService;
use run_loop::{LiveScreen, RunEnd, RunLoop};
use startup::Resolved;

#[cfg(feature = "fault-injection")]
pub use config::PanicIn;
pub use config::{
    ClockStep, Config, Display, EndEvent, Faults, KubeConfig, OtlpTarget, RecordingConfig,
    RunOutcome, TargetConfig, TelemetryConfig,
};
pub use error::RunError;

pub use crate::targets::{CommandLineRegex, Glob, ProcessSelector};

/// Watches processes until the last has ended, a signal comes, or the live view is left, which
/// outlives the last process.
///
/// # Errors
/// [`RunError`]
pub fn run(config: &Config) -> Result<RunOutcome, RunError> {
    if matches!(config.display, Display::LiveView { .. }) && !io::stdout().is_terminal() {
        return Err(RunError::NoTerminal);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    runtime.block_on(watch(config))
}

async fn watch(config: &Config) -> Result<RunOutcome, RunError> {
    let resolved = Resolved::new(config).await?;
    let mut attached = resolved.probe_kernel()?.load()?.attach()?;
    let clocks = run_clocks(config);
    let clock_watch = ClockWatch::new(&clocks).map_err(RunError::Runtime)?;
    let start = Moment {
        monotonic_ns: clocks.clone().monotonic(),
        utc_ns: clocks.clone().realtime(),
    };
    let resolved = &mut attached.resolved;
    let watched = resolved.watched();
    let model = new_model(config, start, resolved.discovers());
    let heartbeat = Arc::new(Heartbeat::default());
    heartbeat.beat();
    let (endpoint, otlp) = (resolved.endpoint.take(), resolved.otlp.take());
    let metrics = MetricsService::start(&config.telemetry, endpoint, otlp, &model, &heartbeat)?;
    let publisher = new_publisher(config, &watched, start, model)?;
    let (collector, exits) = attached.collector(clocks, publisher)?;
    log::info!("watching {watched}");
    let run = AttachedRun {
        config,
        watched: &watched,
        collector,
        // Before the live view takes the terminal: a signal has to give it back.
        signals: StopSignals::new().map_err(RunError::Runtime)?,
        heartbeat: &heartbeat,
    };
    let ended = run.until_the_end(exits, &clock_watch).await;
    metrics.stop().await;
    ended
}

fn new_model(config: &Config, start: Moment, discovers: bool) -> Arc<Mutex<Model>> {
    let mut model = Model::new(start);
    model.set_max_latency(config.max_latency);
    model.set_max_series(metrics_service::max_sessions(&config.telemetry));
    if discovers {
        model.merge_ended_sessions();
    }
    Arc::new(Mutex::new(model))
}

fn new_publisher(
    config: &Config,
    watched: &str,
    start: Moment,
    model: Arc<Mutex<Model>>,
) -> Result<Publisher<Recorder>, RunError> {
    let recorder = config.recording.as_ref().map(|to| {
        let header = RecordingHeader::new(watched.to_owned(), start, config.max_latency);
        Recorder::start(&to.path, to.max_size_bytes, header)
    });
    let format = match config.display {
        Display::Lines(format) => format,
        Display::LiveView { .. } => OutputFormat::SummaryOnly,
    };
    let outputs = OutputWriter::stdout(format, watched.to_owned());
    Ok(Publisher::new(model, outputs, recorder.transpose()?))
}

/// A run whose probes are attached.
struct AttachedRun<'a> {
    config: &'a Config,
    watched: &'a str,
    collector: Collector,
    signals: StopSignals,
    heartbeat: &'a Heartbeat,
}

impl AttachedRun<'_> {
    async fn until_the_end(
        mut self,
        mut exits: tokio::sync::mpsc::Receiver<std::num::NonZeroU32>,
        clock_watch: &ClockWatch,
    ) -> Result<RunOutcome, RunError> {
        let mut screen = match self.config.display {
            Display::LiveView { .. } => {
                let config = screen_config(self.config, self.watched);
                Some(Screen::open(config).map_err(RunError::Screen)?)
            }
            Display::Lines(_) => None,
        };
        let view = screen.as_mut().map(|screen| LiveScreen {
            screen,
            watched: self.watched,
            #[cfg(feature = "fault-injection")]
            panics: self.config.faults.panic == Some(PanicIn::Watching),
        });
        let run_loop = RunLoop {
            signals: &mut self.signals,
            exits: &mut exits,
            clock_watch,
            heartbeat: self.heartbeat,
            interval: self.config.interval,
            ends_when_stalled: self.config.ends_on == EndEvent::Stall,
            view,
        };
        let ended = run_loop.run(&mut self.collector).await;
        let ended = ended.and_then(|end| {
            self.collector.drain()?;
            Ok((end, self.collector.end()?))
        });
        let recorded = self.collector.close_recording();
        let closed = match screen {
            Some(screen) => self.close(screen, &ended).await,
            None => Ok(()),
        };
        let outcome = match &ended {
            Ok((RunEnd::Stalled, _)) => RunOutcome::Stalled,
            _ => RunOutcome::Ended,
        };
        let finished = ended.and_then(|(_, summary)| self.collector.finish(&summary));
        match finished {
            // Nobody reads any more: a reason to end, not a failure.
            Err(OutputError::Closed) | Ok(()) => {}
            Err(failed) => return Err(failed.into()),
        }
        recorded.map_or(Ok(()), log_recording)?;
        closed?;
        Ok(outcome)
    }

    /// Gives the terminal back; keeps the last view before, where that is wanted.
    async fn close(
        &mut self,
        mut screen: Screen,
        ended: &Result<(RunEnd, Summary), OutputError>,
    ) -> Result<(), RunError> {
        let stays = matches!(self.config.display, Display::LiveView { stay: true });
        if stays && matches!(ended, Ok((RunEnd::LastProcess, _))) {
            let mut view = self.collector.view(self.watched);
            view.ended = true;
            screen.show(view);
            run_loop::stay(&mut screen, &mut self.signals, self.heartbeat).await;
        }
        screen.close().await.map_err(RunError::Screen)
    }
}

fn log_recording(recorded: Result<RecordingTotals, WriteError>) -> Result<(), RunError> {
    log::info!("{}", recorded?);
    Ok(())
}

fn screen_config(config: &Config, watched: &str) -> ScreenConfig {
    #[cfg(not(feature = "fault-injection"))]
    let _ = config;
    ScreenConfig {
        target: watched.to_owned(),
        commands: None,
        #[cfg(feature = "fault-injection")]
        panics: config.faults.panic == Some(PanicIn::Drawing),
    }
}

/// The clocks to read; a simulated step is logged, as whoever asked for it has to know when it was.
fn run_clocks(config: &Config) -> RunClocks {
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
