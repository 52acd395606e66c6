//! `cargo xtask dashboards`.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;
use dashboards::{DashboardOptions, live};

/// Write the Grafana dashboards, or check them
#[derive(Debug, Parser)]
#[command(name = "cargo xtask dashboards", bin_name = "cargo xtask dashboards")]
struct Cli {
    #[command(flatten)]
    options: DashboardOptions,
}

fn main() -> ExitCode {
    workspace::exit_code(write_or_check(&Cli::parse().options))
}

fn write_or_check(options: &DashboardOptions) -> Result<()> {
    if !options.live {
        return dashboards::run(options);
    }
    ensure!(workspace::is_root(), "the agent loads probes: become root");
    let binary = workspace::agent_or_build(options.agent.as_deref())?;
    let live = live::LiveOptions {
        seconds: options.seconds,
        allow_missing: options.allow_missing,
        dump: options.dump.clone(),
    };
    let report = live::run(&live, &binary)?;
    println!("{report}");
    ensure!(
        report.failures().is_empty(),
        "some queries returned no data (see the report above)"
    );
    Ok(())
}
