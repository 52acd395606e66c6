//! From the evidence to the causes.

use super::{Verdict, advice, cause::Cause, evidence::Evidence, facts, words};
use crate::domain::Part;

/// Ages below this at the 99th percentile are healthy: two turns of the scheduler's usual 4 ms, so
/// nothing on the machine is the matter, and a cause named would be a cause of noise.
pub const HEALTHY_NS: i64 = 10_000_000;

/// A slope of the age below this, s/s, is no growth: what a few messages more or less at the end of
/// an interval make of a steady age.
pub const GROWING: f64 = 0.02;

/// The share of the summed age a cause has to have: below that the rest, taken together, is more
/// than three times as much, and to act on the cause would hardly be felt.
pub const DOMINANT: f64 = 0.25;

/// Causes within this of the weightiest are named beside it: two parts that differ by less change
/// places from interval to interval.
pub const TIE: f64 = 0.1;

/// The causes of what the evidence shows, in words.
#[must_use]
pub fn diagnose(evidence: &Evidence) -> Verdict {
    let causes = causes(evidence);
    Verdict {
        sentence: words::sentence(&causes, evidence),
        advice: advice::advice(&causes, evidence),
        evidence: facts::facts(evidence),
        causes,
        flow: evidence.flow,
        cpu: evidence.cpu.clone(),
    }
}

/// Whether more comes in than is handed off, for so long that the age shows it.
pub(crate) fn growing(evidence: &Evidence) -> bool {
    let grown = |slope: f64| slope * evidence.length.as_secs_f64() * 1e9;
    evidence
        .flow
        .age_slope
        .is_some_and(|slope| slope >= GROWING && grown(slope) >= HEALTHY_NS as f64)
}

fn causes(evidence: &Evidence) -> Vec<Cause> {
    if evidence.stalled {
        return vec![Cause::Unknown];
    }
    let figures = &evidence.figures;
    let Some(age) = &figures.age else {
        return vec![Cause::Healthy];
    };
    let mut weights = weights(evidence);
    // What whole-second stamps add to an age is nobody's fault.
    let old = age.p99_ns - figures.coarse_ns;
    let early = figures.skew.largest_ns;
    if old.max(early) < HEALTHY_NS && !growing(evidence) {
        return vec![Cause::Healthy];
    }
    let whole: f64 = weights.iter().map(|&(_, ns)| ns).sum();
    weights.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let (weightiest, most) = weights[0];
    // With more of the age unobserved than any part has, the parts prove nothing.
    if weightiest == Cause::Unknown || whole <= 0.0 || most < DOMINANT * whole {
        return vec![Cause::Unknown];
    }
    weights
        .into_iter()
        .filter(|&(cause, ns)| cause != Cause::Unknown && ns >= (1.0 - TIE) * most)
        .map(|(cause, _)| cause)
        .collect()
}

/// Every cause with its share of the summed age, nanoseconds.
fn weights(evidence: &Evidence) -> [(Cause, f64); 8] {
    let figures = &evidence.figures;
    let sums = figures.sums_without_skew();
    let of = |part| sums.part(part) as f64;
    let stamps = figures.messages as f64 * figures.coarse_ns as f64;
    let work = if growing(evidence) {
        Cause::Overloaded
    } else {
        Cause::SlowHandler
    };
    [
        (
            Cause::NetworkOrVenueLate,
            (of(Part::Network) - stamps).max(0.0),
        ),
        (Cause::ClockSkew, figures.skew.sum_ns as f64),
        (Cause::StarvedByLock, of(Part::LockWait)),
        (Cause::Throttled, of(Part::Throttle)),
        (Cause::RunQueuePressure, of(Part::RunQueue)),
        (Cause::SlowSink, of(Part::Blocked)),
        (work, of(Part::OnCpu)),
        (Cause::Unknown, of(Part::Unknown)),
    ]
}
