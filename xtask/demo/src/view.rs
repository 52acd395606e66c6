//! The agent's live view on the demo's terminal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::signal::Signal;

use lab::agent::{self, AgentOutput};
use workspace::child::Guarded;

/// How long the agent may take to attach: the kernel verifies its probes, and on a busy machine
/// that takes many times the usual second.
pub(super) const ATTACH_LIMIT: Duration = Duration::from_mins(1);

/// How long the agent may take to restore the terminal.
const GRACE: Duration = Duration::from_secs(10);

/// The agent in the foreground. It writes a recording, from which the demo reads its messages.
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
        let mut command = agent::command(binary, sudo);
        command.arg("record").arg("-o").arg(&recording);
        command.args(["--top", "--no-stay", "--pid", &pid.to_string()]);
        let mut view = Self {
            child: Guarded::spawn_in_foreground(&mut command, "the agent")?,
            binary: binary.to_owned(),
            recording,
            sudo,
        };
        let deadline = Instant::now() + ATTACH_LIMIT;
        // The recording begins once the probes are attached.
        while !fs::metadata(&view.recording).is_ok_and(|file| file.len() > 0) {
            if let Some(status) = view.ended() {
                bail!("the agent ended early ({status})");
            }
            ensure!(Instant::now() < deadline, "the agent was not attached");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(view)
    }

    /// Returns its exit status once the view was closed.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.ended()
    }

    /// Sends SIGTERM, so that it restores the terminal. A process behind sudo cannot be signalled;
    /// it ends with its target.
    pub(super) fn interrupt(&self) {
        if !self.sudo {
            self.child.signal(Signal::SIGTERM);
        }
    }

    /// Waits for its end and reads its recording.
    pub(super) fn finish(&mut self, limit: Duration) -> Result<AgentOutput> {
        let status = self.child.wait(limit)?;
        let mut replay = Command::new(&self.binary);
        replay.arg("replay").arg(&self.recording);
        let replayed = replay
            .args(["--json", "messages"])
            .output()
            .context("cannot replay the agent's recording")?;
        ensure!(
            replayed.status.success(),
            "the agent's recording cannot be replayed: {}",
            String::from_utf8_lossy(&replayed.stderr)
        );
        let stdout = String::from_utf8_lossy(&replayed.stdout);
        Ok(AgentOutput::new(status, stdout.lines(), Vec::new()))
    }
}

impl Drop for LiveView {
    /// Ends it gently: killed, it would not restore the terminal.
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.interrupt();
            let _late = self.child.wait(GRACE);
        }
    }
}
