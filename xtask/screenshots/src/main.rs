//! `cargo xtask screenshots`.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;
use screenshots::ScreenshotOptions;

/// Make the pictures: the demo in Perfetto's UI and in the live view, or the dashboards
#[derive(Debug, Parser)]
#[command(name = "cargo xtask screenshots", bin_name = "cargo xtask screenshots")]
struct Cli {
    #[command(flatten)]
    options: ScreenshotOptions,
}

fn main() -> ExitCode {
    workspace::exit_code(make(&Cli::parse().options))
}

fn make(options: &ScreenshotOptions) -> Result<()> {
    ensure!(workspace::is_root(), "the agent loads probes: become root");
    let binary = workspace::agent_or_build(options.agent.as_deref())?;
    for picture in screenshots::run(options, &binary)? {
        println!("{}", picture.display());
    }
    Ok(())
}
