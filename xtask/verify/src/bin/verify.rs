//! `cargo xtask verify`.

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;
use verify::VerifyOptions;

/// Measure the agent's accuracy: injected causes of waiting, compared with a truth from outside
#[derive(Debug, Parser)]
#[command(name = "cargo xtask verify", bin_name = "cargo xtask verify")]
struct Cli {
    #[command(flatten)]
    options: VerifyOptions,
}

fn main() -> ExitCode {
    workspace::exit_code(verify_accuracy(&Cli::parse().options))
}

fn verify_accuracy(options: &VerifyOptions) -> Result<()> {
    let experiments = verify::chosen(&options.only)?;
    if options.list {
        for experiment in experiments {
            println!("{:<12} {}", experiment.name, experiment.about);
        }
        return Ok(());
    }
    ensure!(
        workspace::is_root(),
        "the lab loads probes, makes cgroups and pins threads: become root"
    );
    let binary = workspace::agent_or_build(options.agent.as_deref())?;
    let report = verify::run(options, &binary, |line| eprintln!("{line}"))?;
    if options.json {
        println!("{}", serde_json::to_string(&report)?);
    } else if options.markdown {
        eprintln!("{}", report.text());
        println!("{}", report.markdown());
    } else {
        println!("{}", report.text());
    }
    ensure!(report.passes(), "a bar was missed");
    Ok(())
}
