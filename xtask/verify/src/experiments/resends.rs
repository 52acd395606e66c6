//! Resends: bursts of copies (43=Y), gap fills and sequence resets within a fresh stream.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::compare::bars;
use crate::observe::{self, JoinedMessage, STREAM};
use crate::{BarCheck, Context, Experiment, MISSED, ResultRow, blame};
use lab::agent::MessageLine;
use lab::bench::{Bench, BenchTruth};
use lab::blame::Blame;
use lab::quantiles::Quantiles;
use lab::venue::{self, Extra, ExtraKind, Resend};

pub(super) const RESENDS: Experiment = Experiment {
    name: "resends",
    about: "bursts of 43=Y with and without tag 122, gap fills and a reset to a used MsgSeqNum",
    run,
};

/// Messages per second, and seconds.
const RATE: f64 = 200.0;
const SECONDS: f64 = 6.0;

/// What is sent besides a stream of `count` reports.
fn extras(count: u64) -> Vec<Extra> {
    let minutes = |n: u64| Duration::from_mins(n);
    let at = |sixths: u64, kind| Extra {
        after: count * sixths / 6,
        kind,
    };
    let resend = |count, older, bare| ExtraKind::Resend { count, older, bare };
    vec![
        at(1, resend(150, minutes(10), 5)),
        at(2, ExtraKind::GapFill(50)),
        at(3, resend(300, minutes(3), 10)),
        // MsgSeqNums of the beginning are used anew.
        at(4, ExtraKind::Reset(2)),
        at(5, resend(60, minutes(1), 0)),
        at(5, ExtraKind::GapFill(1)),
    ]
}

fn run(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let count = context.messages(RATE, SECONDS);
    let options = venue::VenueOptions {
        extras: extras(count),
        ..venue::VenueOptions::of(RATE, count)
    };
    // A burst keeps the victim busy for a while, and the fresh messages behind it wait for that.
    let victim = ["--inject", "sleep", "--hold-us", "1000"];
    let bench = Bench::start(options, &victim)?;
    let pid = bench.victim.pid();
    let by_message = observe::attach(context, pid, &[])?;
    // Its figures must be those of the first.
    let intervals = ["--json", "intervals", "--interval", "500ms"];
    let by_interval = observe::attach_with(context, pid, &intervals)?;
    bench.venue.open_gate();
    let truth = bench.conclude_all(STREAM)?;
    let by_message = observe::outcome(by_message)?;
    let by_interval = observe::outcome(by_interval)?;
    let totals = ReportedTotals::of(&by_message.others, &by_interval.others)?;
    let mut rows = rows(&truth, &by_message.messages, &totals)?;
    for outcome in [&by_message, &by_interval] {
        rows[0].checks.push(blame::sums(&outcome.blame()?));
    }
    rows[0].checks.push(totals.unsummed);
    Ok(rows)
}

/// The agent's figures of the only session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct SessionCounts {
    fresh: u64,
    resends: u64,
    without_time: u64,
    largest_fresh_age_ns: i64,
    largest_resend_age_ns: i64,
}

impl SessionCounts {
    fn of(session: &Value) -> Self {
        let count = |pointer| {
            session
                .pointer(pointer)
                .and_then(Value::as_u64)
                .unwrap_or(0)
        };
        let ns = |pointer| {
            session
                .pointer(pointer)
                .and_then(Value::as_i64)
                .unwrap_or(0)
        };
        Self {
            fresh: count("/messages"),
            resends: count("/resends"),
            without_time: count("/excluded/resend_without_orig_time"),
            largest_fresh_age_ns: ns("/age/max_ns"),
            largest_resend_age_ns: ns("/resend_age/max_ns"),
        }
    }

    /// Together with those of another interval.
    fn and(self, other: Self) -> Self {
        Self {
            fresh: self.fresh + other.fresh,
            resends: self.resends + other.resends,
            without_time: self.without_time + other.without_time,
            largest_fresh_age_ns: self.largest_fresh_age_ns.max(other.largest_fresh_age_ns),
            largest_resend_age_ns: self.largest_resend_age_ns.max(other.largest_resend_age_ns),
        }
    }
}

/// What the agents report besides the lines of messages.
struct ReportedTotals {
    /// The summary of the one that wrote each message.
    summary: SessionCounts,
    /// The intervals of the other, added up, and its summary.
    intervals: SessionCounts,
    intervals_summary: SessionCounts,
    /// Intervals with a part that its blame does not sum to.
    unsummed: BarCheck,
}

impl ReportedTotals {
    fn of(by_message: &[String], by_interval: &[String]) -> Result<Self> {
        let parse = |lines: &[String]| -> Result<Vec<Value>> {
            let values = lines.iter().map(|line| serde_json::from_str(line));
            values
                .collect::<Result<_, _>>()
                .context("the agent's lines")
        };
        let summary = |lines: &[Value]| -> Result<SessionCounts> {
            let summary = lines
                .iter()
                .find(|line| line["type"] == "summary")
                .context("no summary")?;
            let sessions = summary["sessions"].as_array().context("no sessions")?;
            ensure!(
                sessions.len() == 1,
                "{} sessions instead of one",
                sessions.len()
            );
            Ok(SessionCounts::of(&sessions[0]))
        };
        let (by_message, by_interval) = (parse(by_message)?, parse(by_interval)?);
        let intervals = by_interval.iter().filter(|line| line["type"] == "interval");
        let mut unsummed = 0;
        for interval in intervals.clone() {
            let blame = Blame::of_interval(interval)?;
            unsummed += usize::from(!blame.inexact().is_empty());
        }
        Ok(Self {
            unsummed: BarCheck::none("intervals that their blame does not sum to", unsummed),
            summary: summary(&by_message)?,
            intervals: intervals
                .map(SessionCounts::of)
                .fold(SessionCounts::default(), SessionCounts::and),
            intervals_summary: summary(&by_interval)?,
        })
    }
}

