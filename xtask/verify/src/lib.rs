//! `cargo xtask verify`: the accuracy lab.
//!
//! Every experiment injects one cause of waiting in a known amount, takes the truth from outside
//! the agent (the application's own clock, the kernel's own accounts), joins it by MsgSeqNum with
//! the agent's lines of `--json messages`, and holds the difference against its bars. Where a cause
//! has somebody behind it, the blame in the agent's summary is held against who that is.

pub mod bench;
mod blame;
mod compare;
mod experiments;
mod machine;
mod observe;
mod row;
mod table;
mod truth;
mod wired;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

pub use self::row::{BLAME, BarCheck, MISSED, ResultRow};

/// The options of `cargo xtask verify`.
#[derive(Clone, Debug, Default, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub struct VerifyOptions {
    /// Only the experiments whose name contains this; may be given several times
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Length of a case in seconds; by default each takes what it needs (about 5 minutes in all)
    #[arg(long, value_name = "N")]
    pub seconds: Option<f64>,
    /// Run one short case per cause: checks that the parts are right, not how exact they are
    #[arg(long, conflicts_with = "seconds")]
    pub quick: bool,
    /// Write one JSON object to standard output
    #[arg(long)]
    pub json: bool,
    /// Write the table in Markdown
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// List the experiments and what they inject
    #[arg(long)]
    pub list: bool,
    /// The Python interpreter of the experiment with the GIL: CPython 3.9 or later (default:
    /// python3)
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// The agent to verify (default: build it)
    #[arg(long, value_name = "PATH")]
    pub agent: Option<PathBuf>,
}

/// One experiment.
#[derive(Clone, Copy, Debug)]
pub struct Experiment {
    /// For `--only`.
    pub name: &'static str,
    /// What it injects, in a few words.
    pub about: &'static str,
    run: fn(&Context<'_>) -> Result<Vec<ResultRow>>,
}

/// The agent, the interpreter and the length of a run, for all experiments.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The agent's binary.
    pub agent: &'a Path,
    /// The Python interpreter of the experiments with the GIL.
    pub python: &'a Path,
    /// The length of a case, if it was given.
    seconds: Option<f64>,
    quick: bool,
}

/// The longest case of a quick run, seconds.
const QUICK: f64 = 1.5;

impl Context<'_> {
    /// Returns the length of a case whose default is `usual`, seconds.
    pub fn seconds(&self, usual: f64) -> f64 {
        if self.quick {
            return usual.min(QUICK);
        }
        self.seconds.unwrap_or(usual)
    }

    /// Returns the cases to run: all, or the first in a quick run.
    pub fn cases<T, const N: usize>(&self, all: [T; N]) -> impl Iterator<Item = T> {
        let count = if self.quick { 1 } else { N };
        all.into_iter().take(count)
    }

    /// Returns the number of messages of a case at `rate` per second.
    pub fn messages(&self, rate: f64, usual: f64) -> u64 {
        (rate * self.seconds(usual)) as u64
    }
}

/// The results of a run of the lab.
#[derive(Clone, Debug, serde::Serialize)]
pub struct AccuracyReport {
    /// The machine it was taken on.
    pub machine: String,
    /// One row per case.
    pub rows: Vec<ResultRow>,
    /// Experiments that could not be run, and why.
    pub failed: Vec<(&'static str, String)>,
}

impl AccuracyReport {
    /// Whether every experiment ran and met every bar.
    pub fn passes(&self) -> bool {
        self.failed.is_empty() && self.rows.iter().all(ResultRow::passes)
    }

    /// Returns the table in Markdown.
    pub fn markdown(&self) -> String {
        table::markdown(self)
    }

    /// Returns the table and the notes as text.
    pub fn text(&self) -> String {
        table::text(self)
    }
}

/// Runs the selected experiments; `progress` gets a line when one starts.
///
/// # Errors
/// No experiment has such a name. An experiment that cannot be run is in the report.
pub fn run(
    options: &VerifyOptions,
    agent: &Path,
    mut progress: impl FnMut(&str),
) -> Result<AccuracyReport> {
    let context = Context {
        agent,
        python: options.python.as_deref().unwrap_or(Path::new("python3")),
        seconds: options.seconds,
        quick: options.quick,
    };
    let mut report = AccuracyReport {
        machine: machine::describe(),
        rows: Vec::new(),
        failed: Vec::new(),
    };
    for experiment in chosen(&options.only)? {
        progress(&format!("{}: {}", experiment.name, experiment.about));
        match (experiment.run)(&context) {
            Ok(rows) => report.rows.extend(rows),
            Err(error) => report.failed.push((experiment.name, format!("{error:#}"))),
        }
    }
    Ok(report)
}

/// Returns the experiments whose name contains one of `only`; all of them when it is empty.
///
/// # Errors
/// There is none.
pub fn chosen(only: &[String]) -> Result<Vec<&'static Experiment>> {
    let wanted = |experiment: &&Experiment| {
        only.is_empty()
            || only
                .iter()
                .any(|name| experiment.name.contains(name.as_str()))
    };
    let chosen: Vec<_> = experiments::ALL.iter().filter(wanted).collect();
    let names = || {
        experiments::ALL
            .iter()
            .map(|experiment| experiment.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    ensure!(
        !chosen.is_empty(),
        "no experiment is called {}; there are: {}",
        only.join(" or "),
        names()
    );
    Ok(chosen)
}
