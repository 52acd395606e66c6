//! The processes that the lab observes and disturbs: victims, crowds, neighbours and rivals.

use anyhow::Result;
use clap::{Parser, Subcommand};
use lab::{crowd, neighbour, spin, victim};

/// Processes of the lab, started by its tests, experiments and benches
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    process: LabProcess,
}

#[derive(Debug, Subcommand)]
enum LabProcess {
    /// A small FIX receiver that waits for one known reason and logs when
    Victim(victim::VictimOptions),
    /// A receiver with many sessions on several threads
    Crowd(crowd::CrowdOptions),
    /// A short-lived process without a part in the experiment
    Neighbour(neighbour::NeighbourOptions),
    /// Keep one CPU busy
    Spin(spin::SpinOptions),
    /// Read standard input slowly: the process behind a full pipe
    Drain(victim::DrainOptions),
}

fn main() -> Result<()> {
    match Cli::parse().process {
        LabProcess::Victim(options) => victim::run(&options),
        LabProcess::Crowd(options) => crowd::run(&options),
        LabProcess::Neighbour(options) => neighbour::run(&options),
        LabProcess::Spin(options) => spin::run(&options),
        LabProcess::Drain(options) => options.run(),
    }
}
