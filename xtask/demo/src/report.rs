//! What the demo says at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::app::{Account, HandOff};
use super::join::{Joined, Quantiles, join};
use super::live::human;
use super::split::{Split, WAITING, spoken};
use super::{Mode, Options};
use lab::agent::Message;
use lab::blame::Blame;
use lab::holds::Waits;

/// One part's total over all messages.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Part {
    /// Nanoseconds.
    pub total_ns: i64,
    /// Share of the age outside the network, 0 to 1.
    pub share: f64,
}

/// Who is charged with a part.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Blamed {
    /// In the agent's words; `None`: all others.
    pub culprit: Option<String>,
    /// The thread's name.
    pub comm: Option<String>,
    /// Share of the part, 0 to 1.
    pub share: f64,
    /// The ingest thread's own waits for it.
    pub waits: u64,
    /// Of these, those that outlasted a request to let go: the holder was in a call that does not
    /// yield.
    pub holds: u64,
    /// How long the waits, nanoseconds.
    pub waits_ns: u64,
    /// How long these holds, nanoseconds.
    pub holds_ns: u64,
    /// The longest wait, nanoseconds.
    pub longest_ns: u64,
}

impl Blamed {
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
pub struct Verdict {
    /// The causes, the weightiest first.
    pub causes: Vec<String>,
    /// What to know.
    pub sentence: String,
    /// What to do.
    pub advice: String,
    /// What it rests on.
    pub evidence: Vec<String>,
}

/// What the agent said.
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
    pub parts: BTreeMap<String, Part>,
    /// The largest of them.
    pub dominant: Option<String>,
    /// Who is charged with the lock-wait, the most charged first.
    pub blame: Vec<Blamed>,
    /// Everybody who is charged with anything.
    #[serde(skip)]
    pub charges: Blame,
    /// Its verdict; `None` when no message was handed off.
    pub verdict: Option<Verdict>,
    /// What the ages would have been, in its words.
    pub what_if: Vec<String>,
    /// Messages whose cells do not sum to their age, and parts that their blame does not sum to.
    /// Always 0.
    pub inexact: usize,
    /// The agent beside the application.
    pub join: Joined,
}

/// The end of a demo run, and the object that `--json` prints.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Summary {
    /// `thread` or `process`.
    pub mode: &'static str,
    /// How long messages flowed, seconds.
    pub seconds: f64,
    /// Messages the venue sent, administrative ones included.
    pub sent: usize,
    /// Messages the application was through with.
    pub handed_off: usize,
    /// The application's own lag on its first message.
    pub app_lag_first_ns: i64,
    /// The application's own lag on its last message.
    pub app_lag_last_ns: i64,
    /// The application's own lag, all messages.
    pub app_lag: Quantiles,
    /// The application's own account of its ingest thread.
    pub account: Account,
    /// The agent's view; `null` with `--no-agent`.
    pub agent: Option<AgentSummary>,
}

impl Summary {
    pub(super) fn new(
        options: &Options,
        ran: Duration,
        sent: usize,
        (log, account): (&[HandOff], Account),
        agent: Option<(&[Message], &serde_json::Value)>,
    ) -> Result<Self> {
        Ok(Self {
            mode: match options.mode {
                Mode::Thread => "thread",
                Mode::Process => "process",
            },
            seconds: ran.as_secs_f64(),
            sent,
            handed_off: log.len(),
            app_lag_first_ns: log.first().map_or(0, HandOff::lag_ns),
            app_lag_last_ns: log.last().map_or(0, HandOff::lag_ns),
            app_lag: Quantiles::of(log.iter().map(HandOff::lag_ns).collect()),
            account,
            agent: agent
                .map(|(messages, summary)| AgentSummary::new(log, messages, summary))
                .transpose()?,
        })
    }

    /// The summary for people.
    pub fn text(&self) -> String {
        let mut lines = vec![
            String::new(),
            format!(
                "mode {}, {:.1} s: {} messages sent, {} handed off",
                self.mode, self.seconds, self.sent, self.handed_off
            ),
            format!(
                "application's own lag: first {}, last {}, p50 {}, p99 {}, max {}",
                human(self.app_lag_first_ns),
                human(self.app_lag_last_ns),
                human(self.app_lag.p50_ns),
                human(self.app_lag.p99_ns),
                human(self.app_lag.max_ns)
            ),
        ];
        if let Some(agent) = &self.agent {
            agent.text(&mut lines, self.account.gil.by_calls);
        }
        lines.join("\n")
    }
}

