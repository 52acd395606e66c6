//! The output of an agent that has ended.

use std::process::ExitStatus;

use anyhow::{Context as _, Result};

use super::message::{MessageLine, parse_line};
use super::waiting::{self, WaitingLine};
use crate::blame::Blame;

/// The output of an agent that has ended.
#[derive(Debug)]
pub struct AgentOutput {
    /// Its exit status.
    pub status: ExitStatus,
    /// All message lines.
    pub messages: Vec<MessageLine>,
    /// Lines of other types: intervals, the summary.
    pub others: Vec<String>,
    /// The line of type `summary`.
    pub summary: Option<serde_json::Value>,
    /// Errors of lines that could not be parsed.
    pub errors: Vec<String>,
    /// The lines of its standard error.
    pub stderr: Vec<String>,
}

impl AgentOutput {
    /// Parses the lines of an agent that has ended.
    pub fn new<'a>(
        status: ExitStatus,
        stdout: impl IntoIterator<Item = &'a str>,
        stderr: Vec<String>,
    ) -> Self {
        let mut lines = Lines {
            stderr,
            ..Lines::default()
        };
        lines.unparsed.extend(stdout.into_iter().map(str::to_owned));
        lines.into_output(status)
    }

    /// Returns what waited on its session, by the lines of `--json intervals`: `None` for those in
    /// which nothing did.
    pub fn waiting(&self) -> Vec<Option<WaitingLine>> {
        waiting::parse_lines(&self.others)
    }

    /// Returns the blame in its summary.
    pub fn blame(&self) -> Result<Blame> {
        Blame::of(self.summary.as_ref().context("no summary from the agent")?)
    }

    /// Returns the events lost, of all kinds, by its summary; `None` without a summary.
    pub fn lost(&self) -> Option<u64> {
        let kinds = self
            .summary
            .as_ref()?
            .get("health")?
            .get("lost")?
            .as_object()?;
        Some(kinds.values().filter_map(serde_json::Value::as_u64).sum())
    }
}

/// The lines of a running agent.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Lines of standard output that are not parsed yet: during a measurement they are only
    /// stored.
    pub(super) unparsed: Vec<String>,
    pub(super) messages: Vec<MessageLine>,
    pub(super) others: Vec<String>,
    errors: Vec<String>,
    pub(super) stderr: Vec<String>,
}

impl Lines {
    pub(super) fn parse(&mut self) {
        for line in self.unparsed.drain(..) {
            match parse_line(&line) {
                Ok(Some(message)) => self.messages.push(message),
                Ok(None) => self.others.push(line),
                Err(error) => self.errors.push(format!("{error:#}")),
            }
        }
    }

    /// Parses the rest and returns the output of an agent that ended with `status`.
    pub(super) fn into_output(mut self, status: ExitStatus) -> AgentOutput {
        self.parse();
        let summary = self
            .others
            .iter()
            .find(|line| line.starts_with(r#"{"type":"summary""#));
        let summary = summary.and_then(|line| serde_json::from_str(line).ok());
        AgentOutput {
            status,
            messages: self.messages,
            others: self.others,
            summary,
            errors: self.errors,
            stderr: self.stderr,
        }
    }
}
