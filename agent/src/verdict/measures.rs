//! Figures derived from the evidence, for rules and texts.

use super::{
    evidence::Evidence,
    thresholds::{HEALTHY_NS, MIN_GROWTH},
};
use crate::{
    domain::{Part, units::HumanPercent},
    stats::BlameRow,
};

/// With a pending acknowledgement for this share of the network's time, the venue probably waited
/// for it.
const MIN_ACK_SHARE: f64 = 0.5;

/// Whether messages arrive faster than they are handed off, for so long that the age shows it.
pub(super) fn is_growing(evidence: &Evidence) -> bool {
    let grown_ns = |slope: f64| slope * evidence.length.as_secs_f64() * 1e9;
    evidence
        .flow
        .age_slope
        .is_some_and(|slope| slope >= MIN_GROWTH && grown_ns(slope) >= HEALTHY_NS as f64)
}

/// The number of messages that arrive for each one that is handed off; `None` when not known.
pub(super) fn arrivals_per_hand_off(evidence: &Evidence) -> Option<f64> {
    let flow = &evidence.flow;
    if is_growing(evidence) {
        // The age grows by 1 - drained / arriving.
        let slope = flow.age_slope.filter(|&slope| slope < 1.0)?;
        return Some(1.0 / (1.0 - slope));
    }
    let arrivals = flow.arrivals_per_s?;
    (flow.drained_per_s > 0.0).then(|| arrivals / flow.drained_per_s)
}

/// A part's share of the age.
pub(super) fn share_of_age(evidence: &Evidence, part: Part) -> HumanPercent {
    let sums = evidence.figures.sums_without_skew();
    HumanPercent {
        part: sums.part(part),
        whole: sums.total(),
    }
}

/// A culprit's share of its part.
pub(super) fn share_of_part(evidence: &Evidence, row: &BlameRow) -> HumanPercent {
    HumanPercent {
        part: row.ns,
        whole: evidence.figures.sums_without_skew().part(row.part),
    }
}

/// The share of the network's time during which an acknowledgement of ours was pending; `None` when
/// it is too small for the venue to have waited for it.
pub(super) fn late_acks(evidence: &Evidence) -> Option<HumanPercent> {
    let figures = &evidence.figures;
    let pending = HumanPercent {
        part: i128::try_from(figures.ack_pending_ns).unwrap_or(i128::MAX),
        whole: figures.sums_without_skew().part(Part::Network),
    };
    (pending.ratio() >= MIN_ACK_SHARE).then_some(pending)
}

/// CPU time per message, nanoseconds; `None` when not known.
pub(super) fn cpu_per_message_ns(evidence: &Evidence) -> Option<i64> {
    let messages = i64::try_from(evidence.figures.messages).unwrap_or(i64::MAX);
    let each = evidence.reader_time.part(Part::OnCpu) / messages.max(1);
    (each != 0).then_some(each)
}
