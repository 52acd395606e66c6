//! The agent as a child process: its JSON lines, its standard error, its end.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;

use crate::blame::Blame;
use workspace::child::Guarded;

/// A line of `--json messages` of type `message`, as far as it is used here. Nanoseconds, instants
/// UTC.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Message {
    /// Where it came in.
    #[serde(default)]
    pub session: Session,
    /// MsgSeqNum.
    pub seq: u64,
    /// Tag 35.
    pub msg_type: String,
    /// 43=Y.
    #[serde(default)]
    pub poss_dup: bool,
    /// Tag 52; of a resend tag 122.
    pub sent_ns: i64,
    /// One step of tag 52 as written.
    #[serde(default)]
    pub sent_resolution_ns: i64,
    /// The last byte became readable; `None` when that was not seen.
    pub arrived_ns: Option<i64>,
    /// The receive call returned.
    pub received_ns: i64,
    /// The application is through with it.
    pub handed_off_ns: i64,
    /// Handed off - sent.
    pub age_ns: i64,
    /// The bounds narrowed by the order of the venue's sends, where there is something narrower
    /// than the step.
    #[serde(default)]
    pub age_narrowed_ns: Option<Bounds>,
    /// What the hand-off was taken from.
    #[serde(default)]
    pub hand_off: String,
    /// For so long of its time in flight an acknowledgement of ours was pending.
    #[serde(default)]
    pub ack_pending_ns: i64,
    /// Stage, then part.
    pub matrix: BTreeMap<String, BTreeMap<String, i64>>,
}

/// A lower and an upper bound.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
pub struct Bounds {
    /// Not below.
    pub min: i64,
    /// Not above.
    pub max: i64,
}

/// The session of a message, as far as the lab looks at it.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct Session {
    /// SenderCompID.
    pub sender: String,
    /// Our end of the connection, `address:port`.
    #[serde(default)]
    pub local: String,
    /// The process that read the message.
    #[serde(default)]
    pub pid: i32,
    /// The thread that received it.
    #[serde(default)]
    pub tid: i32,
}

impl Message {
    /// Sum of one stage.
    pub fn stage(&self, stage: &str) -> i64 {
        self.matrix
            .get(stage)
            .map_or(0, |parts| parts.values().sum())
    }

    /// Sum of one part over all stages.
    pub fn part(&self, part: &str) -> i64 {
        self.matrix
            .values()
            .filter_map(|parts| parts.get(part))
            .sum()
    }

    /// One cell.
    pub fn cell(&self, stage: &str, part: &str) -> i64 {
        let parts = self.matrix.get(stage);
        parts
            .and_then(|parts| parts.get(part))
            .copied()
            .unwrap_or(0)
    }

    /// What is wrong with its sums; `None` when parts and stages make up the age to the nanosecond
    /// and nothing but the network is negative.
    pub fn inexact(&self) -> Option<String> {
        let mut wrong = Vec::new();
        let mut equal = |name: &str, found: i64, expected: i64| {
            if found != expected {
                wrong.push(format!("{name} is {found}, not {expected}"));
            }
        };
        equal("the sum of the parts", self.total(), self.age_ns);
        equal("the age", self.age_ns, self.handed_off_ns - self.sent_ns);
        equal(
            "in_app",
            self.stage("in_app"),
            self.handed_off_ns - self.received_ns,
        );
        if let Some(arrived) = self.arrived_ns {
            equal("queued", self.stage("queued"), self.received_ns - arrived);
            let before = self.stage("in_flight") + self.stage("held_back");
            equal("what came before", before, arrived - self.sent_ns);
        }
        for (stage, parts) in &self.matrix {
            if !["in_flight", "held_back", "queued", "in_app"].contains(&stage.as_str()) {
                wrong.push(format!("unknown stage {stage}"));
            }
            for (part, ns) in parts {
                if *ns < 0 && (stage.as_str(), part.as_str()) != ("in_flight", "network") {
                    wrong.push(format!("{stage}.{part} is {ns}"));
                }
            }
        }
        (!wrong.is_empty()).then(|| format!("{}: {self:?}", wrong.join(", ")))
    }

    /// Sum of all cells.
    pub fn total(&self) -> i64 {
        self.matrix.values().flat_map(BTreeMap::values).sum()
    }
}

/// A message line, or `None` for a line of another type.
pub fn parse_line(line: &str) -> Result<Option<Message>> {
    let value: serde_json::Value = serde_json::from_str(line)
        .with_context(|| format!("the agent's line is not JSON: {line}"))?;
    if value.get("type").and_then(|kind| kind.as_str()) != Some("message") {
        return Ok(None);
    }
    serde_json::from_value(value)
        .map(Some)
        .with_context(|| format!("a message line of another shape: {line}"))
}

#[derive(Debug, Default)]
struct Seen {
    /// Lines not looked at yet: while it measures, the lab only takes them in.
    lines: Vec<String>,
    messages: Vec<Message>,
    others: Vec<String>,
    errors: Vec<String>,
    stderr: Vec<String>,
}

impl Seen {
    fn parse(&mut self) {
        for line in self.lines.drain(..) {
            match parse_line(&line) {
                Ok(Some(message)) => self.messages.push(message),
                Ok(None) => self.others.push(line),
                Err(error) => self.errors.push(format!("{error:#}")),
            }
        }
    }
}

impl Outcome {
    /// Who is to blame, by its summary.
    pub fn blame(&self) -> Result<Blame> {
        Blame::of(self.summary.as_ref().context("no summary from the agent")?)
    }

