//! The agent's live view on the demo's terminal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;

use lab::agent::{Outcome, parse_line};
use workspace::child::Guarded;

/// How long the agent may take to give the terminal back.
const GRACE: Duration = Duration::from_secs(10);

/// The agent in the foreground. It records, so that the demo learns afterwards what it saw.
#[derive(Debug)]
pub(super) struct LiveView {
    child: Guarded,
    binary: PathBuf,
    recording: PathBuf,
    sudo: bool,
}

impl LiveView {
    /// Starts it on `pid` and waits until its probes are attached.
    pub(super) fn start(binary: &Path, pid: i32, folder: &Path, sudo: bool) -> Result<Self> {
        let recording = folder.join("demo.t52");
        let mut command = if sudo {
            let mut command = Command::new("sudo");
            command.arg("-n").arg("--").arg(binary);
            command
        } else {
            Command::new(binary)
        };
        command.arg("record").arg("-o").arg(&recording);
        command.args(["--top", "--no-stay", "--pid", &pid.to_string()]);
        let mut view = Self {
            child: Guarded::spawn_in_foreground(&mut command, "the agent")?,
            binary: binary.to_owned(),
            recording,
            sudo,
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        // The recording is begun once the probes are attached.
        while !fs::metadata(&view.recording).is_ok_and(|file| file.len() > 0) {
            if let Some(status) = view.ended() {
                bail!("the agent ended early ({status})");
            }
            ensure!(Instant::now() < deadline, "the agent was not attached");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(view)
    }

    /// Its exit status once the view was left.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.ended()
    }

    /// Ends it, so that it gives the terminal back. Through sudo that is not allowed; there it ends
    /// with the process it watches.
    pub(super) fn interrupt(&self) {
        if !self.sudo {
            self.child.signal(Signal::SIGTERM);
        }
    }

    /// Waits for its end and reads what it saw from its recording.
    pub(super) fn finish(&mut self, limit: Duration) -> Result<Outcome> {
        let status = self.child.wait(limit)?;
        let mut replay = Command::new(&self.binary);
        replay.arg("replay").arg(&self.recording);
        let told = replay
            .args(["--json", "messages"])
            .output()
            .context("cannot replay the agent's recording")?;
        ensure!(
            told.status.success(),
            "the agent's recording cannot be replayed: {}",
            String::from_utf8_lossy(&told.stderr)
        );
        let mut outcome = Outcome {
            status,
            messages: Vec::new(),
            others: Vec::new(),
            summary: None,
            errors: Vec::new(),
            stderr: Vec::new(),
        };
        for line in String::from_utf8_lossy(&told.stdout).lines() {
            match parse_line(line) {
                Ok(Some(message)) => outcome.messages.push(message),
                Ok(None) => outcome.others.push(line.to_owned()),
                Err(error) => outcome.errors.push(format!("{error:#}")),
            }
        }
        // The last line.
        let summary = outcome.others.last();
        outcome.summary = summary.and_then(|line| serde_json::from_str(line).ok());
        Ok(outcome)
    }
}

impl Drop for LiveView {
    /// Killed at once it would leave the terminal as it is.
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.interrupt();
            let _late = self.child.wait(GRACE);
        }
    }
}
