//! What to do about a cause.

use super::{
    cause::Cause,
    evidence::{CpuLimit, CpuUse, Evidence},
    rules::growing,
    words::late_acks,
};
use crate::domain::Part;

/// A limit of which at least this share is used is worth a word where it is not the cause.
const NEAR_LIMIT: f64 = 0.9;

/// What a quota should have above the bare need: work comes in bursts, a period is 100 ms.
const QUOTA_HEADROOM: f64 = 1.25;

/// What to do, in sentences; empty when there is nothing to do.
pub(crate) fn advice(causes: &[Cause], evidence: &Evidence) -> String {
    let each = causes.iter().map(|&cause| one(cause, evidence));
    let said: Vec<_> = each.filter(|text| !text.is_empty()).collect();
    said.join(" ")
}

fn one(cause: Cause, e: &Evidence) -> String {
    match cause {
        Cause::Healthy | Cause::Unknown => String::new(),
        Cause::NetworkOrVenueLate => network(e),
        Cause::ClockSkew => "Compare both clocks with a reference (chronyc tracking).".to_owned(),
        Cause::StarvedByLock => lock(e) + &more_cpu(e),
        Cause::Throttled => throttle(e),
        Cause::RunQueuePressure => {
            "Give it a CPU of its own (cpuset, affinity), or a better nice value or weight.".to_owned()
                + &request(e)
        }
        Cause::SlowSink => {
            "Make what is behind it faster, or take the call off the ingest thread (a queue and a thread of its own)."
                .to_owned()
                + &more_cpu(e)
        }
        Cause::SlowHandler => {
            "A faster handler, not a second one, makes messages younger.".to_owned()
        }
        Cause::Overloaded => {
            "Make the handler faster, or share the sessions among several threads.".to_owned()
        }
    }
}

fn network(e: &Evidence) -> String {
    if late_acks(e).is_some() {
        "The venue should set TCP_NODELAY, and this process read more often.".to_owned()
    } else {
        "Nothing in this process is the cause: look at the network, the venue and its clock."
            .to_owned()
    }
}

fn lock(e: &Evidence) -> String {
    let holder = e.worst(Part::LockWait);
    match holder {
        Some(row) if row.is_gil() && row.waits.mostly_uninterruptible() => {
            "Split the calls that hold the GIL, or move them to a process of their own; they do not give it up when \
             asked, so a shorter switch interval will not help."
        }
        Some(row) if row.is_gil() => {
            "Every return of the GIL takes a switch interval: give it up less often on the ingest thread, lower \
             sys.setswitchinterval, or move the other work to a process of its own."
        }
        _ => "Hold the lock for less, or not while the ingest thread needs it.",
    }
    .to_owned()
}

/// That more CPU would not help, where that is known.
fn more_cpu(e: &Evidence) -> String {
    if e.more_cpu_helps() == Some(true) {
        return String::new();
    }
    let spare = |limit: &CpuLimit| limit.used.filter(|used| *used < NEAR_LIMIT * limit.cores);
    match &e.cpu {
        Some(CpuUse {
            limit: Some(limit), ..
        }) if let Some(used) = spare(limit) => format!(
            " More CPU will not help: the pod uses {used:.1} of {:.1} cores.",
            limit.cores
        ),
        _ if e.more_cpu_helps() == Some(false) => {
            " More CPU will not help: it hardly waits for a CPU.".to_owned()
        }
        _ => String::new(),
    }
}

/// That the container uses more than it asked for: what is above that it gets only where nobody
/// else wants it.
fn request(e: &Evidence) -> String {
    match &e.cpu {
        Some(CpuUse {
            cores: Some(used),
            request: Some(request),
            ..
        }) if used > request => format!(
            " It asked for {request:.2} CPUs (requests.cpu) and uses {used:.2}: ask for what it uses."
        ),
        _ => String::new(),
    }
}

fn throttle(e: &Evidence) -> String {
    match e.cpu.as_ref().and_then(|cpu| cpu.limit.as_ref()) {
        Some(limit) if limit.throttled_periods > 0 => format!(
            "Raise the limit (cpu.max, limits.cpu): about {:.2} cores would do.",
            enough(limit.used.unwrap_or(0.0).max(limit.cores), e)
        ),
        _ => "Raise the limit of its cgroup (cpu.max, limits.cpu).".to_owned(),
    }
}

/// How much quota would do: what was used at the pace of draining, at the pace of arrivals.
fn enough(cores: f64, e: &Evidence) -> f64 {
    cores * behind(e).unwrap_or(1.0).max(1.0) * QUOTA_HEADROOM
}

/// Messages that come in per message drained.
pub(crate) fn behind(e: &Evidence) -> Option<f64> {
    if growing(e) {
        // The age grows by 1 - drained / arriving.
        let slope = e.flow.age_slope.filter(|&slope| slope < 1.0)?;
        return Some(1.0 / (1.0 - slope));
    }
    let arrivals = e.flow.arrivals_per_s?;
    (e.flow.drained_per_s > 0.0).then(|| arrivals / e.flow.drained_per_s)
}
