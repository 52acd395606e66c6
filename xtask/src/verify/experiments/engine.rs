//! A real engine: QuickFIX reads the session, and the truth is what the application behind it says.
//!
//! In mode thread the engine shares its process, and so the GIL, with the demo's processor; in mode process the
//! processor runs on its own. The clocks are read inside `fromApp`, right before it returns. QuickFIX takes up to
//! 8,192 bytes with one receive call, so without `--handoff` a message's age ends with its whole read.

mod observe;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use self::observe::{Case, Run, observe};
use crate::lab::agent::Message;
use crate::lab::clock::SECOND;
use crate::lab::quickfix::{self, Delivered, Processor};
use crate::verify::{Check, Context, Errors, Experiment, Row};

/// See the module.
pub(super) const ENGINE: Experiment = Experiment {
    name: "engine",
    about: "QuickFIX beside a processor that holds the GIL, or with it in a process of its own",
    run,
};

/// The application's callback; it returns when the application is through with one message.
const FROM_APP: &str = "SwigDirector_Application::fromApp";

/// The same, when it is entered.
const FROM_APP_ENTRY: &str = "SwigDirector_Application::fromApp@entry";

/// `FIX::Session::next(std::string const&, FIX::UtcTimeStamp const&, bool)`, entered once for every message of a
/// read, those that are rejected included.
const NEXT_ENTRY: &str = "_ZN3FIX7Session4nextERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE\
                          RKNS_12UtcTimeStampEb@entry";

/// MaxLatency of the case with rejects, seconds.
const MAX_LATENCY: u32 = 5;

/// Readings of a clock on two CPUs, and of two clocks one after the other, may differ by so much.
const SLACK_NS: i64 = 100_000;

/// A verdict this close to the turn of a second may fall on either side of it.
const TURN_NS: i64 = 1_000_000;

fn run(context: &Context<'_>) -> Result<Vec<Row>> {
    use Processor::{Process, Thread};
    let engine = quickfix::engine(Path::new("python3"))?;
    let observed = |case: Case| observe(context, &engine, case).context(case.name);
    let returned = Some(FROM_APP);
    let losing = Case {
        loses: true,
        ..Case::new(
            "thread, a message lost, --handoff fromApp",
            Thread,
            4.0,
            returned,
        )
    };
    let rejecting = Case {
        max_latency: Some(MAX_LATENCY),
        // The engine's logout ends it before.
        ..Case::new(
            "thread, MaxLatency=5, --handoff next@entry",
            Thread,
            25.0,
            Some(NEXT_ENTRY),
        )
    };
    let entered = Case::new(
        "process, --handoff fromApp@entry",
        Process,
        4.0,
        Some(FROM_APP_ENTRY),
    );
    Ok(vec![
        by_function(&observed(Case::new(
            "thread, --handoff fromApp",
            Thread,
            8.0,
            returned,
        ))?),
        by_read(&observed(Case::new("thread", Thread, 8.0, None))?),
        by_function(&observed(Case::new(
            "process, --handoff fromApp",
            Process,
            4.0,
            returned,
        ))?),
        by_read(&observed(Case::new("process", Process, 4.0, None))?),
        at_entry(&observed(entered)?),
        gap(&observed(losing)?)?,
        rejects(&observed(rejecting)?)?,
    ])
}

/// The hand-off is the return of `fromApp`.
fn by_function(run: &Run) -> Row {
    let pairs = pairs(run);
    let mut row = of_calls(run, &pairs);
    let other = pairs.iter().filter(|(_, m)| !by_call(m)).count();
    row.checks
        .push(Check::none("application messages without a call", other));
    row
}

