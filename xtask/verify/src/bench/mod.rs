//! `cargo xtask bench`: what the agent costs, as throughput.

mod measured_agent;
mod node;
mod record;

use std::path::Path;

use anyhow::Result;

/// BenchOptions of the subcommand.
#[derive(Clone, Debug, clap::Args)]
pub struct BenchOptions {
    /// BenchKind is measured
    #[command(subcommand)]
    pub bench: BenchKind,
}

/// BenchKind is measured.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum BenchKind {
    /// Recording: messages per second of the reader and of the agent, with it and without
    Record(record::RecordOptions),
    /// A node with many processes that come and go, some with FIX sessions: memory, series and CPU
    /// of `run --all`
    Node(node::NodeOptions),
}

impl BenchOptions {
    /// An agent that is there already.
    pub fn agent(&self) -> Option<&Path> {
        match &self.bench {
            BenchKind::Record(options) => options.agent.as_deref(),
            BenchKind::Node(options) => options.agent.as_deref(),
        }
    }
}

/// Measures with the agent in `binary`. Ends with a table.
pub fn run(options: &BenchOptions, binary: &Path) -> Result<String> {
    match &options.bench {
        BenchKind::Record(options) => record::run(options, binary),
        BenchKind::Node(options) => node::run(options, binary),
    }
}
