//! The demo as a child process, for screenshots and tests that run their own agent.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use workspace::child::Guarded;

/// Starts the demo without the agent for `seconds`; returns it and the pid of its ingest process.
/// Its output goes to a file in `folder`.
///
/// # Errors
/// The demo does not start within half a minute.
pub fn start(seconds: u64, folder: &Path) -> Result<(Guarded, String)> {
    let output = folder.join("demo");
    let mut demo = Command::new(workspace::program("demo")?);
    demo.args(["--no-agent", "--seconds", &seconds.to_string()])
        .stdin(Stdio::null())
        .stdout(File::create(&output)?);
    let mut demo = Guarded::spawn(&mut demo, "the demo")?;
    let begun = Instant::now();
    loop {
        if let Some(pid) = ingest_pid(&fs::read_to_string(&output)?) {
            return Ok((demo, pid));
        }
        ensure!(
            demo.ended().is_none() && begun.elapsed() < Duration::from_secs(30),
            "the demo did not start"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Parses the pid of the ingest process from the demo's first line.
fn ingest_pid(output: &str) -> Option<String> {
    let (_, after) = output.split_once(" msg/s to pid ")?;
    let pid: String = after.chars().take_while(char::is_ascii_digit).collect();
    (!pid.is_empty() && pid.len() < after.len()).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pid_is_read_once_it_is_complete() {
        assert_eq!(
            ingest_pid("600 msg/s to pid 4711 (3.11"),
            Some("4711".into())
        );
        assert_eq!(ingest_pid("600 msg/s to pid 47"), None);
        assert_eq!(ingest_pid("only one CPU"), None);
    }
}
