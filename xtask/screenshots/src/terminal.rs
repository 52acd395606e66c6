//! A terminal that nobody sees, by tmux.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

/// A program on a terminal of its own; ended when dropped.
#[derive(Debug)]
pub(super) struct Terminal {
    folder: TempDir,
}

impl Terminal {
    /// Starts a program on a terminal of so many columns and lines.
    pub(super) fn start((columns, lines): (u16, u16), program: &[&str]) -> Result<Self> {
        let terminal = Self {
            folder: tempfile::tempdir()?,
        };
        let (columns, lines) = (columns.to_string(), lines.to_string());
        let mut start = terminal.tmux();
        start
            .args(["-f", "/dev/null", "new-session", "-d"])
            .args(["-x", &columns, "-y", &lines, "env", "COLORTERM=truecolor"])
            .args(program);
        let status = start
            .status()
            .context("tmux is missing (apt-get install -y tmux)")?;
        ensure!(status.success(), "tmux cannot start: {status}");
        Ok(terminal)
    }

    /// What it shows, with the escape sequences of its colours.
    pub(super) fn screen(&self) -> Result<String> {
        let output = self.tmux().args(["capture-pane", "-p", "-e"]).output()?;
        ensure!(output.status.success(), "the program has ended");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A server of our own.
    fn tmux(&self) -> Command {
        let socket: PathBuf = self.folder.path().join("tmux");
        let mut command = Command::new("tmux");
        command
            .arg("-S")
            .arg(socket)
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may be gone already.
        let _ended = self.tmux().arg("kill-server").status();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_kept() {
        if Command::new("tmux").arg("-V").output().is_err() {
            eprintln!("skipped: no tmux");
            return;
        }
        let show = ["sh", "-c", "printf '\\033[31mred\\033[0m'; sleep 20"];
        let terminal = Terminal::start((40, 5), &show).expect("it starts");
        let shown = (0..100).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            terminal.screen().ok().filter(|s| s.contains("red"))
        });
        let shown = shown.expect("shown");
        assert!(shown.contains("\u{1b}[31mred"), "{shown:?}");
    }
}
