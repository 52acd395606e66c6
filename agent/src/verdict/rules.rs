//! From the evidence to the causes.

use super::{
    cause::Cause,
    evidence::Evidence,
    measures::is_growing,
    thresholds::{DOMINANT_SHARE, HEALTHY_NS, TIE_SHARE},
};
use crate::domain::Part;

/// The causes, the largest first; at least one.
pub(super) fn causes(evidence: &Evidence) -> Vec<Cause> {
    if evidence.silent_when_behind {
        return vec![Cause::Unknown];
    }
    let figures = &evidence.figures;
    let Some(age) = &figures.age else {
        return vec![Cause::Healthy];
    };
    // What whole-second stamps add to an age has no cause.
    let old = age.p99_ns - figures.coarse_ns;
    let early = figures.skew.largest_ns;
    if old.max(early) < HEALTHY_NS && !is_growing(evidence) {
        return vec![Cause::Healthy];
    }
    let mut weights = weights(evidence);
    let whole: f64 = weights.iter().map(|&(_, ns)| ns).sum();
    weights.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let (heaviest, most) = weights[0];
    // When more of the age is unknown than any part has, the parts prove nothing.
    if heaviest == Cause::Unknown || whole <= 0.0 || most < DOMINANT_SHARE * whole {
        return vec![Cause::Unknown];
    }
    weights
        .into_iter()
        .filter(|&(cause, ns)| cause != Cause::Unknown && ns >= (1.0 - TIE_SHARE) * most)
        .map(|(cause, _)| cause)
        .collect()
}

/// The time of each cause in the summed age, nanoseconds.
fn weights(evidence: &Evidence) -> [(Cause, f64); 8] {
    let figures = &evidence.figures;
    let sums = figures.sums_without_skew();
    let by_waited = evidence.judges_by_waited();
    let of = |part| {
        if by_waited {
            evidence.waited.part(part) as f64
        } else {
            sums.part(part) as f64
        }
    };
    let stamps = figures.messages as f64 * figures.coarse_ns as f64;
    let work = if is_growing(evidence) {
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