    /// Events lost, by the agent's own account; `None` when it gave none.
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

/// How to start the agent.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// The agent's binary.
    pub binary: &'a Path,
    /// Arguments after `run`.
    pub arguments: Vec<String>,
    /// Start it through sudo.
    pub sudo: bool,
    /// Pass its standard error on as it comes.
    pub echo: bool,
}

/// A running agent; killed when dropped.
#[derive(Debug)]
pub struct Agent {
    child: Guarded,
    seen: Arc<Mutex<Seen>>,
    readers: Vec<JoinHandle<()>>,
    sudo: bool,
}

/// What an agent left behind.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// All message lines.
    pub messages: Vec<Message>,
    /// Lines of other types: intervals, the summary.
    pub others: Vec<String>,
    /// The line of type `summary`.
    pub summary: Option<serde_json::Value>,
    /// Lines that could not be read; there must be none.
    pub errors: Vec<String>,
    /// Its standard error.
    pub stderr: Vec<String>,
}

impl Agent {
    /// Starts `tag52 run` with standard output and error piped.
    pub fn start(launch: &Launch<'_>) -> Result<Self> {
        let mut command = if launch.sudo {
            let mut command = Command::new("sudo");
            command.arg("-n").arg("--").arg(launch.binary);
            command
        } else {
            Command::new(launch.binary)
        };
        command.arg("run").args(&launch.arguments);
        Self::spawn(&mut command, launch.echo, launch.sudo)
    }

    /// The same by a command of the caller's, such as a container with the agent in it.
    pub fn of(mut command: Command) -> Result<Self> {
        Self::spawn(&mut command, false, false)
    }

    fn spawn(command: &mut Command, echo: bool, sudo: bool) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = Guarded::spawn(command, "the agent")?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let stdout = child
            .child()
            .stdout
            .take()
            .context("the agent's standard output")?;
        let stderr = child
            .child()
            .stderr
            .take()
            .context("the agent's standard error")?;
        let readers = vec![
            follow(stdout, Arc::clone(&seen), |seen, line| {
                seen.lines.push(line);
            })?,
            follow(stderr, Arc::clone(&seen), move |seen, line| {
                if echo {
                    eprintln!("agent: {line}");
                }
                seen.stderr.push(line);
            })?,
        ];
        Ok(Self {
            child,
            seen,
            readers,
            sudo,
        })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the probes are attached.
    pub fn wait_watching(&mut self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            if self
                .seen()
                .stderr
                .iter()
                .any(|line| line.starts_with("tag52: watching "))
            {
                return Ok(());
            }
            if let Some(status) = self.child.ended() {
                std::thread::sleep(Duration::from_millis(50));
                anyhow::bail!(
                    "the agent ended early ({status}): {}",
                    self.seen().stderr.join(" | ")
                );
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "the agent was not attached within {limit:?}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it has written to standard error.
    pub fn notes(&self) -> Vec<String> {
        self.seen().stderr.clone()
    }

    /// The messages from the `from`th on.
    pub fn messages_from(&self, from: usize) -> Vec<Message> {
        let mut seen = self.seen();
        seen.parse();
        seen.messages
            .get(from..)
            .map(<[Message]>::to_vec)
            .unwrap_or_default()
    }

    /// Its exit status if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.ended()
    }

    /// Asks it to finish. Through sudo that is not allowed; there it ends with the process it
    /// watches.
    pub fn interrupt(&self) {
        if !self.sudo {
            self.child.signal(Signal::SIGINT);
        }
    }

    /// Waits for its end and takes everything it wrote.
    pub fn finish(mut self, limit: Duration) -> Result<Outcome> {
        let status = self.child.wait(limit)?;
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        let mut seen = std::mem::take(&mut *self.seen());
        seen.parse();
        let Seen {
            messages,
            others,
            errors,
            stderr,
            ..
        } = seen;
        let summary = others
            .iter()
            .find(|line| line.starts_with(r#"{"type":"summary""#));
        let summary = summary.and_then(|line| serde_json::from_str(line).ok());
        Ok(Outcome {
            status,
            messages,
            others,
            summary,
            errors,
            stderr,
        })
    }
}

fn follow(
    stream: impl Read + Send + 'static,
    seen: Arc<Mutex<Seen>>,
    mut take: impl FnMut(&mut Seen, String) + Send + 'static,
) -> Result<JoinHandle<()>> {
    let body = move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            take(
                &mut seen.lock().unwrap_or_else(PoisonError::into_inner),
                line,
            );
        }
    };
    Ok(std::thread::Builder::new()
        .name("agent-output".into())
        .spawn(body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_documented_line_and_skips_other_types() {
        let line = r#"{"type":"message","session":{"sender":"VENUE","target":"DROP","local":"127.0.0.1:5002",
            "remote":"127.0.0.1:40112","pid":411,"tid":412},"seq":17,"msg_type":"8","poss_dup":false,
            "sent_ns":100,"sent_resolution_ns":1000000,"arrived_ns":null,"received_ns":130,"handed_off_ns":150,
            "age_ns":50,"later":"field","matrix":{"in_flight":{"network":10},"held_back":{"lock_wait":5},
            "queued":{"lock_wait":10,"run_queue":5},"in_app":{"on_cpu":20}}}"#;
        let message = parse_line(line).expect("JSON").expect("a message");
        assert_eq!(
            (message.seq, message.arrived_ns, message.total()),
            (17, None, 50)
        );
        assert_eq!(
            (message.part("lock_wait"), message.stage("queued")),
            (15, 15)
        );
        assert!(
            parse_line(r#"{"type":"interval","messages":3}"#)
                .expect("JSON")
                .is_none()
        );
        assert!(parse_line("warning: not JSON").is_err());
        assert!(parse_line(r#"{"type":"message","seq":1}"#).is_err());
    }
}
