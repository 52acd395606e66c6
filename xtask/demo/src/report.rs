//! The figures of a demo run.

mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::app::{AppHandOff, AppRecord};
use super::join::{JoinSummary, join};
use super::matrix_sum::{MatrixSum, WAITING};
use super::{DemoMode, DemoOptions};
use lab::agent::MessageLine;
use lab::blame::Blame;
use lab::quantiles::Quantiles;

/// One part's total over all messages.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct PartShare {
    /// Nanoseconds.
    pub total_ns: i64,
    /// Share of the age outside the network, 0 to 1.
    pub share: f64,
}

/// One culprit of a part.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct BlameShare {
    /// The culprit's name in the agent's output; `None` for all others together.
    pub culprit: Option<String>,
    /// The thread's name.
    pub comm: Option<String>,
    /// Share of the part, 0 to 1.
    pub share: f64,
    /// The ingest thread's own waits for it.
    pub waits: u64,
    /// The waits that were uninterruptible holds: the holder was in a call that does not yield.
    pub holds: u64,
    /// Total length of the waits, nanoseconds.
    pub waits_ns: u64,
    /// Total length of the uninterruptible holds, nanoseconds.
    pub holds_ns: u64,
    /// The longest wait, nanoseconds.
    pub longest_ns: u64,
}

impl BlameShare {
    fn of(blame: &Blame, part: &str) -> Vec<Self> {
        let whole = blame.part(part) as f64;
        blame
            .rows(part)
            .map(|row| Self {
                culprit: row.culprit.clone(),
                comm: row.comm.clone(),
                share: row.ns as f64 / whole,
                waits: row.waits,
                holds: row.holds,
                waits_ns: row.waits_ns,
                holds_ns: row.holds_ns,
                longest_ns: row.longest_ns,
            })
            .collect()
    }
}

/// The agent's diagnosis of the whole run.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct VerdictLines {
    /// The causes, the most important first.
    pub causes: Vec<String>,
    /// The diagnosis.
    pub sentence: String,
    /// The advice.
    pub advice: String,
    /// The figures it rests on.
    pub evidence: Vec<String>,
}

/// The agent's figures of the run.
#[derive(Clone, Debug, serde::Serialize)]
pub struct AgentSummary {
    /// Messages.
    pub messages: u64,
    /// Age of the first message.
    pub age_first_ns: i64,
    /// Age of the last message.
    pub age_last_ns: i64,
    /// Ages of all messages.
    pub age: Quantiles,
    /// In flight, all messages.
    pub network_ns: i64,
    /// Held back at the sender because we did not read, all messages.
    pub held_back_ns: i64,
    /// Everything but the network, all messages.
    pub outside_network_ns: i64,
    /// The parts of that.
    pub parts: BTreeMap<String, PartShare>,
    /// The largest of them.
    pub dominant: Option<String>,
    /// Culprits of lock_wait, the most charged first.
    pub blame: Vec<BlameShare>,
    /// The blame of all parts.
    #[serde(skip)]
    pub charges: Blame,
    /// Its verdict; `None` when no message was handed off.
    pub verdict: Option<VerdictLines>,
    /// Lines of its what-if analysis.
    pub what_if: Vec<String>,
    /// Messages whose cells do not sum to their age, and parts that their blame does not sum to.
    /// Always 0.
    pub inexact: usize,
    /// The agreement with the application.
    pub join: JoinSummary,
}

/// The end of a demo run, and the object that `--json` prints.
#[derive(Clone, Debug, serde::Serialize)]
pub struct DemoSummary {
    /// `thread` or `process`.
    pub mode: &'static str,
    /// How long messages flowed, seconds.
    pub seconds: f64,
    /// Messages the venue sent, administrative ones included.
    pub sent: usize,
    /// Messages the application handed off.
    pub handed_off: usize,
    /// The application's own lag on its first message.
    pub app_lag_first_ns: i64,
    /// The application's own lag on its last message.
    pub app_lag_last_ns: i64,
    /// The application's own lag, all messages.
    pub app_lag: Quantiles,
    /// The application's own figures of its ingest thread.
    pub account: AppRecord,
    /// The agent's figures; `null` with `--no-agent`.
    pub agent: Option<AgentSummary>,
}

impl DemoSummary {
    pub(super) fn new(
        options: &DemoOptions,
        ran: Duration,
        sent: usize,
        (log, account): (&[AppHandOff], AppRecord),
        agent: Option<(&[MessageLine], &serde_json::Value)>,
    ) -> Result<Self> {
        Ok(Self {
            mode: match options.mode {
                DemoMode::Thread => "thread",
                DemoMode::Process => "process",
            },
            seconds: ran.as_secs_f64(),
            sent,
            handed_off: log.len(),
            app_lag_first_ns: log.first().map_or(0, AppHandOff::lag_ns),
            app_lag_last_ns: log.last().map_or(0, AppHandOff::lag_ns),
            app_lag: Quantiles::of(log.iter().map(AppHandOff::lag_ns)),
            account,
            agent: agent
                .map(|(messages, summary)| AgentSummary::new(log, messages, summary))
                .transpose()?,
        })
    }
}

impl AgentSummary {
    fn new(
        log: &[AppHandOff],
        messages: &[MessageLine],
        summary: &serde_json::Value,
    ) -> Result<Self> {
        let split = MatrixSum::of(messages);
        let charges = Blame::of(summary)?;
        let session = &summary["sessions"][0];
        let inexact = messages.iter().filter(|m| m.total() != m.age_ns).count();
        let part = |part: &&str| PartShare {
            total_ns: split.part(part),
            share: split.share(part),
        };
        Ok(Self {
            messages: split.messages(),
            age_first_ns: messages.first().map_or(0, |message| message.age_ns),
            age_last_ns: messages.last().map_or(0, |message| message.age_ns),
            age: Quantiles::of(messages.iter().map(|message| message.age_ns)),
            network_ns: split.part("network"),
            held_back_ns: split.held_back(),
            outside_network_ns: split.outside_network(),
            parts: WAITING
                .iter()
                .map(|name| ((*name).to_owned(), part(name)))
                .collect(),
            dominant: split.dominant().map(str::to_owned),
            blame: BlameShare::of(&charges, "lock_wait"),
            inexact: inexact + charges.inexact().len(),
            charges,
            verdict: serde_json::from_value(session["verdict"].clone())
                .context("the verdict cannot be read")?,
            what_if: serde_json::from_value(session["what_if"]["lines"].clone())
                .unwrap_or_default(),
            join: join(log, messages),
        })
    }
}
