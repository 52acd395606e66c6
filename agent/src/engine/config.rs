//! What a live run is asked to do.

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use crate::{
    kernel::FunctionSpec, kube::KubeMode, outputs::OutputFormat, targets::ProcessSelector,
};

/// What a live run watches, measures and shows.
#[derive(Clone, Debug)]
pub struct Config {
    /// The processes to follow.
    pub targets: TargetConfig,
    /// Only sessions with this local or remote port.
    pub port: Option<u16>,
    /// Where messages are handed off; `None`: when the thread next reads or waits for the socket.
    pub handoff: Option<FunctionSpec>,
    /// Time between two lines per session.
    pub interval: Duration,
    /// The age at which the counterparty or the engine refuses messages.
    pub max_latency: Duration,
    /// What is shown while it runs.
    pub display: Display,
    /// The recording to write, if any.
    pub recording: Option<RecordingConfig>,
    /// Where the metrics go.
    pub telemetry: TelemetryConfig,
    /// Where names of pods come from.
    pub kube: KubeConfig,
    /// Whether the holders of locks are sampled while ingest threads wait for them.
    pub sample_holders: bool,
    /// Whether the run time of the probes is accounted for even if no metrics are asked for.
    pub probe_cost: bool,
    /// Whether the diagnostic lines of the probes are logged.
    pub probe_log: bool,
    /// What ends the run besides a signal.
    pub ends_on: EndEvent,
    /// Faults to simulate, for tests.
    pub faults: Faults,
}

/// What ends a run besides a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndEvent {
    /// The last process has ended.
    LastProcess,
    /// That, or a session is stalled.
    Stall,
}

/// How a run ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// The last process has ended, a signal came, or nobody reads any more.
    Ended,
    /// A session was stalled, and that was to end the run.
    Stalled,
}

/// The processes to follow.
#[derive(Clone, Debug)]
pub enum TargetConfig {
    /// Those with these pids, until the last of them has ended.
    Pids(Vec<NonZeroU32>),
    /// Every process that reads FIX and that the selector admits, until a signal comes.
    Discovered(ProcessSelector),
}

/// What is shown while a run goes on; its end is always the summary.
#[derive(Clone, Copy, Debug)]
pub enum Display {
    /// Lines on standard output.
    Lines(OutputFormat),
    /// The live view on the terminal.
    LiveView {
        /// Keep the last view when the last process has ended, until `q`.
        stay: bool,
    },
}

/// A recording to write.
#[derive(Clone, Debug)]
pub struct RecordingConfig {
    /// The newest segment; older ones get `.1`, `.2` and so on.
    pub path: PathBuf,
    /// All segments together, bytes.
    pub max_size_bytes: u64,
}

/// Where the metrics go.
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// Where they are served.
    pub listen: Option<SocketAddr>,
    /// Series at the most; room for one session at the least ([`crate::outputs::sessions_within`]).
    pub max_series: u64,
    /// Where they are exported to.
    pub otlp: Option<OtlpTarget>,
}

/// A receiver of OTLP metrics.
#[derive(Clone, Debug)]
pub struct OtlpTarget {
    /// Its URL; empty: what the environment says, else this machine.
    pub url: String,
    /// Time between two exports.
    pub interval: Duration,
}

/// Where names of pods come from.
#[derive(Clone, Debug, Default)]
pub struct KubeConfig {
    /// Whether the agent asks the Kubernetes API.
    pub mode: KubeMode,
    /// The node whose pods are wanted; `None`: what the environment says.
    pub node_name: Option<String>,
    /// Where the API is and who asks, outside of a pod.
    pub kubeconfig: Option<PathBuf>,
}

/// Faults to simulate. Those that would touch a hot path exist only where they are compiled in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A step of the wall clock as the agent reads it; the machine's clock is left alone.
    pub clock_step: Option<ClockStep>,
    /// Of the switches to a tracked thread one in so many goes unobserved; 0: none.
    #[cfg(feature = "fault-injection")]
    pub unobserved_switches: u32,
    /// A panic some seconds after the live view was opened.
    #[cfg(feature = "fault-injection")]
    pub panic: Option<PanicIn>,
}

/// Where a panic is simulated.
#[cfg(feature = "fault-injection")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PanicIn {
    /// The thread that draws.
    Drawing,
    /// The thread that watches.
    Watching,
}

/// A step of the wall clock to simulate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStep {
    /// From the beginning of the run.
    pub after: Duration,
    /// By how much, ns; forwards when positive.
    pub by_ns: i64,
}

impl Config {
    /// The pids to follow; none where processes are discovered.
    #[must_use]
    pub fn pids(&self) -> &[NonZeroU32] {
        match &self.targets {
            TargetConfig::Pids(pids) => pids,
            TargetConfig::Discovered(_) => &[],
        }
    }

    /// Whether what all threads do with their time is shown: in the live view and in a recording.
    pub(super) const fn shows_threads(&self) -> bool {
        matches!(self.display, Display::LiveView { .. }) || self.recording.is_some()
    }

    /// Whether metrics go anywhere.
    #[must_use]
    pub const fn publishes_metrics(&self) -> bool {
        self.telemetry.listen.is_some() || self.telemetry.otlp.is_some()
    }
}
