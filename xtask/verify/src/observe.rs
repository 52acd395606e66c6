//! One run: the agent observes a victim, and the records of every message are joined.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::{Context, ResultRow, blame, compare};
use lab::agent::{AgentLaunch, AgentOutput, AgentProcess, MessageLine};
use lab::bench::{Bench, BenchTruth};
use lab::blame::{Blame, BlameEntry};
use lab::venue::{self, SentMessage};
use lab::victim::VictimRecord;

/// The longest a victim may take to get through its stream.
pub(super) const STREAM: Duration = Duration::from_secs(90);

/// One message in the records of the agent, the venue and the victim.
#[derive(Clone, Copy, Debug)]
pub(super) struct JoinedMessage<'a> {
    /// The agent's line.
    pub(super) found: &'a MessageLine,
    /// The venue's record.
    pub(super) sent: &'a SentMessage,
    /// The victim's record.
    pub(super) record: &'a VictimRecord,
}

impl JoinedMessage<'_> {
    /// Returns when the message was in the victim's receive queue, or held back by its window: the
    /// end of the time in flight, monotonic nanoseconds.
    pub(super) fn out_of_flight_ns(&self) -> i64 {
        if self.sent.blocked_ns > 0 {
            return self.sent.sent_monotonic_ns;
        }
        // The victim may be faster than the return of the send call.
        self.sent.taken_monotonic_ns.min(self.record.received_ns)
    }
}

/// A finished run.
#[derive(Clone, Debug)]
pub(super) struct ObservedRun {
    /// The agent's lines, ExecutionReports only.
    pub(super) messages: Vec<MessageLine>,
    /// The blame in its summary.
    pub(super) blame: Blame,
    /// The summary.
    pub(super) summary: serde_json::Value,
    pub(super) truth: BenchTruth,
}

/// Changes of a thread's state that the kernel's hooks missed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MissedSwitches {
    /// Changes after which the thread's state was unknown.
    pub(super) unobserved: u64,
    /// Changes whose instant was reconstructed from the scheduler's account.
    pub(super) rebuilt: u64,
}

impl MissedSwitches {
    /// Returns a remark if there were any.
    pub(super) fn remark(self) -> Option<String> {
        let Self {
            unobserved,
            rebuilt,
        } = self;
        (unobserved + rebuilt > 0).then(|| {
            format!(
                "the kernel's hooks missed changes of state: {unobserved} unobserved, {rebuilt} rebuilt"
            )
        })
    }
}

/// Attaches the agent to the victim; it writes a line for each message.
pub(super) fn attach(context: &Context<'_>, pid: i32, more: &[&str]) -> Result<AgentProcess> {
    attach_with(context, pid, &[&["--json", "messages"], more].concat())
}

/// Attaches the agent to the victim with these options.
pub(super) fn attach_with(
    context: &Context<'_>,
    pid: i32,
    options: &[&str],
) -> Result<AgentProcess> {
    let pid = pid.to_string();
    let words = ["--pid", &pid].into_iter().chain(options.iter().copied());
    let launch = AgentLaunch::new(context.agent, words.map(str::to_owned).collect());
    AgentProcess::attach(&launch, Duration::from_secs(30))
}

/// Runs a victim that takes marks and observes it while it gets messages at `rate` per second, for
/// `seconds` by default.
pub(super) fn victim(
    context: &Context<'_>,
    rate: f64,
    seconds: f64,
    options: &[&str],
) -> Result<ObservedRun> {
    observe(context, bench(context, rate, seconds, options)?, &[])
}

/// Starts a victim that takes marks, without an agent.
pub(super) fn bench(
    context: &Context<'_>,
    rate: f64,
    seconds: f64,
    options: &[&str],
) -> Result<Bench> {
    let venue = venue::VenueOptions::of(rate, context.messages(rate, seconds));
    let options = [&["--marks"], options].concat();
    Bench::start(venue, &options)
}

/// Observes the victim from before its first message to its end.
pub(super) fn observe(context: &Context<'_>, bench: Bench, more: &[&str]) -> Result<ObservedRun> {
    let agent = attach(context, bench.victim.pid(), more)?;
    conclude(agent, bench)
}

/// Runs the stream to its end; the agent is attached already.
pub(super) fn conclude(agent: AgentProcess, bench: Bench) -> Result<ObservedRun> {
    bench.venue.open_gate();
    let truth = bench.conclude(STREAM)?;
    ObservedRun::new(outcome(agent)?, truth)
}

/// Waits for the agent's end, which must be without errors, and returns its output.
pub(super) fn outcome(agent: AgentProcess) -> Result<AgentOutput> {
    let outcome = agent.finish(Duration::from_secs(30))?;
    ensure!(
        outcome.status.success(),
        "the agent ended with {}: {}",
        outcome.status,
        outcome.stderr.join(" | ")
    );
    ensure!(
        outcome.errors.is_empty(),
        "the agent wrote lines that cannot be read: {}",
        outcome.errors[0]
    );
    Ok(outcome)
}

impl ObservedRun {
    /// Joins the output and the truth of a run; only ExecutionReports are retained.
    pub(super) fn new(outcome: AgentOutput, truth: BenchTruth) -> Result<Self> {
        let blame = outcome.blame()?;
        let mut messages = outcome.messages;
        messages.retain(|message| message.msg_type == "8");
        Ok(Self {
            messages,
            blame,
            summary: outcome.summary.unwrap_or_default(),
            truth,
        })
    }

    /// Returns a row: how much of a part the agent charges to the culprit.
    pub(super) fn blamed(
        &self,
        case: compare::ComparedCase<'_>,
        is: impl Fn(&BlameEntry) -> bool,
    ) -> ResultRow {
        blame::row(&self.blame, self.messages.len(), case, is)
    }

    /// Returns the messages that venue, victim and agent have, in the order of the agent's lines.
    pub(super) fn joined(&self) -> Vec<JoinedMessage<'_>> {
        let sent: HashMap<u64, &SentMessage> = self.truth.sent.iter().map(|s| (s.seq, s)).collect();
        let records: HashMap<u64, &VictimRecord> =
            (self.truth.victim.records.iter().map(|r| (r.seq, r))).collect();
        let mut joined = Vec::with_capacity(self.messages.len());
        for found in &self.messages {
            if let (Some(sent), Some(record)) = (sent.get(&found.seq), records.get(&found.seq)) {
                joined.push(JoinedMessage {
                    found,
                    sent,
                    record,
                });
            }
        }
        joined
    }

    /// Returns the changes of a thread's state that the kernel's hooks missed, by the agent's
    /// count.
    pub(super) fn missed_switches(&self) -> MissedSwitches {
        let count = |kind: &str| self.summary["health"]["anomalies"][kind].as_u64();
        MissedSwitches {
            unobserved: count("switch_unobserved").unwrap_or(0),
            rebuilt: count("switch_rebuilt").unwrap_or(0),
        }
    }

    /// Returns the number of messages whose sums do not hold.
    pub(super) fn inexact(&self) -> usize {
        let broken = |message: &&MessageLine| message.inexact().is_some();
        self.messages.iter().filter(broken).count()
    }

    /// Returns the number of messages with unknown time that arrived after the first receive call,
    /// from which on the reader of the socket is registered.
    pub(super) fn unknown(&self) -> usize {
        let records = &self.truth.victim.records;
        let first = records.first().map_or(0, |record| record.received_ns);
        let unknown = |m: &&JoinedMessage<'_>| {
            m.found.part("unknown") > 0 && m.sent.sent_monotonic_ns > first
        };
        self.joined().iter().filter(unknown).count()
    }
}
