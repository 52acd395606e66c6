//! MaxLatency: the engine's own verdict on the age of a message.

use std::collections::{HashMap, HashSet};

use anyhow::{Context as _, Result, ensure};

use super::REJECTS;
use super::join::{SLACK_NS, below_1_ms, by_call, inexact, s, unknown};
use super::observe::EngineRun;
use crate::{BarCheck, ResultRow, blame};
use lab::clock::SECOND;
use lab::quantiles::Quantiles;

/// Seconds.
pub(super) const MAX_LATENCY: u32 = 5;

/// A verdict this close to the turn of a second may fall on either side of it.
const TURN_NS: i64 = 1_000_000;

/// The engine rejects what is older than MaxLatency when it begins with it, in whole seconds: it
/// subtracts the seconds of tag 52 from the seconds of its clock.
pub(super) fn row(run: &EngineRun) -> Result<ResultRow> {
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
    // The engine disconnects in the middle of a read: its end is not observed.
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
    let errors = Quantiles::of_errors(errors);
    Ok(ResultRow {
        experiment: REJECTS.name,
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
            BarCheck::none("rejects without a call", without_call),
            BarCheck::none("verdicts that the agent's age would not give", differ),
            BarCheck::none("rejected below MaxLatency", too_young),
            BarCheck::none("messages with unknown time", unknown(&run.messages)),
            inexact(&run.messages),
            blame::sums(&run.blame),
        ],
        remarks: vec![format!(
            "message {first} is the first one rejected: {} old for the agent, {} for the engine; \
             the oldest of {} accepted was {}; {} rejects{}",
            s(by_agent),
            s(by_engine),
            accepted.len(),
            s(oldest_accepted),
            rejected.len(),
            if logout { " and a logout" } else { "" }
        )],
    })
}
