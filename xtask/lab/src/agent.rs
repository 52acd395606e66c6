//! The agent as a child process: its JSON lines, its standard error, its end.

mod logged;
mod message;
mod output;
mod waiting;

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::Signal;
use workspace::child::Guarded;

pub use self::logged::LoggedAgent;
pub use self::message::{AgeBounds, MessageLine, MessageSession, parse_line};
pub use self::output::AgentOutput;
use self::output::Lines;
pub use self::waiting::{ReaderLine, WaitingLine};

/// How to start the agent.
#[derive(Clone, Debug)]
pub struct AgentLaunch<'a> {
    /// The agent's binary.
    pub binary: &'a Path,
    /// Arguments after `run`.
    pub arguments: Vec<String>,
    /// Start it through sudo.
    pub sudo: bool,
    /// Copy its standard error to ours.
    pub echo: bool,
}

/// A running agent; killed when dropped.
#[derive(Debug)]
pub struct AgentProcess {
    child: Guarded,
    lines: Arc<Mutex<Lines>>,
    readers: Vec<JoinHandle<()>>,
    sudo: bool,
}

/// Returns a command that runs the agent, through sudo if asked for. sudo must not prompt (see
/// [`workspace::warm_sudo`]).
pub fn command(binary: &Path, sudo: bool) -> Command {
    if !sudo {
        return Command::new(binary);
    }
    let mut command = Command::new("sudo");
    command.arg("-n").arg("--").arg(binary);
    command
}

impl<'a> AgentLaunch<'a> {
    /// Options for an agent with these arguments, without sudo and without echo.
    pub fn new(binary: &'a Path, arguments: Vec<String>) -> Self {
        Self {
            binary,
            arguments,
            sudo: false,
            echo: false,
        }
    }
}

impl AgentProcess {
    /// Starts `tag52 run`, reads its standard output and error in two threads, and waits at most
    /// `limit` until its probes are attached.
    pub fn attach(launch: &AgentLaunch<'_>, limit: Duration) -> Result<Self> {
        let mut command = command(launch.binary, launch.sudo);
        command.arg("run").args(&launch.arguments);
        let agent = Self::spawn(&mut command, launch.echo, launch.sudo)?;
        agent.when_attached(limit)
    }

    /// Like [`Self::attach`], with a command of the caller's that runs the agent, such as a
    /// container.
    pub fn attach_with(mut command: Command, limit: Duration) -> Result<Self> {
        Self::spawn(&mut command, false, false)?.when_attached(limit)
    }

    fn spawn(command: &mut Command, echo: bool, sudo: bool) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = Guarded::spawn(command, "the agent")?;
        let lines = Arc::new(Mutex::new(Lines::default()));
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
            follow(stdout, Arc::clone(&lines), |lines, line| {
                lines.unparsed.push(line);
            })?,
            follow(stderr, Arc::clone(&lines), move |lines, line| {
                if echo {
                    eprintln!("agent: {line}");
                }
                lines.stderr.push(line);
            })?,
        ];
        Ok(Self {
            child,
            lines,
            readers,
            sudo,
        })
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn when_attached(mut self, limit: Duration) -> Result<Self> {
        let deadline = Instant::now() + limit;
        loop {
            if self
                .lines()
                .stderr
                .iter()
                .any(|line| line.starts_with("tag52: watching "))
            {
                return Ok(self);
            }
            if let Some(status) = self.child.ended() {
                std::thread::sleep(Duration::from_millis(50));
                anyhow::bail!(
                    "the agent ended early ({status}): {}",
                    self.lines().stderr.join(" | ")
                );
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "the agent was not attached within {limit:?}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns the lines of its standard error so far.
    pub fn notes(&self) -> Vec<String> {
        self.lines().stderr.clone()
    }

    /// Returns the messages from the `from`th on, counted from 0.
    pub fn messages_from(&self, from: usize) -> Vec<MessageLine> {
        let mut lines = self.lines();
        lines.parse();
        lines
            .messages
            .get(from..)
            .map(<[MessageLine]>::to_vec)
            .unwrap_or_default()
    }

    /// Returns what waits on its session, by the lines of `--json intervals` so far: `None` for
    /// those in which nothing did.
    pub fn waiting(&self) -> Vec<Option<WaitingLine>> {
        let mut lines = self.lines();
        lines.parse();
        waiting::parse_lines(&lines.others)
    }

    /// Returns its exit status if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.ended()
    }

    /// Sends SIGINT. A process behind sudo cannot be signalled; it ends with its target.
    pub fn interrupt(&self) {
        if !self.sudo {
            self.child.signal(Signal::SIGINT);
        }
    }

    /// Waits at most `limit` for its end and returns its output.
    pub fn finish(mut self, limit: Duration) -> Result<AgentOutput> {
        let status = self.child.wait(limit)?;
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        let lines = std::mem::take(&mut *self.lines());
        Ok(lines.into_output(status))
    }
}

fn follow(
    stream: impl Read + Send + 'static,
    lines: Arc<Mutex<Lines>>,
    mut take: impl FnMut(&mut Lines, String) + Send + 'static,
) -> Result<JoinHandle<()>> {
    let body = move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            take(
                &mut lines.lock().unwrap_or_else(PoisonError::into_inner),
                line,
            );
        }
    };
    Ok(std::thread::Builder::new()
        .name("agent-output".into())
        .spawn(body)?)
}
