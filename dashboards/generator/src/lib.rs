//! `cargo xtask dashboards`: generates the Grafana dashboards and tests their queries.
//!
//! The dashboards are declared here, a module each, and written to `dashboards/*.json`. `--check`
//! compares the files, `--live` runs every query of the dashboards and the rules against a real
//! Prometheus that scrapes the real agent.

mod agent;
mod dashboard;
mod fleet;
pub mod live;
mod panel;
mod promtool;
mod schema;
mod session;
mod style;
mod variable;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use dashboard::Dashboard;

/// The options of `cargo xtask dashboards`.
#[derive(Clone, Debug, Default, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub struct DashboardOptions {
    /// Only check that the files are up to date
    #[arg(long)]
    pub check: bool,
    /// Check the files against Grafana's own types (with npm)
    #[arg(long)]
    pub schema: bool,
    /// Check the rules and run their tests (with promtool)
    #[arg(long)]
    pub rules: bool,
    /// Run every query of the dashboards and rules against a real Prometheus that scrapes the
    /// real agent; needs root
    #[arg(long)]
    pub live: bool,
    /// `--live`: how long Prometheus scrapes before the queries run, in seconds
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(10..=600))]
    pub seconds: u64,
    /// `--live`: use this agent instead of building it
    #[arg(long, value_name = "PATH")]
    pub agent: Option<PathBuf>,
    /// `--live`: do not fail on metrics that the agent does not have
    #[arg(long)]
    pub allow_missing: bool,
    /// `--live`: write the answers to this folder, for `cargo xtask screenshots --dashboards
    /// FOLDER`
    #[arg(long, value_name = "FOLDER")]
    pub dump: Option<PathBuf>,
}

/// Returns all dashboards.
fn all() -> [Dashboard; 3] {
    [fleet::fleet(), session::session(), agent::agent()]
}

/// Returns the file names of all dashboards.
fn file_names() -> Vec<String> {
    all().iter().map(Dashboard::file).collect()
}

/// Returns the folder of the generated files.
fn folder() -> PathBuf {
    workspace::root().join("dashboards")
}

/// Writes the files, or checks them when an option asks for that.
///
/// # Errors
/// A file cannot be written, or a check failed.
pub fn run(options: &DashboardOptions) -> Result<()> {
    if options.check || options.schema || options.rules {
        check(&folder())?;
        if options.schema {
            schema::check()?;
        }
        if options.rules {
            promtool::check_rules(&folder())?;
        }
        return Ok(());
    }
    for dashboard in all() {
        let path = folder().join(dashboard.file());
        std::fs::write(&path, text(&dashboard)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Fails when a file is not what the declarations generate.
fn check(folder: &Path) -> Result<()> {
    for dashboard in all() {
        let path = folder.join(dashboard.file());
        let found = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        if found != text(&dashboard)? {
            bail!(
                "{} is out of date: run `cargo xtask dashboards`",
                path.display()
            );
        }
    }
    Ok(())
}

fn text(dashboard: &Dashboard) -> Result<String> {
    Ok(serde_json::to_string_pretty(&dashboard.json())? + "\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn panels(dashboard: &Value) -> Vec<&Value> {
        let panels = dashboard["panels"].as_array().expect("panels");
        panels.iter().filter(|p| p["type"] != "row").collect()
    }

    #[test]
    fn the_files_are_current() {
        check(&folder()).expect("run `cargo xtask dashboards`");
    }

    #[test]
    fn every_panel_has_a_description_and_queries_by_the_variables() {
        for dashboard in all() {
            let json = dashboard.json();
            for panel in panels(&json) {
                let title = panel["title"].as_str().expect("a title");
                let description = panel["description"].as_str().expect("a description");
                assert!(description.len() > 20, "{title}");
                assert!(!description.contains("  "), "{title}: {description}");
                assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
                let targets = panel["targets"].as_array().expect("targets");
                assert!(!targets.is_empty(), "{title}");
                for target in targets {
                    let expr = target["expr"].as_str().expect("an expression");
                    assert!(
                        !expr.contains(['@', '<']) || expr.contains("< 600"),
                        "{title}: {expr}"
                    );
                    assert!(expr.contains("$instance"), "{title}: {expr}");
                }
            }
        }
    }

    #[test]
    fn panels_do_not_overlap() {
        for dashboard in all() {
            let json = dashboard.json();
            let mut taken = BTreeSet::new();
            let mut ids = BTreeSet::new();
            for panel in json["panels"].as_array().expect("panels") {
                assert!(ids.insert(panel["id"].as_u64()), "{}", panel["title"]);
                let at = |key: &str| panel["gridPos"][key].as_u64().expect("a number");
                assert!(at("x") + at("w") <= 24, "{}", panel["title"]);
                for x in at("x")..at("x") + at("w") {
                    for y in at("y")..at("y") + at("h") {
                        assert!(taken.insert((x, y)), "{} covers another", panel["title"]);
                    }
                }
            }
        }
    }

    #[test]
    fn every_alert_has_a_test_and_a_section_of_the_readme() {
        let read = |name| std::fs::read_to_string(folder().join(name)).expect("a file");
        let (rules, tests, readme) = (
            read("rules.yaml"),
            read("rules.test.yaml"),
            read("README.md"),
        );
        let alerts: Vec<&str> = rules
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- alert: "))
            .collect();
        assert!(alerts.len() > 10, "{alerts:?}");
        for alert in alerts {
            assert!(readme.contains(&format!("\n### {alert}\n")), "{alert}");
            assert!(tests.contains(&format!("alertname=\"{alert}\"")), "{alert}");
            let anchor = format!("dashboards/README.md#{}\n", alert.to_lowercase());
            assert!(rules.contains(&anchor), "{alert}");
        }
    }

    #[test]
    fn a_file_that_is_out_of_date_fails_the_check() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(check(folder.path()).is_err());
        for dashboard in all() {
            let text = text(&dashboard).expect("text");
            std::fs::write(folder.path().join(dashboard.file()), text).expect("written");
        }
        check(folder.path()).expect("current");
        let path = folder.path().join("fleet.json");
        let text = std::fs::read_to_string(&path).expect("text");
        std::fs::write(&path, text.replacen("0.99", "0.98", 1)).expect("written");
        assert!(check(folder.path()).is_err());
    }
}
