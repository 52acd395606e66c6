//! What to watch, and how: the flags that `run`, `top` and `record` share.

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use tag52::{
    engine::{
        ClockStep, CommandLineRegex, Config, Display, EndEvent, Faults, Glob, KubeConfig,
        OtlpTarget, ProcessSelector, RecordingConfig, TargetConfig, TelemetryConfig,
    },
    kernel::FunctionSpec,
    kube::{KubeMode, LabelSelector, PodSelector},
    outputs::MAX_SERIES,
};

use super::values::{address, clock_step, duration, pid, series};

/// What to watch, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct Watch {
    /// A process that reads FIX. Its sessions, open and future, are found automatically. Repeat the
    /// flag or separate pids by commas.
    #[arg(
        long = "pid",
        value_name = "PID",
        required_unless_present = "all",
        value_delimiter = ',',
        value_parser = pid
    )]
    pub(crate) pids: Vec<NonZeroU32>,
    /// Watch every process that reads a TCP stream beginning with 8=FIX, now or later, until a
    /// signal comes. Selectors narrow this down: repeated selectors of one kind are ORed;
    /// different kinds are ANDed.
    #[arg(long, conflicts_with = "pids")]
    pub(crate) all: bool,
    /// Which of all processes to watch.
    #[command(flatten)]
    pub(crate) select: Select,
    /// Watch only sessions with this local or remote port.
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// The time between two lines per session: 500ms, 1s, 1m.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub(crate) interval: Duration,
    /// The age at which the engine or the counterparty refuses messages. The verdict says when it
    /// will be reached.
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = duration)]
    pub(crate) max_latency: Duration,
    /// A message is handed off when this function returns (SYMBOL, SYMBOL@return) or is entered
    /// (SYMBOL@entry). The symbol, mangled or demangled, is resolved in a background thread for
    /// each new process. Default: a message is handed off when the thread next reads from the
    /// socket or waits for it.
    #[arg(long, value_name = "SYMBOL")]
    pub(crate) handoff: Option<FunctionSpec>,
    /// Serve Prometheus metrics at /metrics and health at /healthz.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
    /// Where metrics go.
    #[command(flatten)]
    pub(crate) telemetry: Telemetry,
    /// Do not sample what the holders of locks are doing (their state and function) while a thread
    /// that reads FIX waits for them.
    #[arg(long)]
    pub(crate) no_stacks: bool,
    /// Names of pods, from the Kubernetes API.
    #[command(flatten)]
    pub(crate) kube: KubeArguments,
    /// Measure the run time of the probes, at 20 to 60 ns per run. Implied by --listen.
    #[arg(long)]
    pub(crate) probe_cost: bool,
    /// For the accuracy lab: the wall clock as the agent reads it steps by BY, AFTER it began to
    /// watch (`3s:-2s`). The machine's clock is left alone; the instant is logged.
    #[arg(long, value_name = "AFTER:BY", hide = true, value_parser = clock_step)]
    pub(crate) simulate_clock_step: Option<ClockStep>,
    /// For the live tests: of the switches to a tracked thread, one in so many is not observed, as
    /// on a machine whose tracepoints stay silent now and then; 0: all are observed.
    #[cfg(feature = "fault-injection")]
    #[arg(long, value_name = "N", hide = true, default_value_t = 0)]
    pub(crate) simulate_unseen_switches: u32,
}

/// Repeated selectors of one kind are ORed; different kinds are ANDed.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Select {
    /// With --all: only processes with this name, the main thread's of at most 15 characters; * and
    /// ? match any text and any character. Repeatable, as all selectors.
    #[arg(long, value_name = "GLOB", requires = "all")]
    pub(crate) comm: Vec<Glob>,
    /// With --all: only processes whose command line matches.
    #[arg(
        long,
        value_name = "REGEX",
        requires = "all",
        allow_hyphen_values = true
    )]
    pub(crate) cmdline: Vec<CommandLineRegex>,
    /// With --all: only processes in such a cgroup, by its path in /proc/PID/cgroup; * matches
    /// slashes too.
    #[arg(long, value_name = "GLOB", requires = "all")]
    pub(crate) cgroup: Vec<Glob>,
    /// With --all: only processes of pods in this namespace. Needs the Kubernetes API.
    #[arg(long, value_name = "NAME", requires = "all")]
    pub(crate) namespace: Vec<String>,
    /// With --all: only processes of pods with such labels: key=value, key!=value, key in (a,b),
    /// key notin (a,b), key, !key, or several separated by commas. Needs the Kubernetes API.
    #[arg(long, value_name = "LABELS", requires = "all")]
    pub(crate) pod_selector: Vec<LabelSelector>,
}

