//! The command line.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    kernel::FunctionSpec,
    kube::{
        Mode,
        selector::{LabelSelector, PodSelector},
    },
    outputs::{MAX_SERIES, OutputFormat, perfetto::Filter, sessions_within},
    targets::discovery::{CommandLine, Glob, Selector},
};

/// Where the age of a FIX message comes from: network, run queue, throttling, locks, blocking
/// calls.
#[derive(Clone, Debug, Parser)]
#[command(name = "tag52", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Watch processes and split the age of every FIX message they read.
    Run(Run),
    /// The same as a live view on the terminal; its end prints the summary.
    Top(Top),
    /// The same, and record what is measured (no message bodies), for `replay`.
    Record(Record),
    /// Tell again what was recorded; needs no root.
    Replay(Replay),
    /// Make a trace of a recording for another program.
    Export(Export),
}

/// `tag52 export`
#[derive(Clone, Debug, Args)]
pub struct Export {
    /// The recording; segments before it (FILE.1, ...) are found by themselves.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where the trace for the Perfetto UI goes.
    #[arg(long, value_name = "OUT")]
    pub perfetto: PathBuf,
    /// Of the messages of a session, draw one in so many.
    #[arg(long, value_name = "N", default_value = "1")]
    pub every: NonZeroU64,
    /// Draw only messages at least this old at their hand-off: 1ms, 2s.
    #[arg(long, value_name = "AGE", value_parser = time)]
    pub slower_than: Option<Duration>,
    /// Draw at most so many messages of a session at any instant, chosen evenly.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::new(Filter::LANES).expect("not 0"))]
    pub lanes: NonZeroUsize,
}

/// `tag52 record`
#[derive(Clone, Debug, Args)]
pub struct Record {
    /// The watch.
    #[command(flatten)]
    pub run: Run,
    /// The file. A recording of that name is replaced; segments that are full become FILE.1, FILE.2
    /// and so on.
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// How much room it takes at the most, all segments together; the oldest goes first: 64MiB,
    /// 2GiB.
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = size)]
    pub max_size: u64,
    /// A live view on the terminal instead of lines, as `top`.
    #[arg(long, conflicts_with_all = ["json", "probe_log"])]
    pub top: bool,
    /// With --top: end with the last process, instead of keeping the last view until q.
    #[arg(long, requires = "top")]
    pub no_stay: bool,
}

/// `tag52 replay`
#[derive(Clone, Debug, Args)]
pub struct Replay {
    /// The recording; segments before it (FILE.1, ...) are found by themselves.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How often to tell, in recorded time; as in the watch when not given.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub interval: Option<Duration>,
    /// JSON lines instead of text: one per message, or one per interval and session.
    #[arg(long, value_name = "WHAT")]
    pub json: Option<Json>,
    /// Serve Prometheus metrics at /metrics and health at /healthz, after the end too, until
    /// Ctrl-C.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// How many times as fast as it was: 1, 10, max. Without it max, with --top 1.
    #[arg(long, value_name = "TIMES", value_parser = speed)]
    pub speed: Option<Speed>,
    /// Play it in the live view on the terminal: keys pause, step, seek and change the speed.
    #[arg(long, conflicts_with = "json")]
    pub top: bool,
}

/// How fast to replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was.
    Times(f64),
    /// Without waiting.
    Max,
}

