//! The samples of a hang compared with the victim's own clock and the venue's log.

use lab::agent::WaitingLine;
use lab::bench::BenchTruth;
use lab::quantiles::Quantiles;
use lab::venue::SentMessage;

use super::HANG;
use crate::compare::{self, OTHER_PARTS};
use crate::truth::Timeline;
use crate::{BarCheck, ResultRow, blame};

/// How long after the beginning of a hang a sample is compared: the agent has sampled it twice.
const GRACE_NS: i64 = 300_000_000;
/// When it has to be a stall: half a second without a hand-off, and a sample.
const STALLED_AFTER_NS: i64 = 800_000_000;
/// The largest error of a waiting age, milliseconds.
const MAX_AGE_MS: f64 = 50.0;
/// The longest time between two samples, milliseconds.
const MAX_PERIOD_MS: f64 = 250.0;
/// The longest time from the newest sample to the instant at which its line was read: the time to
/// the next sample, and an interval.
const MAX_DELAY_MS: f64 = 400.0;
/// A bound is not above the truth by more than two readings of clocks.
const CLOCK_SLACK_NS: i64 = 100_000;

/// A finished run: the samples were read before the hang ended.
pub(super) struct HangRun {
    pub(super) truth: BenchTruth,
    pub(super) samples: Vec<WaitingLine>,
    /// The hang, monotonic nanoseconds.
    pub(super) began_ns: i64,
    pub(super) ended_ns: i64,
    /// When the samples were read, monotonic nanoseconds.
    pub(super) read_ns: i64,
    /// The beginning and the end of what the culprit is called.
    pub(super) culprit: (String, String),
    /// The process was stopped: its clocks do not distinguish that from stolen time.
    pub(super) stopped: bool,
    pub(super) deadlock: bool,
}

/// A sample, and what really waited at its instant.
struct ComparedSample<'a> {
    sample: &'a WaitingLine,
    /// Monotonic.
    at_ns: i64,
    /// The oldest message that was not handed off.
    sent: &'a SentMessage,
    /// When it was in the victim's receive queue, monotonic.
    queued_ns: i64,
    /// The victim had received it.
    received: bool,
}

impl ComparedSample<'_> {
    fn true_age_ns(&self) -> i64 {
        self.sample.at_ns - self.sent.sent_ns
    }

    fn error_ns(&self) -> i64 {
        self.sample.age_ns - self.true_age_ns()
    }
}

impl HangRun {
    /// The rows of the case: the age, its split, the culprit.
    pub(super) fn rows(&self, case: &str, part: &'static str) -> Vec<ResultRow> {
        let compared = self.compared();
        vec![
            self.age(case, &compared),
            self.split(case, part, &compared),
            self.blamed(case, part, &compared),
        ]
    }

