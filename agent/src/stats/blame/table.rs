//! The charges of one session.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{
    names::CulpritNames,
    row::{BlameRow, WaitStats},
    series::{self, CulpritSeries, MAX_SERIES, PartSeries},
};
use crate::{
    domain::{Charge, CulpritId, HolderSample, Message, Part, Stage, Wait},
    stats::{
        activity::{ActivityCounts, HolderSamples},
        sums::Sums,
    },
};

/// Culprits of a session that are counted apart, over all parts; the rest is other.
pub(super) const MAX_CULPRITS: usize = 64;

/// Culprits per part in the figures.
pub(super) const MAX_ROWS: usize = 5;

/// What one culprit of one part is charged with.
#[derive(Clone, Debug, Default)]
struct CulpritAccount {
    ns: u64,
    held_back_ns: u64,
    series: CulpritSeries,
    waits: WaitStats,
    activities: ActivityCounts,
}

/// The charges of one session by part and culprit.
#[derive(Clone, Debug, Default)]
pub(crate) struct BlameTable {
    accounts: HashMap<(Part, CulpritId), CulpritAccount>,
    series: PartSeries,
}

impl BlameTable {
    /// The account of a culprit, if there is one or room for one.
    fn account(&mut self, part: Part, culprit: CulpritId) -> Option<&mut CulpritAccount> {
        let full = self.accounts.len() >= MAX_CULPRITS;
        if culprit == CulpritId::OTHER || full && !self.accounts.contains_key(&(part, culprit)) {
            return None;
        }
        Some(self.accounts.entry((part, culprit)).or_default())
    }

    /// Makes room for a new culprit: among those without a series, the one with the least recent
    /// charges counts as other from now on.
    fn make_room(&mut self, part: Part, culprit: CulpritId) {
        if self.accounts.len() < MAX_CULPRITS || self.accounts.contains_key(&(part, culprit)) {
            return;
        }
        let candidates = self
            .accounts
            .iter()
            .map(|(key, account)| (key, &account.series))
            .filter(|(_, series)| series.since_promotion_ns.is_none());
        let least = candidates.min_by(|a, b| a.1.recent_ns.total_cmp(&b.1.recent_ns));
        if let Some((&key, _)) = least {
            self.accounts.remove(&key);
        }
    }

    /// Adds the charges of a fresh message.
    pub(crate) fn charge(&mut self, message: &Message) {
        let matrix = message.split.matrix();
        for part in Part::ALL {
            self.series.add(part, matrix.part(part).max(0) as f64);
        }
        for charge in &message.charges {
            if charge.culprit == CulpritId::OTHER {
                continue;
            }
            self.make_room(charge.part, charge.culprit);
            let Some(account) = self.account(charge.part, charge.culprit) else {
                continue;
            };
            account.ns += charge.ns;
            account.held_back_ns += charge.held_back_ns;
            account.series.recent_ns += charge.ns as f64;
            if let Some(ns) = &mut account.series.since_promotion_ns {
                *ns += charge.ns;
                continue;
            }
            let recent_ns = account.series.recent_ns;
            if self.series.deserves_series(charge.part, recent_ns) {
                self.promote(charge, recent_ns);
            }
        }
    }

    /// Gives the culprit of a charge a series that begins with this charge, if there is room.
    fn promote(&mut self, charge: &Charge, recent_ns: f64) {
        let promoted = self
            .accounts
            .iter_mut()
            .filter(|((part, _), account)| {
                *part == charge.part && account.series.since_promotion_ns.is_some()
            })
            .map(|(_, account)| &mut account.series);
        if self.series.make_room(charge.part, recent_ns, promoted)
            && let Some(account) = self.account(charge.part, charge.culprit)
        {
            account.series.since_promotion_ns = Some(charge.ns);
        }
    }

    /// Lets recent charges lose weight for the time that has passed.
    pub(crate) fn decay(&mut self, passed: Duration) {
        let by = series::decay(passed);
        self.series.decay(by);
        for account in self.accounts.values_mut() {
            account.series.recent_ns *= by;
        }
    }

    /// Charges of a part whose series have ended, nanoseconds. Never decreases.
    pub(crate) const fn ended_series_ns(&self, part: Part) -> u64 {
        self.series.ended_ns(part)
    }

