//! The CPU limits and CPU use of the processes that read sessions.

use super::family::{Family, Source};
use crate::outputs::metrics::{metric::Unit, points::seconds};

const UNLIMITED: &str = "without a limit";

pub(super) static FAMILIES: [Family; 6] = [
    Family::gauge(
        "tag52_cpu_limit_cores",
        "CPU limit of the process: the tightest of its cgroup and the cgroups above it",
        Source::Process(|p, points| {
            if let Some(cores) = p.limited.as_ref().and_then(|level| level.cores()) {
                points.put(cores);
            }
        }),
    )
    .unit(Unit::Cores)
    .absent(UNLIMITED),
    Family::gauge(
        "tag52_cpu_request_cores",
        "CPU request of the container",
        Source::Process(|p, points| {
            if let Some(millis) = p.request_millis {
                points.put(millis as f64 / 1e3);
            }
        }),
    )
    .unit(Unit::Cores)
    .absent("without a request, or without the Kubernetes API"),
    Family::counter(
        "tag52_cpu_usage_seconds_total",
        "CPU time used by all processes of the cgroup with that limit; without a limit, of the \
         process's own cgroup",
        Source::Process(|p, points| {
            if let Some(ns) = p.usage_ns {
                points.put(seconds(ns.into()));
            }
        }),
    )
    .unit(Unit::Seconds)
    .absent("when the kernel does not count it"),
    Family::counter(
        "tag52_cpu_periods_total",
        "Quota periods in which that cgroup was runnable",
        Source::Process(|p, points| {
            if let Some(level) = &p.limited {
                points.put(level.periods);
            }
        }),
    )
    .absent(UNLIMITED),
    Family::counter(
        "tag52_cpu_throttled_periods_total",
        "Quota periods in which that cgroup used up its quota",
        Source::Process(|p, points| {
            if let Some(level) = &p.limited {
                points.put(level.throttled_periods);
            }
        }),
    )
    .absent(UNLIMITED),
    Family::counter(
        "tag52_cpu_throttled_seconds_total",
        "Time that threads of that cgroup were throttled, as the kernel counts it",
        Source::Process(|p, points| {
            if let Some(level) = &p.limited {
                points.put(seconds(level.throttled_ns.into()));
            }
        }),
    )
    .unit(Unit::Seconds)
    .absent(UNLIMITED),
];