fn rows(
    truth: &BenchTruth,
    messages: &[MessageLine],
    totals: &ReportedTotals,
) -> Result<Vec<ResultRow>> {
    let received = &truth.victim.records;
    ensure!(
        received.len() <= truth.sent.len(),
        "the victim received {} of {} messages",
        received.len(),
        truth.sent.len()
    );
    // Copies and reset numbers: MsgSeqNum alone does not name a message.
    let found: HashMap<(u64, i64), &MessageLine> = messages
        .iter()
        .map(|message| ((message.seq, message.sent_ns), message))
        .collect();
    let (mut fresh, mut resent) = (Vec::new(), Vec::new());
    let (mut missed, mut bare) = (0, 0);
    // The agent was attached after the logon.
    for (sent, record) in truth.sent.iter().zip(received).skip(1) {
        ensure!(
            sent.seq == record.seq,
            "the victim got {record:?} for {sent:?}"
        );
        let (list, time) = match sent.resend {
            Resend::No => (&mut fresh, sent.sent_ns),
            Resend::Since(first) => (&mut resent, first),
            Resend::Bare => {
                bare += 1;
                continue;
            }
        };
        match found.get(&(sent.seq, time)) {
            Some(found) => list.push(JoinedMessage {
                found,
                sent,
                record,
            }),
            None => missed += 1,
        }
    }
    let largest =
        |joined: &[JoinedMessage<'_>]| joined.iter().map(|j| j.found.age_ns).max().unwrap_or(0);
    let expected = SessionCounts {
        fresh: fresh.len() as u64,
        resends: resent.len() as u64,
        without_time: bare,
        largest_fresh_age_ns: largest(&fresh),
        largest_resend_age_ns: largest(&resent),
    };
    let mut first = row("fresh messages between bursts", &fresh, false);
    let unsent = messages.len().saturating_sub(fresh.len() + resent.len());
    let off = |figures: SessionCounts| usize::from(figures != expected);
    // The two agents handed off at instants of their own; to the interval's figures only the counts
    // are common.
    let counts = |figures: SessionCounts| {
        let of = |f: SessionCounts| (f.fresh, f.resends, f.without_time);
        usize::from(of(figures) != of(expected))
    };
    first.checks.extend([
        BarCheck::none(MISSED, missed),
        BarCheck::none("lines of messages that were not sent", unsent),
        BarCheck::none(
            "summary with other counts or largest ages",
            off(totals.summary),
        ),
        BarCheck::none(
            "summary of intervals with other counts",
            counts(totals.intervals_summary),
        ),
        BarCheck::none(
            "intervals that do not sum to their summary",
            usize::from(totals.intervals != totals.intervals_summary),
        ),
        BarCheck::at_most("largest fresh age", largest_error(&fresh), 2.0, "ms"),
    ]);
    first.remarks.push(format!(
        "{} resends with tag 122, {bare} without; largest age of a fresh message {:.1} ms, of a \
         resend {:.1} s",
        resent.len(),
        expected.largest_fresh_age_ns as f64 / 1e6,
        expected.largest_resend_age_ns as f64 / 1e9,
    ));
    if first.checks.iter().any(|check| !check.passes()) {
        first.remarks.push(format!(
            "expected {expected:?}, found {:?} and {:?}",
            totals.summary, totals.intervals_summary
        ));
    }
    Ok(vec![first, row("resends, since tag 122", &resent, true)])
}

/// How far the largest age is from the true largest, milliseconds.
fn largest_error(joined: &[JoinedMessage<'_>]) -> f64 {
    let found = joined.iter().map(|j| j.found.age_ns).max().unwrap_or(0);
    let truth = joined.iter().map(true_age_ns).max().unwrap_or(0);
    (found - truth).abs() as f64 / 1e6
}

fn true_age_ns(joined: &JoinedMessage<'_>) -> i64 {
    let since = match joined.sent.resend {
        Resend::Since(first) => first,
        Resend::No | Resend::Bare => joined.sent.sent_ns,
    };
    joined.record.handed_off_utc_ns - since
}

fn row(case: &str, joined: &[JoinedMessage<'_>], resent: bool) -> ResultRow {
    let wrongly = joined.iter().filter(|j| j.found.poss_dup != resent).count();
    let broken = joined
        .iter()
        .filter(|j| j.found.inexact().is_some())
        .count();
    let mut row = ResultRow {
        experiment: RESENDS.name,
        case: case.to_owned(),
        truth: "the victim's clock at each hand-off, less tag 52 (of a resend: 122) as the venue \
                wrote it",
        quantity: "age",
        messages: joined.len(),
        truth_ns: joined.iter().map(true_age_ns).sum(),
        found_ns: joined.iter().map(|j| j.found.age_ns).sum(),
        errors: Quantiles::of_errors(joined.iter().map(|j| j.found.age_ns - true_age_ns(j))),
        leak: None,
        unknown: joined
            .iter()
            .filter(|j| j.found.part("unknown") > 0)
            .count(),
        checks: vec![
            BarCheck::none("sums that do not hold", broken),
            BarCheck::none("messages on the wrong side of 43=Y", wrongly),
            BarCheck::at_most(
                "no message at all",
                f64::from(u8::from(joined.is_empty())),
                0.0,
                "",
            ),
        ],
        remarks: Vec::new(),
    };
    row.checks.extend(bars(&row));
    row
}
