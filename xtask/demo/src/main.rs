//! `cargo xtask demo`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use demo::DemoOptions;

/// Show the incident: a CPython process whose messages grow old while it waits for the GIL
#[derive(Debug, Parser)]
#[command(name = "cargo xtask demo", bin_name = "cargo xtask demo")]
struct Cli {
    #[command(flatten)]
    options: DemoOptions,
}

fn main() -> ExitCode {
    workspace::exit_code(show(&Cli::parse().options))
}

fn show(options: &DemoOptions) -> Result<()> {
    let binary = if options.no_agent {
        None
    } else {
        Some(workspace::agent_or_build(options.agent.as_deref())?)
    };
    let show = |line: &str| {
        if options.json {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    };
    let summary = demo::run(options, binary.as_deref(), show)?;
    show(&summary.text());
    if options.json {
        println!("{}", serde_json::to_string(&summary)?);
    }
    Ok(())
}