    /// The samples in the hang.
    fn compared(&self) -> Vec<ComparedSample<'_>> {
        let records = &self.truth.victim.records;
        let offset = records
            .first()
            .map_or(0, |record| record.handed_off_utc_ns - record.handed_off_ns);
        let during = self.began_ns + GRACE_NS..self.ended_ns;
        let compared = self.samples.iter().filter_map(|sample| {
            let at_ns = sample.at_ns - offset;
            let oldest = records
                .iter()
                .filter(|record| record.handed_off_ns > at_ns)
                .min_by_key(|record| record.seq)?;
            let sent = self.truth.sent.iter().find(|sent| sent.seq == oldest.seq)?;
            during.contains(&at_ns).then_some(ComparedSample {
                sample,
                at_ns,
                sent,
                queued_ns: sent.taken_monotonic_ns.min(oldest.received_ns),
                received: oldest.received_ns <= at_ns,
            })
        });
        compared.collect()
    }

    fn age(&self, case: &str, compared: &[ComparedSample<'_>]) -> ResultRow {
        let truth = "the venue's stamp of the oldest message that the victim had not handed off";
        let mut row = row(case, truth, "waiting age", compared);
        row.truth_ns = compared.iter().map(ComparedSample::true_age_ns).sum();
        row.found_ns = compared.iter().map(|c| c.sample.age_ns).sum();
        row.errors = Quantiles::of_errors(compared.iter().map(ComparedSample::error_ns));
        let (bounds, exact): (Vec<&ComparedSample<'_>>, Vec<_>) =
            compared.iter().partition(|c| c.sample.lower_bound);
        let worst = exact.iter().map(|c| c.error_ns().abs()).max().unwrap_or(0);
        let too_old = bounds.iter().filter(|c| c.error_ns() > CLOCK_SLACK_NS);
        let needless = bounds.iter().filter(|c| c.received);
        let newest = compared.last().map_or(0, |c| c.at_ns);
        let future = compared.iter().filter(|c| c.at_ns > self.read_ns);
        let inexact = compared
            .iter()
            .filter(|c| c.sample.total() != c.sample.age_ns);
        let no_stall = |c: &&ComparedSample<'_>| {
            c.at_ns > self.began_ns + STALLED_AFTER_NS && !c.sample.stalled
        };
        let periods = compared
            .windows(2)
            .map(|pair| pair[1].at_ns - pair[0].at_ns);
        row.checks = vec![
            BarCheck::none("no samples", usize::from(compared.is_empty())),
            BarCheck::none("sums that do not hold", inexact.count()),
            BarCheck::at_most("largest error of an age", millis(worst), MAX_AGE_MS, "ms"),
            BarCheck::none("bounds above the truth", too_old.count()),
            BarCheck::none("bounds where tag 52 was read", needless.count()),
            BarCheck::none("samples of the future", future.count()),
            BarCheck::at_most(
                "from the newest sample to its reading",
                millis(self.read_ns - newest),
                MAX_DELAY_MS,
                "ms",
            ),
            BarCheck::none(
                "samples without a stall",
                compared.iter().filter(no_stall).count(),
            ),
            BarCheck::at_most(
                "time between samples",
                millis(periods.max().unwrap_or(0)),
                MAX_PERIOD_MS,
                "ms",
            ),
        ];
        if !bounds.is_empty() {
            let text = format!(
                "{} of {} ages are lower bounds",
                bounds.len(),
                compared.len()
            );
            row.remarks.push(text);
        }
        row
    }

    fn split(&self, case: &str, part: &'static str, compared: &[ComparedSample<'_>]) -> ResultRow {
        let timeline = Timeline::of(&self.truth.victim.marks);
        let mut totals: Vec<(&'static str, i64, i64)> = Vec::new();
        let mut differences = Vec::new();
        for c in compared {
            let parts = self.parts(c, &timeline);
            if totals.is_empty() {
                totals = parts.map(|(name, _, _)| (name, 0, 0)).to_vec();
            }
            for (total, (name, found, truth)) in totals.iter_mut().zip(parts) {
                total.1 += found;
                total.2 += truth;
                if name == part {
                    differences.push(found - truth);
                }
            }
        }
        let truth = "the victim's clock around its calls, its CPU time and run_delay, the cgroup's \
                     cpu.stat";
        let mut row = row(case, truth, part, compared);
        if let Some(total) = totals.iter().find(|total| total.0 == part) {
            (row.found_ns, row.truth_ns) = (total.1, total.2);
        }
        let others = totals.iter().filter(|total| total.0 != part);
        let others = others.map(|&(name, found, truth)| (name, found - truth));
        row.leak = others.max_by_key(|(_, ns)| ns.abs());
        row.errors = Quantiles::of_errors(differences);
        let bars = compare::bars(&row).into_iter();
        row.checks = bars
            .filter(|check| ["total", OTHER_PARTS].contains(&check.name))
            .collect();
        row
    }

    /// The parts of a sample by the agent and by the victim.
    fn parts(&self, c: &ComparedSample<'_>, timeline: &Timeline) -> [(&'static str, i64, i64); 6] {
        let truth = timeline.between(c.queued_ns, c.at_ns);
        let found = |part: &'static str, truth: i64| (part, c.sample.part(part), truth);
        let (asleep, on_cpu) = if self.stopped {
            (truth.asleep + truth.stolen, truth.on_cpu)
        } else {
            (truth.asleep, truth.on_cpu + truth.stolen)
        };
        [
            found("run_queue", truth.run_queue),
            found("throttle", truth.throttle),
            found("on_cpu", on_cpu),
            found("lock_wait", truth.lock),
            found("blocked", asleep),
            found("network", c.queued_ns - c.sent.sent_monotonic_ns),
        ]
    }

    fn blamed(&self, case: &str, part: &'static str, compared: &[ComparedSample<'_>]) -> ResultRow {
        let truth = "what the victim was made to wait for, by /proc";
        let mut row = row(case, truth, blame::quantity(part), compared);
        let part_of = |c: &&ComparedSample<'_>| c.sample.part(part);
        let is_right = |c: &&ComparedSample<'_>| self.is_right(c.sample);
        row.truth_ns = compared.iter().map(|c| part_of(&c)).sum();
        row.found_ns = compared.iter().filter(is_right).map(|c| part_of(&c)).sum();
        row.checks = vec![blame::others(row.found_ns, row.truth_ns)];
        let mut wrong: Vec<_> = compared.iter().filter(|c| !is_right(c)).collect();
        wrong.dedup_by_key(|c| c.sample.culprit());
        row.remarks = wrong
            .iter()
            .map(|c| format!("a sample names {:?}", c.sample.culprit()))
            .collect();
        row
    }

    /// Whether a sample names the culprit; of a deadlock its other thread too.
    fn is_right(&self, sample: &WaitingLine) -> bool {
        let (begins, ends) = &self.culprit;
        let named = sample.culprit().starts_with(begins) && sample.culprit().ends_with(ends);
        let Some(reader) = &sample.reader else {
            return false;
        };
        let rival = |name: &String| ends.ends_with(name.as_str());
        let cycle = reader.owner_by == "lock" && reader.deadlock.len() == 1;
        named && (!self.deadlock || cycle && reader.deadlock.iter().all(rival))
    }
}

fn row(
    case: &str,
    truth: &'static str,
    quantity: &'static str,
    compared: &[ComparedSample<'_>],
) -> ResultRow {
    let unknown = |c: &&ComparedSample<'_>| c.sample.part("unknown") > 0;
    ResultRow {
        experiment: HANG.name,
        case: case.to_owned(),
        truth,
        quantity,
        messages: compared.len(),
        truth_ns: 0,
        found_ns: 0,
        errors: Quantiles::default(),
        leak: None,
        unknown: compared.iter().filter(unknown).count(),
        checks: Vec::new(),
        remarks: Vec::new(),
    }
}

fn millis(ns: i64) -> f64 {
    ns as f64 / 1e6
}
