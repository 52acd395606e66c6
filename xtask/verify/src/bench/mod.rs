//! `cargo xtask bench`: what the agent costs, as throughput.

mod node;
mod record;
mod watch;

use std::path::Path;

use anyhow::Result;

/// Options of the subcommand.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// What is measured
    #[command(subcommand)]
    pub what: What,
}

/// What is measured.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum What {
    /// Recording: messages per second of the reader and of the agent, with it and without
    Record(record::Options),
    /// A node with many processes that come and go, some with FIX sessions: memory, series and CPU
    /// of `run --all`
    Node(node::Options),
}

impl Options {
    /// An agent that is there already.
    pub fn agent(&self) -> Option<&Path> {
        match &self.what {
            What::Record(options) => options.agent.as_deref(),
            What::Node(options) => options.agent.as_deref(),
        }
    }
}

/// Measures with the agent in `binary`. Ends with a table.
pub fn run(options: &Options, binary: &Path) -> Result<String> {
    match &options.what {
        What::Record(options) => record::run(options, binary),
        What::Node(options) => node::run(options, binary),
    }
}
