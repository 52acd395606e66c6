//! An agent whose output goes to files.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;
use workspace::child::Guarded;

/// A running agent that nobody reads while it works; killed when dropped. Its standard output and
/// error are files of a folder that goes with it.
#[derive(Debug)]
pub struct LoggedAgent {
    /// The process.
    pub process: Guarded,
    folder: TempDir,
}

impl LoggedAgent {
    /// Starts a command of the agent; `folder` is empty, and may be named in the arguments.
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

    /// The rest of the line of standard error that has these words, once it is there.
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

    /// Its standard output so far.
    pub fn stdout(&self) -> Result<String> {
        self.read("stdout")
    }

    /// Its standard error so far.
    pub fn stderr(&self) -> Result<String> {
        self.read("stderr")
    }

    /// A file of its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.path(name)).context("cannot read the agent's log")
    }
}
