//! The PrometheusRule, made of `dashboards/rules.yaml`, which Prometheus itself reads.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use super::folder;

const HEAD: &str = "\
# Made of dashboards/rules.yaml by `cargo xtask deploy-check --write`.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: tag52
  labels:
    app.kubernetes.io/name: tag52
spec:
";

/// Writes it anew.
pub(super) fn write() -> Result<()> {
    let path = path();
    fs::write(&path, make()?).with_context(|| format!("cannot write {}", path.display()))
}

/// Whether it is as it would be written.
pub(super) fn check() -> Result<()> {
    let path = path();
    let is = fs::read_to_string(&path).with_context(|| {
        format!(
            "cannot read {}: `cargo xtask deploy-check --write`",
            path.display()
        )
    })?;
    ensure!(
        is == make()?,
        "{} is not what dashboards/rules.yaml makes: `cargo xtask deploy-check --write`",
        path.display()
    );
    Ok(())
}

fn path() -> PathBuf {
    folder().join("overlays/prometheus-operator/rules.yaml")
}

/// The same text further to the right: nothing in it has to be understood.
fn make() -> Result<String> {
    let from = workspace::root().join("dashboards/rules.yaml");
    let rules =
        fs::read_to_string(&from).with_context(|| format!("cannot read {}", from.display()))?;
    let indented = rules.lines().map(|line| match line {
        "" => "\n".to_owned(),
        line => format!("  {line}\n"),
    });
    Ok(format!("{HEAD}{}", indented.collect::<String>()))
}
