//! The metrics of the agent itself: losses, probes, limits, own use.

use super::family::{Family, Source};
use crate::{
    domain::Availability,
    outputs::metrics::{
        metric::{Label, Unit, label},
        points::seconds,
    },
};

/// The kinds are fixed when the agent is compiled.
const KIND: Label = label("kind", "one of a few dozen fixed words");
const PROBE: Label = label("probe", "the name of the probe");
const NO_API: &str = "when the Kubernetes API is not used";
const UNKNOWN: &str = "when it cannot be read";

pub(super) static FAMILIES: [Family; 22] = [
    Family::counter(
        "tag52_events_lost_total",
        "Events that did not reach the agent, by kind; the messages they touched have unknown time",
        Source::Agent(|a, points| {
            for (kind, count) in a.health.lost() {
                points.put_by(&[("kind", kind)], count);
            }
        }),
    )
    .by(&[KIND], 64),
    Family::counter(
        "tag52_anomalies_total",
        "Irregularities that the agent has dealt with, by kind",
        Source::Agent(|a, points| {
            for (kind, count) in a.health.anomalies() {
                points.put_by(&[("kind", kind)], count);
            }
        }),
    )
    .by(&[KIND], 64),
    Family::counter(
        "tag52_probe_run_seconds_total",
        "Run time of each probe, from the kernel's statistics",
        Source::Agent(|a, points| {
            for probe in &a.health.probes {
                let ns = i128::from(probe.run_time_ns);
                points.put_by(&[("probe", probe.name.as_str())], seconds(ns));
            }
        }),
    )
    .unit(Unit::Seconds)
    .by(&[PROBE], 64),
    Family::counter(
        "tag52_probe_runs_total",
        "Number of runs of each probe",
        Source::Agent(|a, points| {
            for probe in &a.health.probes {
                points.put_by(&[("probe", probe.name.as_str())], probe.runs);
            }
        }),
    )
    .by(&[PROBE], 64),
    Family::gauge(
        "tag52_capability",
        "Whether a capability is available on this kernel (1 or 0), and the hook that provides it",
        Source::Agent(|a, points| {
            for capability in &a.health.capabilities {
                let (hook, there) = match &capability.availability {
                    Availability::Observed(hook) => (hook.as_str(), 1_u64),
                    // The reason is in the summary: as a label it would be of any length.
                    Availability::Unavailable(_) => ("none", 0),
                };
                let labels = [("name", capability.name.as_str()), ("hook", hook)];
                points.put_by(&labels, there);
            }
        }),
    )
    .by(
        &[
            label("name", "the name of the capability"),
            label(
                "hook",
                "the hook in the kernel; `none` when it is unavailable",
            ),
        ],
        64,
    ),
    Family::gauge(
        "tag52_ring_high_water_bytes",
        "Highest number of bytes found waiting in the ring buffer since the start",
        Source::Agent(|a, points| points.put(a.health.ring_high_water_bytes)),
    )
    .unit(Unit::Bytes),
    Family::gauge(
        "tag52_sessions",
        "Open sessions; those without series of their own count as one",
        Source::Agent(|a, points| points.put(a.open_sessions)),
    ),
    Family::gauge(
        "tag52_processes",
        "Processes that currently read FIX sessions",
        Source::Agent(|a, points| points.put(a.processes)),
    ),
    Family::gauge(
        "tag52_threads",
        "Threads that currently read FIX sessions",
        Source::Agent(|a, points| points.put(a.threads)),
    ),
    Family::counter(
        "tag52_sessions_folded_total",
        "Sessions that began when there was no room for their series; they count under \
         sender=other, target=other",
        Source::Agent(|a, points| points.put(a.folded)),
    ),
    Family::gauge(
        "tag52_max_latency_seconds",
        "Age at which the engine or the counterparty refuses messages, as given with --max-latency",
        Source::Agent(|a, points| points.put(a.max_latency.as_secs_f64())),
    )
    .unit(Unit::Seconds),
    Family::counter(
        "tag52_discovery_streams_total",
        "TCP streams that discovery has inspected, by outcome",
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
            "`fix` (followed), `other` (no FIX), `not_selected` (FIX, excluded by a selector)",
        )],
        3,
    )
    .absent("without --all"),
    Family::gauge(
        "tag52_kube_up",
        "Whether the agent currently follows the pods of this node in the Kubernetes API (1 or 0)",
        Source::Agent(|a, points| {
            if let Some(kube) = &a.health.kube {
                points.put(u64::from(kube.up));
            }
        }),
    )
    .absent(NO_API),
    Family::gauge(
        "tag52_kube_pods",
        "Pods of this node that the agent has learned from the Kubernetes API",
        Source::Agent(|a, points| {
            if let Some(kube) = &a.health.kube {
                points.put(kube.pods);
            }
        }),
    )
    .absent(NO_API),
    Family::counter(
        "tag52_kube_errors_total",
        "Failed requests to the Kubernetes API, by kind",
        Source::Agent(|a, points| {
            for (kind, count) in a
                .health
                .kube
                .iter()
                .flat_map(|kube| &kube.errors)
                .take(MAX_KUBE_ERROR_KINDS)
            {
                points.put_by(&[("kind", kind.as_str())], *count);
            }
        }),
    )
    .by(&[KIND], MAX_KUBE_ERROR_KINDS as u64)
    .absent(NO_API),
    Family::counter(
        "tag52_otlp_exports_total",
        "OTLP exports, by outcome",
        Source::Agent(|a, points| {
            for (outcome, count) in a.status.exports().into_iter().flatten() {
                points.put_by(&[("outcome", outcome.name())], count);
            }
        }),
    )
    .by(
        &[label(
            "outcome",
            "`sent`, `partial` (the receiver rejected some points), `failed` (given up)",
        )],
        3,
    )
    .absent("without --otlp"),
    Family::info(
        "tag52_build_info",
        "Always 1; version and architecture of the agent",
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
            label("version", "the version of the agent"),
            label("arch", "the architecture it was built for"),
        ],
        1,
    ),
    Family::gauge(
        "process_start_time_seconds",
        "Start time of the agent, seconds since 1970 UTC",
        Source::Agent(|a, points| points.put(seconds(a.started_utc_ns.into()))),
    )
    .unit(Unit::Seconds),
    Family::gauge(
        "process_resident_memory_bytes",
        "Resident memory of the agent",
        Source::Agent(|a, points| {
            if let Some(own) = a.health.own {
                points.put(own.resident_bytes);
            }
        }),
    )
    .unit(Unit::Bytes)
    .absent(UNKNOWN),
    Family::counter(
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
    Family::gauge(
        "process_open_fds",
        "Open file descriptors of the agent",
        Source::Agent(|a, points| {
            if let Some(own) = a.health.own {
                points.put(own.open_fds);
            }
        }),
    )
    .absent(UNKNOWN),
    Family::gauge(
        "process_max_fds",
        "Limit of open file descriptors of the agent",
        Source::Agent(|a, points| {
            if let Some(max) = a.health.own.and_then(|own| own.max_fds) {
                points.put(max);
            }
        }),
    )
    .absent("without a limit"),
];

/// The largest number of kinds of failures of the Kubernetes API that have series.
const MAX_KUBE_ERROR_KINDS: usize = 16;

pub(super) static SERIES: [Family; 2] = [
    Family::gauge(
        "tag52_series_limit",
        "Limit of the number of series, as given with --max-series",
        Source::Agent(|a, points| points.put(a.status.max_series())),
    ),
    Family::gauge(
        "tag52_series",
        "Series in this exposition in the text formats, this one included",
        Source::Agent(|_, points| points.put(points.series() + 1)),
    ),
];
