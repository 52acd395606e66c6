//! The agent's account of itself.

use super::{label, seconds};
use crate::{
    domain::Availability,
    outputs::metrics::metric::{Label, Metric, Source, Unit},
};

/// Kinds known at compile time.
const KIND: Label = label("kind", "one of some dozen words");
const PROBE: Label = label("probe", "its name");
const NO_API: &str = "when the Kubernetes API is not used";
const UNKNOWN: &str = "when it could not be read";

pub(super) static METRICS: [Metric; 22] = [
    Metric::counter(
        "tag52_events_lost_total",
        "Events lost by the agent, by kind; the messages they touched are unknown in part",
        Source::Agent(|a, points| {
            for (kind, count) in a.health.lost() {
                points.put_by(&[("kind", kind)], count);
            }
        }),
    )
    .by(&[KIND], 64),
    Metric::counter(
        "tag52_anomalies_total",
        "What should not happen and was survived, by kind",
        Source::Agent(|a, points| {
            for (kind, count) in a.health.anomalies() {
                points.put_by(&[("kind", kind)], count);
            }
        }),
    )
    .by(&[KIND], 64),
    Metric::counter(
        "tag52_probe_run_seconds_total",
        "Run time of each probe, by the kernel's statistics",
        Source::Agent(|a, points| {
            for probe in &a.health.probes {
                let ns = i128::from(probe.run_time_ns);
                points.put_by(&[("probe", probe.name.as_str())], seconds(ns));
            }
        }),
    )
    .unit(Unit::Seconds)
    .by(&[PROBE], 64),
    Metric::counter(
        "tag52_probe_runs_total",
        "Runs of each probe",
        Source::Agent(|a, points| {
            for probe in &a.health.probes {
                points.put_by(&[("probe", probe.name.as_str())], probe.runs);
            }
        }),
    )
    .by(&[PROBE], 64),
    Metric::gauge(
        "tag52_capability",
        "What the agent can see on this kernel: 1 or 0, and by which hook",
        Source::Agent(|a, points| {
            for capability in &a.health.capabilities {
                let (hook, there) = match &capability.availability {
                    Availability::Observed(hook) => (hook.as_str(), 1_u64),
                    // Why not is in the summary: it would be a label of any length.
                    Availability::Unavailable(_) => ("none", 0),
                };
                let labels = [("name", capability.name.as_str()), ("hook", hook)];
                points.put_by(&labels, there);
            }
        }),
    )
    .by(
        &[
            label("name", "what is seen by it"),
            label("hook", "the hook of the kernel; `none`"),
        ],
        64,
    ),
    Metric::gauge(
        "tag52_ring_high_water_bytes",
        "The most bytes ever found waiting in the ring",
        Source::Agent(|a, points| points.put(a.health.ring_high_water_bytes)),
    )
    .unit(Unit::Bytes),
    Metric::gauge(
        "tag52_sessions",
        "Open sessions, those beyond 256 as one",
        Source::Agent(|a, points| points.put(a.open_sessions)),
    ),
    Metric::gauge(
        "tag52_processes",
        "Processes that read FIX now",
        Source::Agent(|a, points| points.put(a.processes)),
    ),
    Metric::gauge(
        "tag52_threads",
        "Threads that read FIX now",
        Source::Agent(|a, points| points.put(a.threads)),
    ),
    Metric::counter(
        "tag52_sessions_folded_total",
        "Sessions that came when there was no room for their series: they count under sender=other, target=other",
        Source::Agent(|a, points| points.put(a.folded)),
    ),
    Metric::gauge(
        "tag52_max_latency_seconds",
        "The age at which messages are refused, as given with --max-latency",
        Source::Agent(|a, points| points.put(a.max_latency.as_secs_f64())),
    )
    .unit(Unit::Seconds),
    Metric::counter(
        "tag52_discovery_streams_total",
        "TCP streams that were looked at, by what became of them",
        Source::Agent(|a, points| {
            if let Some(found) = a.health.discovery {
                points.put_by(&[("outcome", "fix")], found.fix);
                points.put_by(&[("outcome", "other")], found.other);
                points.put_by(&[("outcome", "not_selected")], found.not_selected);
            }
        }),
    )
    .by(
        &[label(
            "outcome",
            "`fix` (followed), `other` (no FIX), `not_selected` (FIX, and left out by a selector)",
        )],
        3,
    )
    .absent("without --all"),
    Metric::gauge(
        "tag52_kube_up",
        "Whether the pods of this node are being followed in the Kubernetes API: 1 or 0",
        Source::Agent(|a, points| {
            if let Some(kube) = &a.health.kube {
                points.put(u64::from(kube.up));
            }
        }),
    )
    .absent(NO_API),
    Metric::gauge(
        "tag52_kube_pods",
        "Pods of this node that are known",
        Source::Agent(|a, points| {
            if let Some(kube) = &a.health.kube {
                points.put(kube.pods);
            }
        }),
    )
    .absent(NO_API),
    Metric::counter(
        "tag52_kube_errors_total",
        "Failures of the Kubernetes API, by kind",
        Source::Agent(|a, points| {
            for (kind, count) in a
                .health
                .kube
                .iter()
                .flat_map(|kube| &kube.errors)
                .take(KUBE_ERRORS)
            {
                points.put_by(&[("kind", kind.as_str())], *count);
            }
        }),
    )
    .by(&[KIND], KUBE_ERRORS as u64)
    .absent(NO_API),
    Metric::counter(
        "tag52_otlp_exports_total",
        "Exports by OTLP, by what became of them",
        Source::Agent(|a, points| {
            for (outcome, count) in a.account.exports().into_iter().flatten() {
                points.put_by(&[("outcome", outcome.name())], count);
            }
        }),
    )
    .by(
        &[label(
            "outcome",
            "`sent`, `partial` (the receiver refused some points), `failed` (given up)",
        )],
        3,
    )
    .absent("without --otlp"),
    Metric::info(
        "tag52_build_info",
        "1; the agent",
        Source::Agent(|_, points| {
            let version = env!("CARGO_PKG_VERSION");
            points.put_by(
                &[("version", version), ("arch", std::env::consts::ARCH)],
                1_u64,
            );
        }),
    )
    .by(
        &[
            label("version", "of the agent"),
            label("arch", "it was built for"),
        ],
        1,
    ),
    Metric::gauge(
        "process_start_time_seconds",
        "When the agent started, since 1970 UTC",
        Source::Agent(|a, points| points.put(seconds(a.started_utc_ns.into()))),
    )
    .unit(Unit::Seconds),
    Metric::gauge(
        "process_resident_memory_bytes",
        "Memory of the agent",
        Source::Agent(|a, points| {
            if let Some(own) = a.health.own {
                points.put(own.resident_bytes);
            }
        }),
    )
    .unit(Unit::Bytes)
    .absent(UNKNOWN),
    Metric::counter(
        "process_cpu_seconds_total",
        "CPU time of the agent, user and system",
        Source::Agent(|a, points| {
            if let Some(own) = a.health.own {
                points.put(seconds(own.cpu_ns.into()));
            }
        }),
    )
    .unit(Unit::Seconds)
    .absent(UNKNOWN),
    Metric::gauge(
        "process_open_fds",
        "File descriptors the agent has open",
        Source::Agent(|a, points| {
            if let Some(own) = a.health.own {
                points.put(own.open_fds);
            }
        }),
    )
    .absent(UNKNOWN),
    Metric::gauge(
        "process_max_fds",
        "How many it may have",
        Source::Agent(|a, points| {
            if let Some(max) = a.health.own.and_then(|own| own.max_fds) {
                points.put(max);
            }
        }),
    )
    .absent("without a limit"),
];

/// Kinds of failures told apart, at the most.
const KUBE_ERRORS: usize = 16;

pub(super) static SERIES: [Metric; 2] = [
    Metric::gauge(
        "tag52_series_limit",
        "Series at the most, as given with --max-series",
        Source::Agent(|a, points| points.put(a.account.max_series())),
    ),
    Metric::gauge(
        "tag52_series",
        "Series of this exposition in the text formats, this one included",
        Source::Agent(|_, points| points.put(points.series() + 1)),
    ),
];