/// What to watch, and how.
#[derive(Clone, Debug, Args)]
pub struct Watch {
    /// A process that reads FIX (its sessions, present and to come, are found by themselves); may
    /// be given several times, or as PID,PID.
    #[arg(
        long = "pid",
        value_name = "PID",
        required_unless_present = "all",
        value_delimiter = ','
    )]
    pub pids: Vec<NonZeroU32>,
    /// Every process on this machine that reads a TCP stream beginning with 8=FIX, now or later,
    /// until a signal comes; the selectors below leave some out.
    #[arg(long, conflicts_with = "pids")]
    pub all: bool,
    /// Which of all processes.
    #[command(flatten)]
    pub select: Select,
    /// Only sessions with this local or remote port.
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// How often to tell: 500ms, 1s, 1m.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub interval: Duration,
    /// The age at which the counterparty or the engine refuses messages: the verdict tells when it
    /// will be reached.
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = duration)]
    pub max_latency: Duration,
    /// A message is handed off when this function of the processes returns: SYMBOL, SYMBOL@return
    /// or SYMBOL@entry; demangled names are understood. Without it: when the thread next reads or
    /// waits for the socket.
    #[arg(long, value_name = "SYMBOL")]
    pub handoff: Option<FunctionSpec>,
    /// Serve Prometheus metrics at /metrics and health at /healthz.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// What becomes of the metrics.
    #[command(flatten)]
    pub telemetry: Telemetry,
    /// Do not look at what the holders of locks are doing while watched threads wait for them
    /// (their state and function).
    #[arg(long)]
    pub no_stacks: bool,
    /// Names of pods, from the Kubernetes API.
    #[command(flatten)]
    pub kube: KubeArguments,
    /// Account for the probes' own run time (costs them some 20-60 ns a run); on with --listen.
    #[arg(long)]
    pub probe_cost: bool,
    /// For the accuracy lab: the wall clock as the agent reads it steps by BY, AFTER it began to
    /// watch (`3s:-2s`). The machine's clock is left alone; the instant is told on standard error.
    #[arg(long, value_name = "AFTER:BY", hide = true, value_parser = clock_step)]
    pub simulate_clock_step: Option<ClockStep>,
    /// For the live tests: of the switches to a tracked thread, one in so many is not observed, as
    /// on a machine whose tracepoints stay silent now and then; 0: all are observed.
    #[cfg(feature = "fault-injection")]
    #[arg(long, value_name = "N", hide = true, default_value_t = 0)]
    pub simulate_unseen_switches: u32,
}

/// Of values of one kind any has to fit, of the kinds each.
#[derive(Clone, Debug, Default, Args)]
pub struct Select {
    /// With --all: only processes of this name (the main thread's, 15 characters; * and ? are
    /// understood). May be given several times.
    #[arg(long, value_name = "GLOB", requires = "all")]
    pub comm: Vec<Glob>,
    /// With --all: only processes in whose command line this is found.
    #[arg(
        long,
        value_name = "REGEX",
        requires = "all",
        allow_hyphen_values = true
    )]
    pub cmdline: Vec<CommandLine>,
    /// With --all: only processes in such a cgroup (the path as /proc/PID/cgroup has it; * matches
    /// slashes too).
    #[arg(long, value_name = "GLOB", requires = "all")]
    pub cgroup: Vec<Glob>,
    /// With --all: only processes of pods in this namespace; needs the Kubernetes API.
    #[arg(long, value_name = "NAME", requires = "all")]
    pub namespace: Vec<String>,
    /// With --all: only processes of pods with such labels: key=value, key!=value, key in (a,b),
    /// key notin (a,b), key, !key, several with a comma in between; needs the Kubernetes API.
    #[arg(long, value_name = "LABELS", requires = "all")]
    pub pod_selector: Vec<LabelSelector>,
}

impl Select {
    /// As one.
    #[must_use]
    pub fn selector(&self) -> Selector {
        Selector {
            comms: self.comm.clone(),
            command_lines: self.cmdline.clone(),
            cgroups: self.cgroup.clone(),
            pods: PodSelector {
                namespaces: self.namespace.clone(),
                labels: self.pod_selector.clone(),
            },
        }
    }
}

