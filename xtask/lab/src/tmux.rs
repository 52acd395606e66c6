//! A terminal whose screen can be read: tmux(1) without a client, on a socket of its own.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

/// A shell on a terminal of a given size. Dropping it ends it.
#[derive(Debug)]
pub struct Tmux {
    folder: TempDir,
}

impl Tmux {
    /// Starts the shell with additional environment variables.
    pub fn start(width: u16, height: u16, environment: &[(&str, &str)]) -> Result<Self> {
        let tmux = Self {
            folder: tempfile::tempdir()?,
        };
        let (width, height) = (width.to_string(), height.to_string());
        let mut command = tmux.command();
        command.args(["-f", "/dev/null", "new-session", "-d"]);
        command.args(["-x", &width, "-y", &height, "env", "PS1=$ "]);
        command.args(
            environment
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        command.arg("sh");
        done(&mut command)?;
        Ok(tmux)
    }

    /// Types a line and Enter.
    pub fn line(&self, text: &str) -> Result<()> {
        done(self.command().args(["send-keys", "-l", text]))?;
        self.key("Enter")
    }

    /// Presses a key by tmux's name for it (`q`, `Enter`, `C-c`).
    pub fn key(&self, key: &str) -> Result<()> {
        done(self.command().args(["send-keys", key])).map(drop)
    }

    /// Resizes the terminal.
    pub fn resize(&self, width: u16, height: u16) -> Result<()> {
        let (width, height) = (width.to_string(), height.to_string());
        let resize = ["resize-window", "-x", &width, "-y", &height];
        done(self.command().args(resize)).map(drop)
    }

    /// Returns the text of the screen.
    pub fn text(&self) -> Result<String> {
        done(self.command().args(["capture-pane", "-p"]))
    }

    /// Returns the text of the screen with its colour sequences.
    pub fn coloured(&self) -> Result<String> {
        done(self.command().args(["capture-pane", "-p", "-e"]))
    }

    /// Returns the text of the screen and its scrollback.
    pub fn scrollback(&self) -> Result<String> {
        done(self.command().args(["capture-pane", "-p", "-J", "-S", "-"]))
    }

    /// Returns the value of one of tmux's formats, such as `#{alternate_on}`.
    pub fn ask(&self, format: &str) -> Result<String> {
        let answer = done(self.command().args(["display-message", "-p", format]))?;
        Ok(answer.trim().to_owned())
    }

    /// Waits at most `limit` until all these texts are on the screen at once, and returns its text.
    pub fn wait_for(&self, all: &[&str], limit: Duration) -> Result<String> {
        let deadline = Instant::now() + limit;
        loop {
            let text = self.text()?;
            let missing: Vec<_> = all.iter().filter(|words| !text.contains(**words)).collect();
            if missing.is_empty() {
                return Ok(text);
            }
            if Instant::now() > deadline {
                bail!("{missing:?} not on the screen within {limit:?}:\n{text}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        command
            .args(["-L", "tag52"])
            .env("TMUX_TMPDIR", self.folder.path())
            .env_remove("TMUX")
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // It may have ended with its shell.
        let _ = done(self.command().arg("kill-server"));
    }
}

fn done(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .context("cannot run tmux: install it with: apt-get install -y tmux")?;
    ensure!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_captured() {
        if Command::new("tmux").arg("-V").output().is_err() {
            assert!(!workspace::in_ci(), "CI=true, and there is no tmux");
            eprintln!("skipped: no tmux");
            return;
        }
        let terminal = Tmux::start(40, 5, &[]).expect("it starts");
        terminal
            .line("clear; printf '\\033[31mred\\033[0m'")
            .expect("typed");
        let red = (0..100).find_map(|_| {
            std::thread::sleep(Duration::from_millis(50));
            terminal
                .coloured()
                .ok()
                .filter(|screen| screen.contains("\u{1b}[31mred"))
        });
        assert!(red.is_some(), "{:?}", terminal.coloured());
    }
}
