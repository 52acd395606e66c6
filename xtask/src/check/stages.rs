//! How long each stage takes.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;

/// The stages that have ended, in order, each with its time.
#[derive(Debug, Default)]
pub(super) struct Stages(Vec<(&'static str, Duration)>);

impl Stages {
    /// Runs a stage and reports its time on standard error, also when it fails.
    pub(super) fn run<T>(
        &mut self,
        name: &'static str,
        stage: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let start = Instant::now();
        let result = stage();
        let time = start.elapsed();
        let end = if result.is_ok() { "done" } else { "failed" };
        eprintln!("stage {name}: {end} in {:.1} s", time.as_secs_f64());
        self.0.push((name, time));
        result
    }

    /// All of them, one a line, and their sum.
    pub(super) fn table(&self) -> String {
        let mut table = String::from("seconds by stage:");
        for (name, time) in &self.0 {
            let _ = write!(table, "\n{:>8.1} {name}", time.as_secs_f64());
        }
        let total: Duration = self.0.iter().map(|(_, time)| time).sum();
        let _ = write!(table, "\n{:>8.1} in all", total.as_secs_f64());
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_stage_and_their_sum() {
        let mut stages = Stages::default();
        assert!(stages.run("first", || Ok(1)).is_ok());
        let failed: Result<()> = stages.run("second", || anyhow::bail!("no"));
        assert!(failed.is_err());
        assert_eq!(
            stages.table(),
            "seconds by stage:\n     0.0 first\n     0.0 second\n     0.0 in all"
        );
    }
}