/// Where names of pods come from.
#[derive(Clone, Debug, Default, Args)]
pub struct KubeArguments {
    /// Ask the Kubernetes API for the names of this node's pods (needs get, list and watch on
    /// pods): where there is a service account, always, or never. Without, pods and containers have
    /// ids only.
    #[arg(long = "kube", value_name = "WHEN", default_value = "auto")]
    pub mode: Mode,
    /// The node this is; in a DaemonSet better NODE_NAME, from the field spec.nodeName.
    #[arg(long, value_name = "NODE")]
    pub node_name: Option<String>,
    /// Where the API is and who asks, outside of a pod; without it KUBECONFIG or ~/.kube/config
    /// with --kube on.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// What becomes of the metrics.
#[derive(Clone, Debug, Args)]
pub struct Telemetry {
    /// Series of metrics at the most: sessions for which there is no room count as `other`.
    #[arg(long, value_name = "N", default_value_t = MAX_SERIES, value_parser = series)]
    pub max_series: u64,
    /// Export the metrics by OTLP (http/protobuf) to this URL, as http://collector:4318; without
    /// one to OTEL_EXPORTER_OTLP_ENDPOINT, or to this machine.
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    pub otlp: Option<String>,
    /// How often to export: 5s, 1m.
    #[arg(long, value_name = "TIME", default_value = "10s", requires = "otlp", value_parser = duration)]
    pub otlp_interval: Duration,
}

/// `tag52 run`
#[derive(Clone, Debug, Args)]
pub struct Run {
    /// What to watch.
    #[command(flatten)]
    pub watch: Watch,
    /// JSON lines instead of text: one per message, or one per interval and session.
    #[arg(long, value_name = "WHAT")]
    pub json: Option<Json>,
    /// No lines per interval, only the summary: the sessions are on /metrics.
    #[arg(long, conflicts_with = "json")]
    pub quiet: bool,
    /// Diagnostic lines from the probes on standard error (never message content).
    #[arg(long)]
    pub probe_log: bool,
}

/// `tag52 top`
#[derive(Clone, Debug, Args)]
pub struct Top {
    /// What to watch.
    #[command(flatten)]
    pub watch: Watch,
    /// End with the last process, instead of keeping the last view until q.
    #[arg(long)]
    pub no_stay: bool,
    /// For the live tests: a panic some seconds after the view was opened.
    #[arg(long, value_name = "WHERE", hide = true)]
    pub simulate_panic: Option<PanicIn>,
}

/// Where a panic is simulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PanicIn {
    /// The thread that draws.
    Drawing,
    /// The thread that watches.
    Watching,
}

/// A step of the wall clock to simulate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockStep {
    /// From the beginning of the watch.
    pub after: Duration,
    /// By how much, ns; forwards when positive.
    pub by_ns: i64,
}

/// What a JSON line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Json {
    /// A message.
    Messages,
    /// A session in an interval.
    Intervals,
}

impl Run {
    /// The output format asked for.
    #[must_use]
    pub const fn format(&self) -> OutputFormat {
        if self.quiet {
            return OutputFormat::SummaryOnly;
        }
        format(self.json)
    }
}

impl Replay {
    /// The output format asked for.
    #[must_use]
    pub const fn format(&self) -> OutputFormat {
        format(self.json)
    }
}

const fn format(json: Option<Json>) -> OutputFormat {
    match json {
        None => OutputFormat::Human,
        Some(Json::Messages) => OutputFormat::JsonMessages,
        Some(Json::Intervals) => OutputFormat::JsonIntervals,
    }
}

/// The shortest interval that still says something, and the longest before a human gives up.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// An interval.
fn duration(text: &str) -> Result<Duration, String> {
    let length = time(text)?;
    if (SHORTEST..=LONGEST).contains(&length) {
        Ok(length)
    } else {
        Err(format!("{text} is not between 10ms and 24h"))
    }
}

/// A number and `ms`, `s`, `m` or `h`; seconds without a unit.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits
        .parse()
        .map_err(|_| format!("{text:?} is not a time: write 500ms, 1s, 1m"))?;
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        other => return Err(format!("unknown unit {other:?}: write 500ms, 1s, 1m")),
    };
    Duration::try_from_secs_f64(number * unit).map_err(|_| format!("{text} is no length of time"))
}

/// The smallest recording: eight segments that hold a frame each.
const SMALLEST: u64 = 2 << 20;

/// A whole number and `KiB`, `MiB` or `GiB` (or just `K`, `M`, `G`).
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "K" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        _ => return Err(format!("{text:?} is not a size: write 64MiB, 2GiB")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("{text:?} is not a size: write 64MiB, 2GiB"))?;
    number
        .checked_mul(unit)
        .filter(|&bytes| bytes >= SMALLEST)
        .ok_or_else(|| format!("{text} is less than 2MiB, or more than can be"))
}

/// `max`, or a factor.
fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    let times = text.parse::<f64>().ok();
    times
        .filter(|times| (0.001..=1e6).contains(times))
        .map(Speed::Times)
        .ok_or_else(|| format!("{text:?} is not a speed: write 1, 10 or max"))
}

/// A number of series that leaves room for a session.
fn series(text: &str) -> Result<u64, String> {
    let series = text
        .parse()
        .map_err(|_| format!("{text:?} is not a number of series: write 20000"))?;
    match sessions_within(series) {
        Ok(_) => Ok(series),
        Err(least) => Err(format!(
            "{series} has no room for a session: write {least} or more"
        )),
    }
}

