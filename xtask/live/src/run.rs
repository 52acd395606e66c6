//! A finished experiment, and what holds in each.

use std::collections::{BTreeSet, HashMap};

use lab::agent::{AgentOutput, AgentProcess, MessageLine};
use lab::blame::{Blame, BlameEntry};
use lab::victim::VictimRecord;

use crate::{Bench, BenchTruth, END_LIMIT, attached, first_observed, median};

/// How far the agent's UTC may be from the victim's, nanoseconds: two readings of two clocks.
const CLOCK_SLACK_NS: i64 = 100_000;

/// An agent that is attached to `pid` and writes messages.
pub fn watch(pid: i32, more: &[&str]) -> AgentProcess {
    let pid = pid.to_string();
    attached([&["--pid", &pid, "--json", "messages"], more].concat())
}

/// A finished experiment.
pub struct Run {
    /// Its messages of the stream.
    pub messages: Vec<MessageLine>,
    /// What the venue and the victim wrote down.
    pub truth: BenchTruth,
    /// Its summary.
    pub summary: serde_json::Value,
}

/// Watches the victim from before the first message to its end, and checks what holds in every run.
pub fn observe(bench: Bench) -> Run {
    observe_from(bench, 0, &[])
}

/// The same with more options for the agent; messages before `from` may be missing.
pub fn observe_from(bench: Bench, from: u64, more: &[&str]) -> Run {
    let agent = watch(bench.victim.pid(), more);
    let truth = bench.finish();
    let from = from.max(first_observed(&truth));
    let AgentOutput {
        status,
        messages,
        errors,
        stderr,
        summary,
        ..
    } = agent
        .finish(END_LIMIT)
        .expect("the agent ends with the process it watches");
    assert!(status.success(), "{status}: {stderr:?}");
    assert_eq!(errors, Vec::<String>::new());
    let messages: Vec<MessageLine> = messages
        .into_iter()
        .filter(|message| message.msg_type == "8" && message.seq >= from)
        .collect();
    let mut truth = truth;
    truth.sent.retain(|message| message.seq >= from);
    truth.victim.records.retain(|record| record.seq >= from);
    let run = Run {
        messages,
        truth,
        summary: summary.expect("a summary"),
    };
    for message in &run.messages {
        exact(message);
    }
    run.joins();
    run
}

/// Stages and parts sum to the age, to the nanosecond, and nothing but the network is negative.
pub fn exact(message: &MessageLine) {
    assert_eq!(message.inexact(), None);
}

impl Run {
    /// Every message is there once, with the venue's tag 52, and was not handed off before the
    /// victim says so.
    fn joins(&self) {
        let ours: HashMap<u64, &MessageLine> = self
            .messages
            .iter()
            .map(|message| (message.seq, message))
            .collect();
        assert_eq!(
            ours.len(),
            self.messages.len(),
            "a message was reported twice"
        );
        let sent: BTreeSet<u64> = self.truth.sent.iter().map(|message| message.seq).collect();
        let reported: BTreeSet<u64> = ours.keys().copied().collect();
        let missing: Vec<_> = sent.difference(&reported).take(5).collect();
        assert_eq!(sent, reported, "missing, among others: {missing:?}");
        for message in &self.truth.sent {
            assert_eq!(
                ours[&message.seq].sent_ns, message.sent_ns,
                "MsgSeqNum {}",
                message.seq
            );
        }
        for record in &self.truth.victim.records {
            let message = ours[&record.seq];
            // By function, a message may be handed off before its batch is.
            let end = if message.hand_off == "function" {
                record.called_ns + record.handed_off_utc_ns - record.handed_off_ns
            } else {
                record.handed_off_utc_ns
            };
            let early = end - message.handed_off_ns;
            assert!(
                early < CLOCK_SLACK_NS,
                "handed off {early} ns early: {message:?} {record:?}"
            );
        }
        let unknown = self
            .messages
            .iter()
            .filter(|message| message.part("unknown") > 0)
            .count();
        assert!(
            unknown * 50 <= self.messages.len(),
            "{unknown} messages with unknown time"
        );
    }

    /// The rows of every part's blame sum to the part, and this share of one is charged to culprits
    /// that `is` is true for.
    pub fn blamed(&self, part: &str, is: impl Fn(&BlameEntry) -> bool) -> f64 {
        let blame = Blame::of(&self.summary).expect("a summary");
        assert_eq!(blame.inexact(), Vec::<String>::new());
        blame.share(part, is)
    }

    /// The agent's hand-off minus the victim's, median, nanoseconds.
    pub fn hand_off_error(&self) -> i64 {
        let truth: HashMap<u64, i64> = self
            .truth
            .victim
            .records
            .iter()
            .map(|record| (record.seq, record.handed_off_utc_ns))
            .collect();
        let late = |message: &MessageLine| (message.handed_off_ns - truth[&message.seq]).abs();
        median(self.messages.iter().map(late).collect())
    }

    /// The middle age, nanoseconds.
    pub fn median_age(&self) -> i64 {
        median(self.messages.iter().map(|message| message.age_ns).collect())
    }

    /// Sum of a part over all messages, nanoseconds.
    pub fn total(&self, part: &str) -> i64 {
        self.messages.iter().map(|message| message.part(part)).sum()
    }

    /// Everything but the network.
    pub fn outside_network(&self) -> i64 {
        self.messages
            .iter()
            .map(|message| message.age_ns - message.part("network"))
            .sum()
    }

    /// A part's share of the age outside the network.
    pub fn share(&self, part: &str) -> f64 {
        self.total(part) as f64 / self.outside_network() as f64
    }

    /// The shares of all parts, as text.
    pub fn shares(&self) -> String {
        [
            "on_cpu",
            "run_queue",
            "throttle",
            "lock_wait",
            "blocked",
            "unknown",
        ]
        .map(|part| format!("{part} {:.3}", self.share(part)))
        .join(", ")
    }

    /// The injected waiting inside the application, as the victim measured it: a message waits for
    /// everything that is done for the messages of its receive call.
    fn injected(&self) -> i64 {
        let mut calls: HashMap<i64, Vec<&VictimRecord>> = HashMap::new();
        for record in &self.truth.victim.records {
            calls.entry(record.received_ns).or_default().push(record);
        }
        let waited = |records: &Vec<&VictimRecord>| {
            records.iter().map(|record| record.injected_ns).sum::<i64>() * records.len() as i64
        };
        calls.values().map(waited).sum()
    }

    /// The part in the application beside the victim's own measurement, which also holds the time
    /// from being woken to running again.
    pub fn agrees_in_app(&self, part: &str) {
        let found: i64 = self
            .messages
            .iter()
            .filter_map(|message| message.matrix.get("in_app")?.get(part))
            .sum();
        let ratio = found as f64 / self.injected() as f64;
        assert!(
            (0.5..1.05).contains(&ratio),
            "{part} in app is {ratio:.3} of the injected waiting"
        );
    }

    /// Asserts that a part is more than half of the age outside the network.
    pub fn dominated_by(&self, part: &str) {
        assert!(
            self.share(part) > 0.5,
            "{part} does not dominate: {}",
            self.shares()
        );
    }
}
