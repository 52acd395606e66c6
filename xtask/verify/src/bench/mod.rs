//! `cargo xtask bench`: the cost of the agent under load.

mod measured_agent;
mod node;
mod record;

use std::path::Path;

use anyhow::Result;

/// The options of `cargo xtask bench`.
#[derive(Clone, Debug, clap::Args)]
pub struct BenchOptions {
    /// What to measure
    #[command(subcommand)]
    pub bench: BenchKind,
}

/// What to measure.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum BenchKind {
    /// Recording: messages per second of the reader and of the agent, with and without it
    Record(record::RecordOptions),
    /// A node with many processes that come and go, some with FIX sessions: memory, series and CPU
    /// of `run --all`
    Node(node::NodeOptions),
}

impl BenchOptions {
    /// Returns the agent given by path, if any.
    pub fn agent(&self) -> Option<&Path> {
        match &self.bench {
            BenchKind::Record(options) => options.agent.as_deref(),
            BenchKind::Node(options) => options.agent.as_deref(),
        }
    }
}

/// Measures the agent in `binary` and returns a table.
///
/// # Errors
/// The agent or a victim failed, or the agent lost events.
pub fn run(options: &BenchOptions, binary: &Path) -> Result<String> {
    match &options.bench {
        BenchKind::Record(options) => record::run(options, binary),
        BenchKind::Node(options) => node::run(options, binary),
    }
}
