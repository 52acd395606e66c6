//! The agent with its output in files.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;
use workspace::child::Guarded;

/// A running agent whose standard output and error go to files, so that reading them does not
/// disturb a measurement. Dropping it kills the agent and removes the files.
#[derive(Debug)]
pub struct LoggedAgent {
    /// The process.
    pub process: Guarded,
    folder: TempDir,
}

impl LoggedAgent {
    /// Starts `command`; `folder` must be empty and may occur in its arguments.
    pub fn start(folder: TempDir, command: &mut Command) -> Result<Self> {
        let file = |name: &str| {
            File::create(folder.path().join(name)).context("cannot create the agent's log")
        };
        command
            .stdin(Stdio::null())
            .stdout(file("stdout")?)
            .stderr(file("stderr")?);
        Ok(Self {
            process: Guarded::spawn(command, "the agent")?,
            folder,
        })
    }

    /// Waits for at most `limit` until its probes are attached.
    pub fn wait_attached(&mut self, limit: Duration) -> Result<()> {
        self.wait_for("watching ", limit).map(drop)
    }

    /// Waits at most `limit` for a line of standard error with `words` and returns the rest of it.
    pub fn wait_for(&mut self, words: &str, limit: Duration) -> Result<String> {
        let deadline = Instant::now() + limit;
        loop {
            let notes = self.stderr()?;
            if let Some((_, rest)) = notes.split_once(words) {
                return Ok(rest.lines().next().unwrap_or_default().to_owned());
            }
            if let Some(status) = self.process.ended() {
                bail!("the agent ended early ({status}): {notes}");
            }
            ensure!(
                Instant::now() < deadline,
                "the agent did not write {words:?} within {limit:?}: {notes}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Returns its standard output so far.
    pub fn stdout(&self) -> Result<String> {
        self.read("stdout")
    }

    /// Returns its standard error so far.
    pub fn stderr(&self) -> Result<String> {
        self.read("stderr")
    }

    /// Returns the path of a file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.path(name)).context("cannot read the agent's log")
    }
}
