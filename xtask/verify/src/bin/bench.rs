//! `cargo xtask bench`.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;
use verify::bench::{self, BenchOptions};

/// Measure the cost of the agent: `cargo xtask bench record`
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Cli {
    #[command(flatten)]
    options: BenchOptions,
}

fn main() -> ExitCode {
    workspace::exit_code(measure_cost(&Cli::parse().options))
}

fn measure_cost(options: &BenchOptions) -> Result<()> {
    ensure!(workspace::is_root(), "the agent loads probes: become root");
    let binary = workspace::agent_or_build(options.agent())?;
    println!("{}", bench::run(options, &binary)?);
    Ok(())
}
