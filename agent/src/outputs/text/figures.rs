//! Rules by which every text shows figures.

use std::fmt::Write as _;

use crate::{
    domain::{
        Part,
        units::{HumanPercent, human_name, wrap},
    },
    stats::Figures,
};

/// A pending ACK is worth a word from this share of the network's time on.
const MIN_ACK_SHARE: f64 = 0.1;

/// The network's time itself is worth a word from this share of the age on.
const MIN_NETWORK_SHARE: f64 = 0.01;

/// Columns of a line of prose at most.
const MAX_COLUMNS: usize = 120;

/// The summed age that is not the network's, nanoseconds.
pub(super) fn outside_network_ns(f: &Figures) -> i128 {
    f.sums.total() - f.sums.part(Part::Network)
}

/// The share of the network's time in which an acknowledgement of ours was pending; `None` where
/// it is too small to matter.
pub(super) fn ack_pending_share(f: &Figures) -> Option<HumanPercent> {
    let sums = f.sums_without_skew();
    let network = sums.part(Part::Network);
    let pending = HumanPercent {
        part: i128::try_from(f.ack_pending_ns).unwrap_or(i128::MAX),
        whole: network,
    };
    let of_age = HumanPercent {
        part: network,
        whole: sums.total(),
    };
    (pending.ratio() >= MIN_ACK_SHARE && of_age.ratio() >= MIN_NETWORK_SHARE).then_some(pending)
}

/// `ring-full 2, clock-steps 1`: counts by kind, without those that are 0; `None` without any.
pub(crate) fn list_counts(counts: impl IntoIterator<Item = (&'static str, u64)>) -> Option<String> {
    let each: Vec<_> = counts
        .into_iter()
        .filter(|&(_, count)| count > 0)
        .map(|(kind, count)| format!("{} {count}", human_name(kind)))
        .collect();
    (!each.is_empty()).then(|| each.join(", "))
}

/// The words in indented lines of at most [`MAX_COLUMNS`], as long as words allow that.
pub(super) fn paragraph(words: &str, indent: &str) -> String {
    let mut text = String::new();
    for line in wrap(words, MAX_COLUMNS - indent.len()) {
        let _ = writeln!(text, "{indent}{line}");
    }
    text
}
