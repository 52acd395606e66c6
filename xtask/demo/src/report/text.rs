//! The figures of a demo run, as text.

use lab::gil_waits::WaitTotals;

use super::{AgentSummary, DemoSummary};
use crate::join::JoinSummary;
use crate::matrix_sum::{WAITING, spoken};
use crate::progress::human;
use lab::quantiles::Quantiles;

impl DemoSummary {
    /// Returns the summary as text.
    pub fn text(&self) -> String {
        let mut lines = vec![
            String::new(),
            format!(
                "mode {}, {:.1} s: {} messages sent, {} handed off",
                self.mode, self.seconds, self.sent, self.handed_off
            ),
            format!(
                "application's own lag: first {}, last {}, {}",
                human(self.app_lag_first_ns),
                human(self.app_lag_last_ns),
                quantiles(self.app_lag)
            ),
        ];
        if let Some(agent) = &self.agent {
            agent.text(&mut lines, self.account.gil.by_calls);
        }
        lines.join("\n")
    }
}

impl AgentSummary {
    /// Adds the agent's lines; `gil` are the application's own waits for the GIL.
    fn text(&self, lines: &mut Vec<String>, gil: WaitTotals) {
        self.ages(lines);
        self.agreement(lines);
        self.parts(lines);
        lines.push(self.sentence());
        if self.dominant.as_deref() == Some("lock_wait") {
            self.holders(lines);
        }
        application_waits(lines, gil);
        self.diagnosis(lines);
    }

    fn ages(&self, lines: &mut Vec<String>) {
        lines.push(format!(
            "agent's age:           first {}, last {}, {}",
            human(self.age_first_ns),
            human(self.age_last_ns),
            quantiles(self.age)
        ));
    }

    /// Adds the agreement with the application, and whether all sums hold.
    fn agreement(&self, lines: &mut Vec<String>) {
        let JoinSummary {
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
                "BUG: {} sums of matrices or blame do not hold",
                self.inexact
            ));
        }
    }

    fn parts(&self, lines: &mut Vec<String>) {
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
    }

    /// Adds the holders of the lock.
    fn holders(&self, lines: &mut Vec<String>) {
        for row in &self.blame {
            let Some(culprit) = &row.culprit else {
                continue;
            };
            lines.push(format!(
                "  {:.1} % of it: {culprit}, {} waits, {} of them uninterruptible holds, the longest {}",
                100.0 * row.share,
                row.waits,
                row.holds,
                human(row.longest_ns as i64)
            ));
        }
    }

    fn diagnosis(&self, lines: &mut Vec<String>) {
        let Some(verdict) = &self.verdict else {
            return;
        };
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

    /// Returns the dominant part in one sentence.
    fn sentence(&self) -> String {
        let Some((name, part)) = self
            .dominant
            .as_ref()
            .and_then(|name| Some((name, self.parts.get(name)?)))
        else {
            return "no message was handed off while the agent was attached".to_owned();
        };
        let what = match name.as_str() {
            "lock_wait" => "the ingest thread waited for a lock in futex(2)",
            "run_queue" => "the ingest thread was ready to run and another thread had its CPU",
            "throttle" => "the ingest thread was ready to run and its cgroup's quota was used up",
            "blocked" => "the ingest thread slept in a system call other than futex(2)",
            "on_cpu" => "the ingest thread was running",
            _ => "the agent could not observe what the ingest thread did",
        };
        format!(
            "{}: {what} for {:.1} % of the age outside the network",
            spoken(name),
            100.0 * part.share
        )
    }
}

fn application_waits(lines: &mut Vec<String>, gil: WaitTotals) {
    if gil.holds > 0 {
        lines.push(format!(
            "  by the application's own log: {} waits, {} in total; {} of them, {} in total, during one \
             call of the processor",
            gil.waits,
            human(gil.waits_ns),
            gil.holds,
            human(gil.holds_ns)
        ));
    }
}

fn quantiles(of: Quantiles) -> String {
    format!(
        "p50 {}, p99 {}, max {}",
        human(of.p50_ns),
        human(of.p99_ns),
        human(of.max_ns)
    )
}