/// `AFTER:BY`
fn clock_step(text: &str) -> Result<ClockStep, String> {
    let (after, by) = text
        .split_once(':')
        .ok_or("write AFTER:BY, such as 3s:-2s")?;
    let magnitude = |text| duration(text).map(|d| d.as_nanos() as i64);
    let by_ns = match by.strip_prefix('-') {
        Some(back) => -magnitude(back)?,
        None => magnitude(by)?,
    };
    Ok(ClockStep {
        after: duration(after)?,
        by_ns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(duration("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        for bad in ["", "0s", "1ms", "-1s", "soon", "1 day", "nan", "1e99h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn steps_of_the_clock() {
        let step = |after_ms, by_ns| {
            Ok(ClockStep {
                after: Duration::from_millis(after_ms),
                by_ns,
            })
        };
        assert_eq!(clock_step("3s:-2s"), step(3_000, -2_000_000_000));
        assert_eq!(clock_step("500ms:250ms"), step(500, 250_000_000));
        for bad in ["", "3s", "3s:", ":1s", "-1s:1s", "1s:--1s", "1s:1d"] {
            assert!(clock_step(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_and_speeds() {
        assert_eq!(size("256MiB"), Ok(256 << 20));
        assert_eq!(size("2G"), Ok(2 << 30));
        for bad in ["", "1", "1MiB", "-4MiB", "4 MiB", "99999999999GiB", "4MB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert_eq!(speed("max"), Ok(Speed::Max));
        assert_eq!(speed("0.5"), Ok(Speed::Times(0.5)));
        for bad in ["", "0", "-1", "nan", "inf", "fast"] {
            assert!(speed(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn record_takes_what_run_takes() {
        let words = ["tag52", "record", "-o", "f", "--pid", "7", "--port", "5"];
        let cli = Cli::try_parse_from(words).expect("valid");
        let Command::Record(record) = cli.command else {
            panic!("record");
        };
        assert_eq!(
            (record.run.watch.port, record.max_size),
            (Some(5), 256 << 20)
        );
    }

    #[test]
    fn processes_are_given_in_either_way() {
        let pids = |words: &[&str]| {
            let words = ["tag52", "run"].iter().chain(words);
            Cli::try_parse_from(words).map(|cli| {
                let watch = match cli.command {
                    Command::Run(run) => run.watch,
                    Command::Top(top) => top.watch,
                    _ => panic!("neither"),
                };
                watch.pids.iter().map(|pid| pid.get()).collect::<Vec<_>>()
            })
        };
        assert_eq!(
            pids(&["--pid", "7", "--pid", "8,9"]).expect("valid"),
            [7, 8, 9]
        );
        for bad in [
            &[][..],
            &["--pid", "0"],
            &["--pid", "7,"],
            &["--pid", "7,x"],
        ] {
            assert!(pids(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn top_watches_as_run_does_and_prints_no_lines() {
        let words = |more: &[&str]| {
            let words = ["tag52", "top", "--pid", "7", "--interval", "2s"];
            Cli::try_parse_from(words.iter().chain(more))
        };
        let Ok(Command::Top(top)) = words(&["--port", "5001"]).map(|cli| cli.command) else {
            panic!("no top");
        };
        assert_eq!(top.watch.interval, Duration::from_secs(2));
        assert_eq!(top.watch.port, Some(5001));
        assert!(words(&["--json", "messages"]).is_err());
    }

    #[test]
    fn metrics_go_where_they_are_asked_for() {
        let telemetry = |more: &[&str]| {
            let words = ["tag52", "run", "--pid", "7"];
            let cli = Cli::try_parse_from(words.iter().chain(more));
            cli.map(|cli| match cli.command {
                Command::Run(run) => run.watch.telemetry,
                _ => panic!("no run"),
            })
        };
        let usual = telemetry(&[]).expect("valid");
        assert_eq!((usual.otlp, usual.max_series), (None, MAX_SERIES));
        let asked = telemetry(&["--otlp", "--otlp-interval", "5s"]).expect("valid");
        assert_eq!(asked.otlp.as_deref(), Some(""));
        assert_eq!(asked.otlp_interval, Duration::from_secs(5));
        let asked = telemetry(&["--otlp", "http://c:4318"]).expect("valid");
        assert_eq!(asked.otlp.as_deref(), Some("http://c:4318"));
        for bad in [
            &["--max-series", "10"][..],
            &["--max-series", "x"],
            &["--otlp-interval", "5s"],
        ] {
            assert!(telemetry(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }
}