impl AgentSummary {
    fn new(log: &[HandOff], messages: &[Message], summary: &serde_json::Value) -> Result<Self> {
        let split = Split::of(messages);
        let charges = Blame::of(summary)?;
        let session = &summary["sessions"][0];
        let inexact = messages.iter().filter(|m| m.total() != m.age_ns).count();
        let part = |part: &&str| Part {
            total_ns: split.part(part),
            share: split.share(part),
        };
        Ok(Self {
            messages: split.messages(),
            age_first_ns: messages.first().map_or(0, |message| message.age_ns),
            age_last_ns: messages.last().map_or(0, |message| message.age_ns),
            age: Quantiles::of(messages.iter().map(|message| message.age_ns).collect()),
            network_ns: split.part("network"),
            held_back_ns: split.held_back(),
            outside_network_ns: split.outside_network(),
            parts: WAITING
                .iter()
                .map(|name| ((*name).to_owned(), part(name)))
                .collect(),
            dominant: split.dominant().map(str::to_owned),
            blame: Blamed::of(&charges, "lock_wait"),
            inexact: inexact + charges.inexact().len(),
            charges,
            verdict: serde_json::from_value(session["verdict"].clone())
                .context("an odd verdict")?,
            what_if: serde_json::from_value(session["what_if"]["lines"].clone())
                .unwrap_or_default(),
            join: join(log, messages),
        })
    }

    /// `gil`: the application's own account of its waits for the GIL.
    fn text(&self, lines: &mut Vec<String>, gil: Waits) {
        let Quantiles {
            p50_ns,
            p99_ns,
            max_ns,
        } = self.age;
        lines.push(format!(
            "agent's age:           first {}, last {}, p50 {}, p99 {}, max {}",
            human(self.age_first_ns),
            human(self.age_last_ns),
            human(p50_ns),
            human(p99_ns),
            human(max_ns)
        ));
        let Joined {
            joined,
            only_application,
            only_agent,
            difference,
            median_signed_ns,
        } = self.join;
        lines.push(format!(
            "joined by MsgSeqNum:   {joined} ({only_application} only in the application's log, \
             {only_agent} only in the agent's)"
        ));
        lines.push(format!(
            "|age - lag|:           median {}, p99 {}, max {} (median signed {})",
            human(difference.p50_ns),
            human(difference.p99_ns),
            human(difference.max_ns),
            human(median_signed_ns)
        ));
        if self.inexact > 0 {
            lines.push(format!(
                "BUG: {} sums do not hold, of messages' cells or of blame",
                self.inexact
            ));
        }
        lines.push(format!(
            "where the messages waited, summed over {}: network {}, held back {} and",
            self.messages,
            human(self.network_ns),
            human(self.held_back_ns)
        ));
        for name in WAITING {
            let Some(part) = self.parts.get(name).filter(|part| part.total_ns != 0) else {
                continue;
            };
            lines.push(format!(
                "  {:<10} {:>10}  {:>5.1} %",
                spoken(name),
                human(part.total_ns),
                100.0 * part.share
            ));
        }
        lines.push(self.sentence());
        if self.dominant.as_deref() == Some("lock_wait") {
            for Blamed {
                culprit,
                share,
                waits,
                holds,
                longest_ns,
                ..
            } in &self.blame
            {
                let Some(culprit) = culprit else { continue };
                lines.push(format!(
                    "  {:.1} % of it for {culprit}: {waits} waits, {holds} of them not let go when \
                     asked, the longest {}",
                    100.0 * share,
                    human(*longest_ns as i64)
                ));
            }
        }
        if gil.holds > 0 {
            let Waits {
                waits,
                waits_ns,
                holds,
                holds_ns,
            } = gil;
            lines.push(format!(
                "  by the application's own log: {waits} waits of {} in all, {holds} of them ({}) \
                 behind one call of the processor",
                human(waits_ns),
                human(holds_ns)
            ));
        }
        if let Some(verdict) = &self.verdict {
            lines.push(format!(
                "verdict: {}: {}",
                verdict.causes.join(", "),
                verdict.sentence
            ));
            if !verdict.advice.is_empty() {
                lines.push(format!("  {}", verdict.advice));
            }
            lines.extend(self.what_if.iter().map(|line| format!("  {line}")));
        }
    }

    /// The dominant part in one sentence.
    fn sentence(&self) -> String {
        let Some((name, part)) = self
            .dominant
            .as_ref()
            .and_then(|name| Some((name, self.parts.get(name)?)))
        else {
            return "no message was handed off while the agent watched".to_owned();
        };
        let what = match name.as_str() {
            "lock_wait" => "the ingest thread sat in futex(2), waiting for a lock",
            "run_queue" => "the ingest thread was ready to run and another thread had its CPU",
            "throttle" => "the ingest thread was ready to run and its cgroup's quota was used up",
            "blocked" => "the ingest thread slept in a system call other than futex(2)",
            "on_cpu" => "the ingest thread was running",
            _ => "the agent could not see what the ingest thread did",
        };
        format!(
            "{}: {what} for {:.1} % of the age outside the network",
            spoken(name),
            100.0 * part.share
        )
    }
}
