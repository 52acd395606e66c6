//! `cargo xtask deploy-check`: the manifests under `deploy/`, without a cluster.
//!
//! What kustomize makes of them is held against the schemas of several Kubernetes versions and of
//! the Prometheus operator, and against what this project wants of them.

mod kustomize;
mod operator;
mod policy;
mod rule;
mod schemas;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// The options of `cargo xtask deploy-check`.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct DeployOptions {
    /// Write the generated PrometheusRule from dashboards/rules.yaml.
    #[arg(long)]
    write: bool,
}

/// What can be applied, by folder below `deploy/`, with the oldest Kubernetes it is for.
const BUILDS: [(&str, (u32, u32)); 3] = [
    ("base", (1, 27)),
    // appArmorProfile.
    ("overlays/unprivileged", (1, 30)),
    ("overlays/prometheus-operator", (1, 27)),
];

/// Checks everything; the error names all that is wrong.
pub(crate) fn run(options: &DeployOptions) -> Result<()> {
    if options.write {
        rule::write()?;
    }
    rule::check()?;
    let kustomize = kustomize::Kustomize::ensure()?;
    let schemas = schemas::Schemas::ensure()?;
    let custom = operator::OperatorSchemas::ensure()?;
    let mut wrong = Vec::new();
    for (name, oldest) in BUILDS {
        let text = kustomize.build(&folder().join(name))?;
        let checked = schemas
            .check(&text, oldest)
            .with_context(|| format!("deploy/{name}"))?;
        let mut found = checked.wrong;
        found.extend(custom.check(&checked.objects)?);
        found.extend(policy::check(name, &checked.objects)?);
        println!(
            "deploy/{name}: {} objects, Kubernetes {}",
            checked.objects.len(),
            checked.versions.join(", ")
        );
        wrong.extend(
            found
                .into_iter()
                .map(|what| format!("deploy/{name}: {what}")),
        );
    }
    anyhow::ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// Returns the folder of the manifests.
fn folder() -> PathBuf {
    workspace::root().join("deploy")
}

/// Returns the folder of the programs that the checks download.
fn cache() -> PathBuf {
    workspace::root().join("target/deploy")
}

/// `Kind name`
fn called(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    format!(
        "{} {}",
        text(&object["kind"]),
        text(&object["metadata"]["name"])
    )
}
