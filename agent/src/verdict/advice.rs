//! What to do about a cause.

use super::{
    cause::Cause,
    evidence::{CpuLimit, CpuUse, Evidence},
    measures::{arrivals_per_hand_off, late_acks},
};
use crate::domain::Part;

/// A limit of which this share is used may be reached soon, although it is not the cause.
const NEAR_LIMIT_SHARE: f64 = 0.9;

/// What a quota should have above the mean need: work comes in bursts, and a period is 100 ms.
const QUOTA_HEADROOM: f64 = 1.25;

/// What to do, in sentences; empty when there is nothing to do.
pub(super) fn advice(causes: &[Cause], evidence: &Evidence) -> String {
    let each = causes.iter().map(|&cause| one(cause, evidence));
    let each: Vec<_> = each.filter(|text| !text.is_empty()).collect();
    each.join(" ")
}

fn one(cause: Cause, e: &Evidence) -> String {
    match cause {
        Cause::Healthy | Cause::Unknown => String::new(),
        Cause::NetworkOrVenueLate => network(e),
        Cause::ClockSkew => "Compare both clocks with a reference (chronyc tracking).".to_owned(),
        Cause::StarvedByLock => lock(e) + &more_cpu(e),
        Cause::Throttled => throttle(e),
        Cause::RunQueuePressure => {
            "Give the process a CPU of its own (cpuset, affinity), a better nice value or a larger \
             CPU weight."
                .to_owned()
                + &request(e)
        }
        Cause::SlowSink => {
            "Make the other end of the call faster, or move the call off the ingest thread (a queue \
             and a second thread)."
                .to_owned()
                + &more_cpu(e)
        }
        Cause::SlowHandler => {
            "Make the handler faster; a second one would not make these messages younger."
                .to_owned()
        }
        Cause::Overloaded => {
            "Make the handler faster, or spread the sessions over several threads.".to_owned()
        }
    }
}

fn network(e: &Evidence) -> String {
    if late_acks(e).is_some() {
        "The venue should set TCP_NODELAY, and this process should read more often.".to_owned()
    } else {
        "Nothing in this process is the cause: check the network, the venue and its clock."
            .to_owned()
    }
}

fn lock(e: &Evidence) -> String {
    match e.worst(Part::LockWait) {
        Some(row) if row.is_gil() && row.waits.mostly_uninterruptible() => {
            "Split the calls that hold the GIL, or move them to another process: they do not yield \
             when asked to, so a shorter switch interval will not help."
        }
        Some(row) if row.is_gil() => {
            "After giving up the GIL the ingest thread waits a switch interval to get it back: \
             release it less often on that thread, lower sys.setswitchinterval, or move the other \
             work to another process."
        }
        _ => "Hold the lock for a shorter time, or not while the ingest thread needs it.",
    }
    .to_owned()
}

/// That more CPU would not help, when that is known.
fn more_cpu(e: &Evidence) -> String {
    if e.more_cpu_helps() == Some(true) {
        return String::new();
    }
    let used_below = |limit: &CpuLimit| {
        limit
            .used
            .filter(|used| *used < NEAR_LIMIT_SHARE * limit.cores)
    };
    match &e.cpu {
        Some(CpuUse {
            limit: Some(limit), ..
        }) if let Some(used) = used_below(limit) => format!(
            " More CPU will not help: the pod uses {used:.1} of {:.1} cores.",
            limit.cores
        ),
        _ if e.more_cpu_helps() == Some(false) => {
            " More CPU will not help: the thread hardly waits for a CPU.".to_owned()
        }
        _ => String::new(),
    }
}

/// That the container uses more than its request: the excess is available only as long as no other
/// container wants it.
fn request(e: &Evidence) -> String {
    match &e.cpu {
        Some(CpuUse {
            cores: Some(used),
            request: Some(request),
            ..
        }) if used > request => format!(
            " The container requests {request:.2} CPUs (requests.cpu) and uses {used:.2}: request \
             what it uses."
        ),
        _ => String::new(),
    }
}

fn throttle(e: &Evidence) -> String {
    match e.cpu.as_ref().and_then(|cpu| cpu.limit.as_ref()) {
        Some(limit) if limit.throttled_periods > 0 => format!(
            "Raise the limit (cpu.max, limits.cpu): about {:.2} cores would be enough.",
            sufficient_cores(limit.used.unwrap_or(0.0).max(limit.cores), e)
        ),
        _ => "Raise the limit of its cgroup (cpu.max, limits.cpu).".to_owned(),
    }
}

/// The quota that would be enough: the use at the rate of draining, scaled to that of arrivals.
fn sufficient_cores(cores: f64, e: &Evidence) -> f64 {
    cores * arrivals_per_hand_off(e).unwrap_or(1.0).max(1.0) * QUOTA_HEADROOM
}