/// Messages whose hand-off is a call.
fn of_calls(run: &Run, pairs: &[Pair<'_>]) -> Row {
    let late = lateness(pairs);
    let mut row = row(run, pairs, Errors::of(late.iter().copied()));
    // `fromApp` has returned before it begins with the next message.
    let next: HashMap<u64, i64> = run
        .delivered
        .windows(2)
        .map(|two| (two[0].seq, begun_utc_ns(&two[1])))
        .collect();
    let strange = pairs
        .iter()
        .filter(|(d, m)| next.get(&d.seq).is_some_and(|&next| m.handed_off_ns > next))
        .count();
    let strange = 100.0 * strange as f64 / pairs.len() as f64;
    row.checks.extend([
        below_1_ms(row.errors),
        before(&late),
        // Some microseconds lie between the two, and the clocks are as exact as that.
        Check::at_most("calls of a later message", strange, 1.0, "%"),
    ]);
    row
}

/// The hand-off is the end of the read: late for all but its last message, early for none.
fn by_read(run: &Run) -> Row {
    let pairs = pairs(run);
    let late = lateness(&pairs);
    let mut row = row(run, &pairs, Errors::of(late.iter().copied()));
    // The last message of each read.
    let mut last: BTreeMap<i64, i64> = BTreeMap::new();
    for (delivered, message) in &pairs {
        let end = last.entry(message.received_ns).or_default();
        *end = delivered.utc_ns.max(*end);
    }
    let from_last = Errors::of(
        pairs
            .iter()
            .map(|(_, m)| m.handed_off_ns - last[&m.received_ns]),
    );
    row.checks.push(before(&late));
    row.remarks.push(format!(
        "the hand-off is the end of the read: later than fromApp by {} at the median and {} at p99, \
         later than the last fromApp of the read by {} and {}",
        ms(row.errors.p50_ns),
        ms(row.errors.p99_ns),
        ms(from_last.p50_ns),
        ms(from_last.p99_ns)
    ));
    row
}

/// The hand-off is the entry of `fromApp`, and nothing keeps the GIL from it.
fn at_entry(run: &Run) -> Row {
    let pairs = pairs(run);
    let early: Vec<i64> = pairs
        .iter()
        .map(|(d, m)| begun_utc_ns(d) - m.handed_off_ns)
        .collect();
    let mut row = row(run, &pairs, Errors::of(early.iter().copied()));
    row.truth = "clock read as fromApp begins";
    row.truth_ns = pairs.iter().map(|(d, _)| d.age_at_begin_ns()).sum();
    row.checks.extend([
        below_1_ms(row.errors),
        Check::none(
            "entries after the truth",
            early.iter().filter(|&&ns| ns < -SLACK_NS).count(),
        ),
    ]);
    row
}

/// The engine misses a message, asks for it, and holds back what came after it: its calls do not follow the reads.
/// No message may be given another one's call.
fn gap(run: &Run) -> Result<Row> {
    ensure!(
        run.heard.iter().any(|heard| heard.msg_type == "2"),
        "the engine asked for no resend"
    );
    let pairs = pairs(run);
    let (called, others): (Vec<_>, Vec<_>) = pairs.iter().copied().partition(|(_, m)| by_call(m));
    let mut row = of_calls(run, &called);
    let early = lateness(&others)
        .iter()
        .filter(|&&ns| ns < -SLACK_NS)
        .count();
    row.remarks.push(format!(
        "{} messages whose calls could not be told end with their read; the engine kept {early} of them longer",
        others.len(),
    ));
    Ok(row)
}

/// The engine rejects what is older than MaxLatency when it begins with it, in whole seconds: it subtracts the
/// seconds of tag 52 from the seconds of its clock.
fn rejects(run: &Run) -> Result<Row> {
    let rejected: HashMap<u64, i64> = run
        .heard
        .iter()
        .filter(|heard| heard.msg_type == "3")
        .filter_map(|heard| Some((heard.ref_seq?, heard.sent_ns?)))
        .collect();
    let accepted: HashSet<u64> = run.delivered.iter().map(|d| d.seq).collect();
    ensure!(!rejected.is_empty(), "the engine rejected nothing");
    let seconds = |ns: i64| ns.div_euclid(SECOND);
    let (mut differ, mut too_young) = (0, 0);
    let (mut of_rejected, mut errors) = (Vec::new(), Vec::new());
    let mut oldest_accepted = 0;
    // The engine disconnects in the middle of a read: how that one ended is not seen.
    for message in run.messages.iter().filter(|m| by_call(m)) {
        let too_old =
            seconds(message.handed_off_ns) - seconds(message.sent_ns) > i64::from(MAX_LATENCY);
        let turn = (message.handed_off_ns + TURN_NS).rem_euclid(SECOND) < 2 * TURN_NS;
        if let Some(at) = rejected.get(&message.seq) {
            differ += usize::from(!too_old && !turn);
            too_young += usize::from(message.age_ns < i64::from(MAX_LATENCY) * SECOND - SLACK_NS);
            errors.push(message.handed_off_ns - at);
            of_rejected.push((message.seq, message.age_ns, at - message.sent_ns));
        } else if accepted.contains(&message.seq) {
            differ += usize::from(too_old && !turn);
            oldest_accepted = oldest_accepted.max(message.age_ns);
        }
    }
    let (first, by_agent, by_engine) = *of_rejected.first().context("no reject has a line")?;
    let cut: HashSet<u64> = run
        .messages
        .iter()
        .filter(|m| m.hand_off == "unseen")
        .map(|m| m.seq)
        .collect();
    let without_call = rejected
        .keys()
        .filter(|&seq| !cut.contains(seq))
        .count()
        .saturating_sub(of_rejected.len());
    let logout = run.heard.iter().any(|heard| heard.msg_type == "5");
    let errors = Errors::of(errors);
    Ok(Row {
        experiment: ENGINE.name,
        case: run.case.name.to_owned(),
        truth: "tag 52 of the engine's rejects",
        quantity: "age of rejected",
        messages: of_rejected.len(),
        truth_ns: of_rejected.iter().map(|r| r.2).sum(),
        found_ns: of_rejected.iter().map(|r| r.1).sum(),
        errors,
        leak: None,
        unknown: unknown(&run.messages),
        checks: vec![
            below_1_ms(errors),
            Check::none("rejects without a call", without_call),
            Check::none("verdicts that the agent's age would not give", differ),
            Check::none("rejected below MaxLatency", too_young),
            inexact(&run.messages),
        ],
        remarks: vec![format!(
            "message {first} is the first one rejected: {} old for the agent, {} for the engine; the oldest of {} \
             accepted was {}; {} rejects{}",
            s(by_agent),
            s(by_engine),
            accepted.len(),
            s(oldest_accepted),
            rejected.len(),
            if logout { " and a logout" } else { "" }
        )],
    })
}

type Pair<'a> = (&'a Delivered, &'a Message);

/// By how much each hand-off is later than the end of `fromApp`, nanoseconds.
fn lateness(pairs: &[Pair<'_>]) -> Vec<i64> {
    let late = |(d, m): &Pair<'_>| m.handed_off_ns - d.utc_ns;
    pairs.iter().map(late).collect()
}

/// When `fromApp` began to run, UTC.
fn begun_utc_ns(delivered: &Delivered) -> i64 {
    delivered.utc_ns - (delivered.done_ns - delivered.begun_ns)
}

fn by_call(message: &Message) -> bool {
    message.hand_off == "function"
}

/// ExecutionReports.
fn reports(messages: &[Message]) -> impl Iterator<Item = &Message> {
    messages.iter().filter(|message| message.msg_type == "8")
}

/// Joined by MsgSeqNum.
fn pairs(run: &Run) -> Vec<Pair<'_>> {
    let by_seq: HashMap<u64, &Message> = reports(&run.messages).map(|m| (m.seq, m)).collect();
    run.delivered
        .iter()
        .filter_map(|delivered| Some((delivered, *by_seq.get(&delivered.seq)?)))
        .collect()
}

/// What all rows of ages have in common.
fn row(run: &Run, pairs: &[Pair<'_>], errors: Errors) -> Row {
    let lines: HashSet<u64> = reports(&run.messages).map(|m| m.seq).collect();
    let delivered: HashSet<u64> = run.delivered.iter().map(|d| d.seq).collect();
    let sent: HashSet<u64> = run
        .sent
        .iter()
        .filter(|sent| sent.msg_type == "8")
        .map(|sent| sent.seq)
        .collect();
    let missing = |known: &HashSet<u64>| sent.difference(known).count();
    let age: i64 = run.messages.iter().map(|m| m.age_ns).sum();
    let lock: i64 = run.messages.iter().map(|m| m.part("lock_wait")).sum();
    let oldest = pairs.iter().map(|(d, _)| d.age_ns()).max().unwrap_or(0);
    let mut reads: HashMap<i64, usize> = HashMap::new();
    for message in &run.messages {
        *reads.entry(message.received_ns).or_default() += 1;
    }
    Row {
        experiment: ENGINE.name,
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
            Check::none("messages without a line", missing(&lines)),
            Check::none(
                "messages that did not reach the application",
                missing(&delivered),
            ),
            inexact(&run.messages),
        ],
        remarks: vec![format!(
            "lock-wait is {:.1}% of all age; the oldest message was {}; up to {} messages a read",
            100.0 * lock as f64 / age as f64,
            s(oldest),
            reads.values().max().unwrap_or(&0)
        )],
    }
}

fn unknown(messages: &[Message]) -> usize {
    messages.iter().filter(|m| m.part("unknown") != 0).count()
}

fn inexact(messages: &[Message]) -> Check {
    let exact = |m: &&Message| m.total() == m.age_ns && m.handed_off_ns - m.sent_ns == m.age_ns;
    Check::none(
        "sums that are not exact",
        messages.iter().filter(|m| !exact(m)).count(),
    )
}

fn below_1_ms(errors: Errors) -> Check {
    Check::at_most("error at p99", errors.p99_ns as f64 / 1e6, 1.0, "ms")
}

/// `late` has by how much each hand-off is later than the truth.
fn before(late: &[i64]) -> Check {
    Check::none(
        "hand-offs before the truth",
        late.iter().filter(|&&ns| ns < -SLACK_NS).count(),
    )
}

fn ms(ns: i64) -> String {
    format!("{:.3} ms", ns as f64 / 1e6)
}

fn s(ns: i64) -> String {
    format!("{:.3} s", ns as f64 / 1e9)
}