    /// Whether a culprit has an account.
    pub(crate) fn contains(&self, culprit: CulpritId) -> bool {
        self.accounts.keys().any(|&(_, id)| id == culprit)
    }

    /// The culprits of a part with a series of their own, and their charges since the promotion,
    /// nanoseconds. The charges of a series never decrease.
    pub(crate) fn series(&self, part: Part) -> impl Iterator<Item = (CulpritId, u64)> + '_ {
        let of_part = self.accounts.iter().filter(move |(key, _)| key.0 == part);
        of_part.filter_map(|(key, account)| Some((key.1, account.series.since_promotion_ns?)))
    }

    /// Adds a wait of the reader.
    pub(crate) fn add_wait(&mut self, wait: &Wait) {
        if let Some(account) = self.account(wait.part, wait.culprit) {
            account.waits.add(wait);
        }
    }

    /// Adds a sample of a holder that the reader waited for.
    pub(crate) fn add_sample(&mut self, sample: &HolderSample) {
        if let Some(account) = self.account(Part::LockWait, sample.culprit) {
            account.activities.add(&sample.activity, 1);
        }
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.series.absorb(&other.series);
        for (&(part, culprit), theirs) in &other.accounts {
            let room = self.series(part).count() < MAX_SERIES;
            let Some(mine) = self.account(part, culprit) else {
                continue;
            };
            if let Some(ns) = theirs.series.since_promotion_ns
                && (room || mine.series.since_promotion_ns.is_some())
            {
                let before = mine.series.since_promotion_ns.unwrap_or(0);
                mine.series.since_promotion_ns = Some(before + ns);
            }
            mine.series.recent_ns += theirs.series.recent_ns;
            mine.ns += theirs.ns;
            mine.held_back_ns += theirs.held_back_ns;
            mine.activities.absorb(&theirs.activities);
            mine.waits.absorb(&theirs.waits);
        }
    }

    /// Empties the table; its memory is reused.
    pub(crate) fn reset(&mut self) {
        self.accounts.clear();
        self.series = PartSeries::default();
    }

    /// The rows by part, within a part the most charged first. The last row of a part has what the
    /// others lack of it.
    pub(crate) fn rows(&self, sums: &Sums, names: &CulpritNames) -> Vec<BlameRow> {
        let mut rows = Vec::new();
        for part in [
            Part::RunQueue,
            Part::Throttle,
            Part::LockWait,
            Part::Blocked,
        ] {
            if sums.part(part) > 0 {
                self.push_rows(part, sums, names, &mut rows);
            }
        }
        rows
    }

    fn push_rows(&self, part: Part, sums: &Sums, names: &CulpritNames, rows: &mut Vec<BlameRow>) {
        let mut accounts: Vec<_> = self
            .accounts
            .iter()
            .filter(|(key, _)| key.0 == part)
            .collect();
        accounts.sort_unstable_by_key(|(key, account)| (std::cmp::Reverse(account.ns), key.1));
        let mut rest_ns = sums.part(part);
        let mut held_back_rest_ns = sums.get(Stage::HeldBack, part);
        for (&(_, id), account) in accounts.into_iter().take(MAX_ROWS) {
            let ns = i128::from(account.ns);
            let Some(culprit) = names.get(id).filter(|_| ns > 0 || account.waits.count > 0) else {
                continue;
            };
            rest_ns -= ns;
            held_back_rest_ns -= i128::from(account.held_back_ns);
            rows.push(BlameRow {
                part,
                culprit: Some(Arc::clone(culprit)),
                ns,
                held_back_ns: account.held_back_ns.into(),
                waits: account.waits,
                samples: account.activities.samples(),
            });
        }
        if rest_ns > 0 {
            rows.push(BlameRow {
                part,
                culprit: None,
                ns: rest_ns,
                held_back_ns: held_back_rest_ns,
                waits: WaitStats::default(),
                samples: HolderSamples::default(),
            });
        }
    }
}

#[cfg(test)]
impl BlameTable {
    /// Number of accounts.
    pub(super) fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Everything a culprit is charged with, nanoseconds.
    pub(super) fn charged_ns(&self, part: Part, culprit: CulpritId) -> u64 {
        self.accounts[&(part, culprit)].ns
    }
}