/// Where names of pods come from.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct KubeArguments {
    /// Whether to ask the Kubernetes API for the names of this node's pods, which needs the rights
    /// get, list and watch on pods. Otherwise pods and containers have ids only.
    #[arg(long = "kube", value_name = "WHEN", default_value = "auto")]
    pub(crate) mode: KubeUse,
    /// The name of this node. In a DaemonSet, set NODE_NAME from the field spec.nodeName instead.
    #[arg(long, value_name = "NODE")]
    pub(crate) node_name: Option<String>,
    /// Address and credentials of the API outside of a pod. Default with --kube on: KUBECONFIG,
    /// then ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
}

/// Where metrics go.
#[derive(Clone, Debug, Args)]
pub(crate) struct Telemetry {
    /// The largest number of series; sessions beyond it are counted together as "other".
    #[arg(long, value_name = "N", default_value_t = MAX_SERIES, value_parser = series)]
    pub(crate) max_series: u64,
    /// Export metrics by OTLP (http/protobuf) to this URL, such as http://collector:4318. Without a
    /// URL: to OTEL_EXPORTER_OTLP_ENDPOINT, or to port 4318 of this machine.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    pub(crate) otlp: Option<String>,
    /// The time between two exports: 5s, 1m.
    #[arg(long, value_name = "TIME", default_value = "10s", requires = "otlp", value_parser = duration)]
    pub(crate) otlp_interval: Duration,
}

/// Whether the agent asks the Kubernetes API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum KubeUse {
    /// Ask it in a pod with a service account.
    #[default]
    Auto,
    /// Ask it; anything that is missing is an error.
    On,
    /// Do not ask it.
    Off,
}

impl Select {
    /// The flags that are given.
    fn flags(&self) -> Vec<&'static str> {
        let given = [
            ("--comm", !self.comm.is_empty()),
            ("--cmdline", !self.cmdline.is_empty()),
            ("--cgroup", !self.cgroup.is_empty()),
            ("--namespace", !self.namespace.is_empty()),
            ("--pod-selector", !self.pod_selector.is_empty()),
        ];
        let given = given.into_iter().filter(|(_, is_given)| *is_given);
        given.map(|(flag, _)| flag).collect()
    }

    fn selector(self) -> ProcessSelector {
        ProcessSelector {
            comms: self.comm,
            command_lines: self.cmdline,
            cgroups: self.cgroup,
            pods: PodSelector {
                namespaces: self.namespace,
                labels: self.pod_selector,
            },
        }
    }
}

impl KubeArguments {
    fn config(self) -> KubeConfig {
        KubeConfig {
            mode: match self.mode {
                KubeUse::Auto => KubeMode::Auto,
                KubeUse::On => KubeMode::On,
                KubeUse::Off => KubeMode::Off,
            },
            node_name: self.node_name,
            kubeconfig: self.kubeconfig,
        }
    }
}

impl Watch {
    /// What is wrong with the flags together, and what to write instead. clap drops `requires =
    /// "all"` where `--pid` is given, which conflicts with it.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let flags = self.select.flags().join(", ");
        if self.all || flags.is_empty() {
            return None;
        }
        Some(format!(
            "{flags} cannot be used with --pid, only with --all: write --all in place of --pid to \
             watch the processes that match, or omit {flags} to watch the given processes"
        ))
    }

    /// The configuration of a run that shows and records this.
    pub(crate) fn config(
        self,
        display: Display,
        recording: Option<RecordingConfig>,
        probe_log: bool,
    ) -> Config {
        let targets = if self.all {
            TargetConfig::Discovered(self.select.selector())
        } else {
            TargetConfig::Pids(self.pids)
        };
        Config {
            targets,
            port: self.port,
            handoff: self.handoff,
            interval: self.interval,
            max_latency: self.max_latency,
            display,
            recording,
            telemetry: TelemetryConfig {
                listen: self.listen,
                max_series: self.telemetry.max_series,
                otlp: self.telemetry.otlp.map(|url| OtlpTarget {
                    url,
                    interval: self.telemetry.otlp_interval,
                }),
            },
            kube: self.kube.config(),
            sample_holders: !self.no_stacks,
            probe_cost: self.probe_cost,
            probe_log,
            ends_on: EndEvent::LastProcess,
            faults: Faults {
                clock_step: self.simulate_clock_step,
                #[cfg(feature = "fault-injection")]
                unobserved_switches: self.simulate_unseen_switches,
                #[cfg(feature = "fault-injection")]
                panic: None,
            },
        }
    }
}
