//! The losses and anomalies that an interval is the first to report.

use std::collections::BTreeMap;

use crate::domain::Health;

/// The counts of losses and anomalies that earlier intervals have reported.
#[derive(Debug, Default)]
pub(super) struct ReportedCounts {
    lost: BTreeMap<&'static str, u64>,
    anomalies: BTreeMap<&'static str, u64>,
}

/// Counts by kind.
pub(super) type KindCounts = Vec<(&'static str, u64)>;

impl ReportedCounts {
    /// Losses and anomalies since the last call.
    pub(super) fn since(&mut self, health: &Health) -> (KindCounts, KindCounts) {
        (
            rise(&mut self.lost, health.lost()),
            rise(&mut self.anomalies, health.anomalies()),
        )
    }
}

fn rise(
    reported: &mut BTreeMap<&'static str, u64>,
    now: impl Iterator<Item = (&'static str, u64)>,
) -> KindCounts {
    now.filter_map(|(kind, count)| {
        let before = reported.insert(kind, count).unwrap_or(0);
        (count > before).then(|| (kind, count - before))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_reported_once() {
        let mut health = Health::default();
        let mut reported = ReportedCounts::default();
        health.set_lost("map_full", 0);
        health.lose("ring_full", 3);
        health.anomaly("negative_interval", 1);
        let first = reported.since(&health);
        assert_eq!(
            first,
            (vec![("ring_full", 3)], vec![("negative_interval", 1)])
        );
        health.set_lost("ring_full", 5);
        health.set_lost("ring_full", 4);
        assert_eq!(reported.since(&health), (vec![("ring_full", 2)], vec![]));
        assert_eq!(reported.since(&health), (vec![], vec![]));
    }
}
