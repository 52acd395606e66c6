//! `cargo xtask screenshots`: makes the screenshots of the documents from the real demo.
//!
//! The demo runs once, recorded and with `tag52 top` on a terminal of its own (tmux). The recording
//! goes to Perfetto's own UI, the terminal's text becomes HTML, and a headless Chromium draws both.
//! With `--dashboards` it draws the Grafana dashboards instead, from what a real Prometheus
//! answered.

mod ansi;
mod browser;
mod grafana;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use browser::Browser;
use lab::tmux::Tmux;
use tools::perfetto;
use workspace::child::Guarded;

/// The largest size of a picture, bytes: they are part of the repository.
const MAX_PICTURE_BYTES: u64 = 150_000;
/// Columns and lines of the terminal.
const SIZE: (u16, u16) = (110, 34);

/// The options of `cargo xtask screenshots`.
#[derive(Clone, Debug, clap::Args)]
pub struct ScreenshotOptions {
    /// How long the demo runs
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..=300))]
    pub seconds: u64,
    /// Use this agent instead of building it
    #[arg(long, value_name = "PATH")]
    pub agent: Option<PathBuf>,
    /// Where the pictures go
    #[arg(long, value_name = "FOLDER")]
    pub to: Option<PathBuf>,
    /// Draw the dashboards instead; with a FOLDER from what `cargo xtask dashboards --live --dump
    /// FOLDER` wrote
    #[arg(long, value_name = "FOLDER", num_args = 0..=1)]
    pub dashboards: Option<Option<PathBuf>>,
    /// `--dashboards`: Grafana's theme
    #[arg(long, default_value = "dark", value_parser = ["dark", "light"])]
    pub theme: String,
}

/// Makes the pictures with the agent in `agent`. Returns their paths.
///
/// # Errors
/// The demo, the browser or Prometheus failed, or a picture is too large.
pub fn run(options: &ScreenshotOptions, agent: &Path) -> Result<Vec<PathBuf>> {
    if let Some(data) = &options.dashboards {
        return grafana::run(options, data.as_deref(), agent);
    }
    let browser = Browser::ensure()?;
    let ui = perfetto::ensure_ui()?;
    let to = match &options.to {
        Some(folder) => folder.clone(),
        None => workspace::root().join("docs/images"),
    };
    fs::create_dir_all(&to).with_context(|| format!("cannot create {}", to.display()))?;
    let folder = tempfile::tempdir()?;
    let recording = folder.path().join("demo.t52");
    let screen = record_demo(options, agent, &recording)?;

    let trace = folder.path().join("demo.pftrace");
    let mut export = Command::new(agent);
    export.args(["export", "--lanes", "8", "--perfetto"]);
    workspace::run(export.arg(&trace).arg(&recording))?;
    let mut made = vec![to.join("perfetto.png")];
    browser.perfetto(&ui, &trace, &made[0])?;
    match screen {
        Some(screen) => {
            let page = folder.path().join("top.html");
            fs::write(&page, ansi::page(&screen))?;
            made.push(to.join("top.png"));
            browser.page(&page, &made[1])?;
        }
        None => eprintln!("this agent has no `top`: no picture of it"),
    }
    for picture in &made {
        let size = fs::metadata(picture)?.len();
        ensure!(
            size <= MAX_PICTURE_BYTES,
            "{} has {size} bytes, more than {MAX_PICTURE_BYTES}",
            picture.display()
        );
    }
    Ok(made)
}

/// Runs the demo, records it, and returns what `tag52 top` showed shortly before its end; `None`
/// when the agent has no such command.
fn record_demo(
    options: &ScreenshotOptions,
    agent: &Path,
    recording: &Path,
) -> Result<Option<String>> {
    let folder = tempfile::tempdir()?;
    let (mut demo, pid) = demo::background::start(options.seconds, folder.path())?;
    let begun = Instant::now();
    let mut record = Command::new(agent);
    record
        .args(["record", "--pid", &pid, "-o"])
        .arg(recording)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(folder.path().join("notes"))?);
    let mut record = Guarded::spawn(&mut record, "the agent")?;
    let help = Command::new(agent).args(["top", "--help"]).output()?;
    let top = help.status.success().then(|| {
        let terminal = Tmux::start(SIZE.0, SIZE.1, &[("COLORTERM", "truecolor")])?;
        terminal.line(&format!("exec '{}' top --pid {pid}", agent.display()))?;
        anyhow::Ok(terminal)
    });
    let top = top.transpose()?;
    let shown = Duration::from_secs(options.seconds - 2);
    std::thread::sleep(shown.saturating_sub(begun.elapsed()));
    let screen = top.map(|top| top.coloured()).transpose()?;
    record.signal(Signal::SIGINT);
    let status = record.wait(Duration::from_secs(20))?;
    ensure!(status.success(), "the recording failed: {status}");
    demo.wait(Duration::from_secs(30))?;
    Ok(screen)
}
