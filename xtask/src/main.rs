//! `cargo xtask`: builds, runs, demonstrates and tests tag52.

mod check;
mod deploy;
mod image;
mod run;
mod task;
mod toolchain;
mod vm;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

/// Builds, runs, demonstrates and tests tag52.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: TaskCommand,
}

#[derive(Debug, Subcommand)]
enum TaskCommand {
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
    #[command(disable_help_flag = true)]
    Demo(Arguments),
    /// Measure the agent's accuracy: injected causes of waiting, compared with a truth from outside
    #[command(disable_help_flag = true)]
    Verify(Arguments),
    /// Measure the cost of the agent: `cargo xtask bench record`
    #[command(disable_help_flag = true)]
    Bench(Arguments),
    /// Format, lints, build, unit tests and live tests
    Test {
        /// Arguments for the test binaries, such as a name filter
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        filter: Vec<String>,
    },
    /// Run the live tests in virtual machines with other kernels: `cargo xtask vm --kernel 6.12 --
    /// FILTER`
    Vm(vm::VmOptions),
    /// Build the container image: `target/image/tag52.oci.tar`
    Image(image::ImageOptions),
    /// Check the manifests under `deploy/`, without a cluster
    DeployCheck(deploy::DeployOptions),
    /// Write the Grafana dashboards, or check them
    #[command(disable_help_flag = true)]
    Dashboards(Arguments),
    /// Make the screenshots: the demo in Perfetto's UI and in the live view
    #[command(disable_help_flag = true)]
    Screenshots(Arguments),
}

/// Arguments of a task in a crate of its own, `--help` included.
#[derive(Args, Debug)]
struct Arguments {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

fn main() -> ExitCode {
    workspace::exit_code(dispatch(Cli::parse().command))
}

fn dispatch(command: TaskCommand) -> Result<()> {
    match command {
        TaskCommand::Setup => toolchain::ensure().map(drop),
        TaskCommand::Build => toolchain::build_agent().map(drop),
        TaskCommand::Run { arguments } => run::run("run", &arguments),
        TaskCommand::Top { arguments } => run::run("top", &arguments),
        TaskCommand::Demo(options) => task::DEMO.exec(&options.arguments),
        TaskCommand::Verify(options) => task::VERIFY.exec(&options.arguments),
        TaskCommand::Bench(options) => task::BENCH.exec(&options.arguments),
        TaskCommand::Test { filter } => check::run(&filter),
        TaskCommand::Vm(options) => vm::run(&options),
        TaskCommand::Image(options) => image::run(&options),
        TaskCommand::DeployCheck(options) => deploy::run(&options),
        TaskCommand::Dashboards(options) => task::DASHBOARDS.exec(&options.arguments),
        TaskCommand::Screenshots(options) => task::SCREENSHOTS.exec(&options.arguments),
    }
}
