//! `cargo xtask`: builds, runs, demonstrates and tests tag52.

mod check;
mod run;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};
use xtask::lab::{crowd, neighbour, spin, victim};
use xtask::{
    bench, dashboards, demo, deploy, image, screenshots, toolchain, verify, vm, workspace,
};

/// Builds, runs, demonstrates and tests tag52.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set up the eBPF toolchain and nothing else
    Setup,
    /// Build the agent (release)
    Build,
    /// Build the agent and run it: `cargo xtask run -- --pid N`
    Run {
        /// Arguments of `tag52 run`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Build the agent and show its live view: `cargo xtask top -- --pid N`
    Top {
        /// Arguments of `tag52 top`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Show the incident: a CPython process whose messages grow old while it waits for the GIL
    Demo(demo::Options),
    /// Measure how exact the agent is: known causes of waiting against a truth taken outside of it
    Verify(verify::Options),
    /// Measure what the agent costs: `cargo xtask bench record`
    Bench(bench::Options),
    /// Format, lints, build, unit tests and live tests
    Test {
        /// Arguments for the test binaries, such as a name filter
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        filter: Vec<String>,
    },
    /// Run the live tests in virtual machines with other kernels: `cargo xtask vm --kernel 6.12 --
    /// FILTER`
    Vm(vm::Options),
    /// Build the container image: `target/image/tag52.oci.tar`
    Image(image::Options),
    /// Check the manifests under `deploy/`, without a cluster
    DeployCheck(deploy::Options),
    /// Write the Grafana dashboards, or check them
    Dashboards(dashboards::Options),
    /// Make the README's pictures: the demo in Perfetto's UI, and in the live view
    Screenshots(screenshots::Options),
    #[command(hide = true)]
    Victim(victim::Options),
    #[command(hide = true)]
    Crowd(crowd::Options),
    #[command(hide = true)]
    Neighbour(neighbour::Options),
    #[command(hide = true)]
    Spin(spin::Options),
    #[command(hide = true)]
    Drain(victim::Drain),
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Setup => toolchain::ensure().map(drop),
        Command::Build => {
            toolchain::ensure()?;
            workspace::build_agent().map(drop)
        }
        Command::Run { arguments } => run::run("run", &arguments),
        Command::Top { arguments } => run::run("top", &arguments),
        Command::Demo(options) => show_demo(&options),
        Command::Verify(options) => verify_accuracy(&options),
        Command::Bench(options) => measure_cost(&options),
        Command::Test { filter } => check::run(&filter),
        Command::Vm(options) => vm::run(&options),
        Command::Image(options) => image::run(&options),
        Command::DeployCheck(options) => deploy::run(&options),
        Command::Dashboards(options) => write_dashboards(&options),
        Command::Screenshots(options) => make_screenshots(&options),
        Command::Victim(options) => victim::run(&options),
        Command::Crowd(options) => crowd::run(&options),
        Command::Neighbour(options) => neighbour::run(&options),
        Command::Spin(options) => spin::run(&options),
        Command::Drain(options) => options.run(),
    }
}

fn show_demo(options: &demo::Options) -> Result<()> {
    let binary = match &options.agent {
        _ if options.no_agent => None,
        Some(agent) => Some(agent.clone()),
        None => {
            toolchain::ensure()?;
            Some(workspace::build_agent()?)
        }
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

fn verify_accuracy(options: &verify::Options) -> Result<()> {
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
    let binary = match &options.agent {
        Some(agent) => agent.clone(),
        None => {
            toolchain::ensure()?;
            workspace::build_agent()?
        }
    };
    let report = verify::run(options, &binary, &std::env::current_exe()?, |line| {
        eprintln!("{line}");
    })?;
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

fn measure_cost(options: &bench::Options) -> Result<()> {
    ensure!(workspace::is_root(), "the agent loads probes: become root");
    let binary = built(options.agent())?;
    let report = bench::run(options, &binary, &std::env::current_exe()?)?;
    println!("{report}");
    Ok(())
}

fn write_dashboards(options: &dashboards::Options) -> Result<()> {
    if !options.live {
        return dashboards::run(options);
    }
    ensure!(workspace::is_root(), "the agent loads probes: become root");
    let binary = built(options.agent.as_deref())?;
    let live = dashboards::live::Options {
        seconds: options.seconds,
        allow_missing: options.allow_missing,
        dump: options.dump.clone(),
    };
    let report = dashboards::live::run(&live, &binary, &std::env::current_exe()?)?;
    println!("{report}");
    ensure!(report.failures().is_empty(), "not everything has data");
    Ok(())
}

fn make_screenshots(options: &screenshots::Options) -> Result<()> {
    ensure!(workspace::is_root(), "the agent loads probes: become root");
    let binary = built(options.agent.as_deref())?;
    for picture in screenshots::run(options, &binary, &std::env::current_exe()?)? {
        println!("{}", picture.display());
    }
    Ok(())
}

/// The agent that was asked for, or a new one.
fn built(agent: Option<&Path>) -> Result<PathBuf> {
    match agent {
        Some(agent) => Ok(agent.to_owned()),
        None => {
            toolchain::ensure()?;
            workspace::build_agent()
        }
    }
}
