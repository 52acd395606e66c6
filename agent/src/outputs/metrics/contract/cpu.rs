//! The CPU of processes that read sessions.

use super::seconds;
use crate::outputs::metrics::metric::{Metric, Source, Unit};

const UNLIMITED: &str = "without a limit";

pub(super) static METRICS: [Metric; 6] = [
    Metric::gauge(
        "tag52_cpu_limit_cores",
        "How much CPU the process's cgroups allow it: the tightest limit on the path",
        Source::Process(|p, points| {
            if let Some(cores) = p.limited.as_ref().and_then(|level| level.cores()) {
                points.put(cores);
            }
        }),
    )
    .unit(Unit::Cores)
    .absent(UNLIMITED),
    Metric::gauge(
        "tag52_cpu_request_cores",
        "How much CPU its container asked for",
        Source::Process(|p, points| {
            if let Some(millis) = p.request_millis {
                points.put(millis as f64 / 1e3);
            }
        }),
    )
    .unit(Unit::Cores)
    .absent("without a request, or without the Kubernetes API"),
    Metric::counter(
        "tag52_cpu_usage_seconds_total",
        "CPU time used by the cgroup with that limit, all of its processes; without a limit by the process's own cgroup",
        Source::Process(|p, points| {
            if let Some(ns) = p.usage_ns {
                points.put(seconds(ns.into()));
            }
        }),
    )
    .unit(Unit::Seconds)
    .absent("where nobody counts it"),
    Metric::counter(
        "tag52_cpu_periods_total",
        "Periods of the quota in which that cgroup was runnable",
        Source::Process(|p, points| {
            if let Some(level) = &p.limited {
                points.put(level.periods);
            }
        }),
    )
    .absent(UNLIMITED),
    Metric::counter(
        "tag52_cpu_throttled_periods_total",
        "Of these, how many used up the quota",
        Source::Process(|p, points| {
            if let Some(level) = &p.limited {
                points.put(level.throttled_periods);
            }
        }),
    )
    .absent(UNLIMITED),
    Metric::counter(
        "tag52_cpu_throttled_seconds_total",
        "How long its threads were kept from running, as the kernel counts it",
        Source::Process(|p, points| {
            if let Some(level) = &p.limited {
                points.put(seconds(level.throttled_ns.into()));
            }
        }),
    )
    .unit(Unit::Seconds)
    .absent(UNLIMITED),
];
