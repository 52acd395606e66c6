//! What the application, the venue and the agent say, joined, and the checks all rows of ages
//! share.

use std::collections::{HashMap, HashSet};

use super::observe::{EngineCase, EngineRun};
use super::{ENGINE, GAP, REJECTS};
use crate::{BarCheck, ResultRow, blame, compare};
use lab::agent::MessageLine;
use lab::quantiles::Quantiles;
use lab::quickfix::DeliveredMessage;

/// Readings of a clock on two CPUs, and of two clocks one after the other, may differ by so much.
pub(super) const SLACK_NS: i64 = 100_000;

/// Messages whose hand-off is a call.
pub(super) fn of_calls(run: &EngineRun, pairs: &[DeliveredPair<'_>]) -> ResultRow {
    let late = lateness(pairs);
    let mut row = row(run, pairs, Quantiles::of_errors(late.iter().copied()));
    // `fromApp` has returned before it begins with the next message.
    let next: HashMap<u64, i64> = run
        .delivered
        .windows(2)
        .map(|two| (two[0].seq, begun_utc_ns(&two[1])))
        .collect();
    let too_late = pairs
        .iter()
        .filter(|(d, m)| next.get(&d.seq).is_some_and(|&next| m.handed_off_ns > next))
        .count();
    let too_late = 100.0 * too_late as f64 / pairs.len() as f64;
    row.checks.extend([
        below_1_ms(row.errors),
        before(&late),
        // Some microseconds lie between the two, and the clocks are as exact as that.
        BarCheck::at_most("calls of a later message", too_late, 1.0, "%"),
    ]);
    row
}

pub(super) type DeliveredPair<'a> = (&'a DeliveredMessage, &'a MessageLine);

/// By how much each hand-off is later than the end of `fromApp`, nanoseconds.
pub(super) fn lateness(pairs: &[DeliveredPair<'_>]) -> Vec<i64> {
    let late = |(d, m): &DeliveredPair<'_>| m.handed_off_ns - d.utc_ns;
    pairs.iter().map(late).collect()
}

/// When `fromApp` began to run, UTC.
pub(super) fn begun_utc_ns(delivered: &DeliveredMessage) -> i64 {
    delivered.utc_ns - (delivered.done_ns - delivered.begun_ns)
}

pub(super) fn by_call(message: &MessageLine) -> bool {
    message.hand_off == "function"
}

/// ExecutionReports.
fn reports(messages: &[MessageLine]) -> impl Iterator<Item = &MessageLine> {
    messages.iter().filter(|message| message.msg_type == "8")
}

/// Joined by MsgSeqNum.
pub(super) fn pairs(run: &EngineRun) -> Vec<DeliveredPair<'_>> {
    let by_seq: HashMap<u64, &MessageLine> = reports(&run.messages).map(|m| (m.seq, m)).collect();
    run.delivered
        .iter()
        .filter_map(|delivered| Some((delivered, *by_seq.get(&delivered.seq)?)))
        .collect()
}

/// What all rows of ages have in common.
pub(super) fn row(run: &EngineRun, pairs: &[DeliveredPair<'_>], errors: Quantiles) -> ResultRow {
    let lines: HashSet<u64> = reports(&run.messages).map(|m| m.seq).collect();
    let delivered: HashSet<u64> = run.delivered.iter().map(|d| d.seq).collect();
    let sent: HashSet<u64> = run
        .sent
        .iter()
        .filter(|sent| sent.msg_type == "8")
        .map(|sent| sent.seq)
        .collect();
    let missing = |from: &HashSet<u64>| sent.difference(from).count();
    let age: i64 = run.messages.iter().map(|m| m.age_ns).sum();
    let lock: i64 = run.messages.iter().map(|m| m.part("lock_wait")).sum();
    let oldest = pairs.iter().map(|(d, _)| d.age_ns()).max().unwrap_or(0);
    let mut reads: HashMap<i64, usize> = HashMap::new();
    for message in &run.messages {
        *reads.entry(message.received_ns).or_default() += 1;
    }
    ResultRow {
        experiment: experiment(run),
        case: run.case.name.to_owned(),
        truth: "clocks read as fromApp ends",
        quantity: "age",
        messages: pairs.len(),
        truth_ns: pairs.iter().map(|(d, _)| d.age_ns()).sum(),
        found_ns: pairs.iter().map(|(_, m)| m.age_ns).sum(),
        errors,
        leak: None,
        unknown: unknown(&run.messages),
        checks: vec![
            BarCheck::none("messages without a line", missing(&lines)),
            BarCheck::none(
                "messages that did not reach the application",
                missing(&delivered),
            ),
            BarCheck::none("messages with unknown time", unknown(&run.messages)),
            inexact(&run.messages),
            blame::sums(&run.blame),
        ],
        remarks: vec![format!(
            "lock-wait is {:.1}% of all age; the oldest message was {}; up to {} messages a read",
            100.0 * lock as f64 / age as f64,
            s(oldest),
            reads.values().max().unwrap_or(&0)
        )],
    }
}

fn experiment(run: &EngineRun) -> &'static str {
    match run.case {
        EngineCase {
            max_latency: Some(_),
            ..
        } => REJECTS.name,
        EngineCase { loses: true, .. } => GAP.name,
        _ => ENGINE.name,
    }
}

/// Whom the agent blames for the lock-wait; `None` where nobody shares the engine's lock.
pub(super) fn blamed(run: &EngineRun) -> Option<ResultRow> {
    let holder = run.holder?;
    let case = compare::ComparedCase {
        experiment: experiment(run),
        case: run.case.name,
        truth: "the processor's thread, by /proc",
        part: "lock_wait",
    };
    Some(blame::row(&run.blame, run.messages.len(), case, |row| {
        row.tid == Some(holder) && row.begins("the GIL, held by ")
    }))
}

/// Messages with unknown time, of those that came after the first receive call (from which on the
/// reader is registered) and whose read came to its end.
pub(super) fn unknown(messages: &[MessageLine]) -> usize {
    let first = messages.iter().map(|m| m.received_ns).min().unwrap_or(0);
    let late = |m: &&MessageLine| m.arrived_ns.is_none_or(|arrived| arrived > first);
    messages
        .iter()
        .filter(late)
        .filter(|m| m.hand_off != "unseen" && m.part("unknown") != 0)
        .count()
}

pub(super) fn inexact(messages: &[MessageLine]) -> BarCheck {
    let exact = |m: &&MessageLine| m.total() == m.age_ns && m.handed_off_ns - m.sent_ns == m.age_ns;
    BarCheck::none(
        "sums that are not exact",
        messages.iter().filter(|m| !exact(m)).count(),
    )
}

pub(super) fn below_1_ms(errors: Quantiles) -> BarCheck {
    BarCheck::at_most("error at p99", errors.p99_ns as f64 / 1e6, 1.0, "ms")
}

/// `late` has by how much each hand-off is later than the truth.
pub(super) fn before(late: &[i64]) -> BarCheck {
    BarCheck::none(
        "hand-offs before the truth",
        late.iter().filter(|&&ns| ns < -SLACK_NS).count(),
    )
}

pub(super) fn ms(ns: i64) -> String {
    format!("{:.3} ms", ns as f64 / 1e6)
}

pub(super) fn s(ns: i64) -> String {
    format!("{:.3} s", ns as f64 / 1e9)
}
