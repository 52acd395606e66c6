//! Oracles: programs of others whose answers the tests trust.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use tools::{packages, perfetto, prometheus};

/// Those that are here. With `CI=true` all of them are; elsewhere a test without its oracle is
/// skipped, with a line that says so.
#[derive(Debug)]
pub(super) struct Oracles {
    /// Prometheus' checker of rules and metrics.
    pub(super) promtool: Option<PathBuf>,
    /// The folder with Perfetto's trace processor.
    pub(super) trace_processor: Option<PathBuf>,
    /// Whether packages can be had from npm: Grafana's types.
    pub(super) npm: bool,
}

impl Oracles {
    /// Fetches what is missing, and as root installs the programs that fetch it.
    ///
    /// # Errors
    /// With `CI=true`: an oracle is missing and cannot be had.
    pub(super) fn ensure() -> Result<Self> {
        let node = packages::ensure(&[("node", "nodejs"), ("npm", "npm"), ("pip3", "python3-pip")]);
        let npm = or_skipped(node, "the check of the dashboards against Grafana's types")?;
        let promtool = prometheus::ensure().map(|folder| folder.join("promtool"));
        let promtool = or_skipped(promtool, "the tests of rules and metrics with promtool")?;
        let processor = perfetto::ensure();
        let trace_processor = or_skipped(processor, "the test of exported traces")?;
        Ok(Self {
            promtool,
            trace_processor,
            npm: npm.is_some(),
        })
    }
}

/// `None` for an oracle that cannot be had, except with `CI=true`.
fn or_skipped<T>(oracle: Result<T>, check: &str) -> Result<Option<T>> {
    match oracle {
        Ok(oracle) => Ok(Some(oracle)),
        Err(error) if workspace::in_ci() => {
            Err(error).with_context(|| format!("CI=true, and {check} cannot be run"))
        }
        Err(error) => {
            eprintln!("warning: {check}: skipped: {error:#}");
            Ok(None)
        }
    }
}
