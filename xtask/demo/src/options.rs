//! The demo's command line.

use std::io::IsTerminal as _;
use std::path::PathBuf;

/// Where the processor runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DemoMode {
    /// as a thread of the ingest process: the incident
    Thread,
    /// as a separate process: the cure
    Process,
}

/// Whether the agent's live view is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ViewMode {
    /// on a terminal
    #[default]
    Auto,
    /// always
    Always,
    /// never: one line per second instead
    Never,
}

impl ViewMode {
    pub(super) fn opens(self, options: &DemoOptions) -> bool {
        match self {
            Self::Auto => !options.json && std::io::stdout().is_terminal(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// The options of `cargo xtask demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoOptions {
    /// Where the processor runs
    #[arg(long, default_value = "thread")]
    pub mode: DemoMode,
    /// How long to run, in seconds
    #[arg(long, default_value_t = 30)]
    pub seconds: u64,
    /// Messages per second
    #[arg(long, default_value_t = 600.0, value_parser = rate)]
    pub rate: f64,
    /// Write one JSON object to standard output at the end, and everything else to standard error
    #[arg(long)]
    pub json: bool,
    /// When to open the agent's live view; q closes it
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub view: ViewMode,
    /// Run the incident without the agent
    #[arg(long)]
    pub no_agent: bool,
    /// Use this agent instead of building it
    #[arg(long, value_name = "PATH")]
    pub agent: Option<PathBuf>,
    /// The Python interpreter (CPython 3.9 or later)
    #[arg(long, default_value = "python3")]
    pub python: PathBuf,
    /// Elements per list
    #[arg(long, default_value_t = 200_000)]
    pub elements: u32,
    /// Lists between two round trips to the database
    #[arg(long, default_value_t = 200)]
    pub holds: u32,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self {
            mode: DemoMode::Thread,
            seconds: 30,
            rate: 600.0,
            json: false,
            view: ViewMode::Never,
            no_agent: false,
            agent: None,
            python: "python3".into(),
            elements: 200_000,
            holds: 200,
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.1..=1e6).contains(&rate) => Ok(rate),
        _ => Err("a number of messages per second from 0.1 to 1000000".into()),
    }
}
