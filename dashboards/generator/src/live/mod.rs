//! `cargo xtask dashboards --live`: a real Prometheus scrapes the real agent on sessions with known
//! problems, and every query of the dashboards and the rules runs against it.

mod agreement;
mod prometheus;
mod queries;
mod report;
mod rules;
mod testbed;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

pub use report::{QueryOutcome, QueryReport, QueryResult};

use super::{all, folder};
use prometheus::Prometheus;
use queries::Selection;
use testbed::Testbed;

/// The options of a run.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// How long Prometheus scrapes before the queries run, seconds.
    pub seconds: u64,
    /// Do not fail on metrics that the agent does not have.
    pub allow_missing: bool,
    /// The folder for the answers, from which the screenshots are drawn.
    pub dump: Option<PathBuf>,
}

/// Runs all queries with the agent in `agent`.
///
/// # Errors
/// Prometheus, the agent or a session cannot be started, or ends early.
pub fn run(options: &LiveOptions, agent: &Path) -> Result<QueryReport> {
    let programs = tools::prometheus::ensure()?;
    let rules = folder().join("rules.yaml");
    let rules = std::fs::read_to_string(&rules)
        .with_context(|| format!("cannot read {}", rules.display()))?;
    let mut scene = Testbed::start(agent, options.seconds)?;
    let prometheus = Prometheus::start(&programs, &scene.metrics, &rules)?;
    let begun = Instant::now();
    let from = now();
    while begun.elapsed() < Duration::from_secs(options.seconds) {
        std::thread::sleep(Duration::from_millis(200));
        scene.check()?;
    }
    // In whole seconds, like the scrapes.
    let range = (from.ceil() + 2.0, now().floor());
    let report = run_queries(options, &prometheus, range)?;
    let end = scene.finish()?;
    // The agent's last second may have been scraped after the queries ran.
    let truth = agreement::compare(&prometheus, &end, range.1)?;
    Ok(report.with(truth))
}

fn run_queries(
    options: &LiveOptions,
    prometheus: &Prometheus,
    range: (f64, f64),
) -> Result<QueryReport> {
    let mut report = QueryReport::new(prometheus.names()?, options.allow_missing);
    let everything = Selection {
        range,
        chosen: BTreeMap::new(),
    };
    for dashboard in all() {
        let json = dashboard.json();
        for query in queries::of_dashboard(&json)? {
            let answer = query.run_or_widen(prometheus, &everything);
            report.add(&query, answer);
        }
    }
    for sender in testbed::SENDERS {
        report
            .rows
            .extend(agreement::stack(prometheus, &of(range, sender))?);
    }
    rules::run(prometheus, &mut report, range)?;
    report.exemplars(prometheus.get(
        "query_exemplars",
        &[
            ("query", "tag52_message_age_seconds_bucket"),
            ("start", &range.0.to_string()),
            ("end", &range.1.to_string()),
        ],
    ));
    if let Some(folder) = &options.dump {
        dump(prometheus, range, folder)?;
    }
    Ok(report)
}

fn of(range: (f64, f64), sender: &str) -> Selection {
    Selection {
        range,
        chosen: BTreeMap::from([("sender".to_owned(), sender.to_owned())]),
    }
}

/// Writes each dashboard with the answers to its queries, for the screenshots; the session's
/// dashboard shows the demo's session.
fn dump(prometheus: &Prometheus, range: (f64, f64), folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    for dashboard in all() {
        let name = dashboard.file();
        let view = if name == "session.json" {
            of(range, testbed::STARVED)
        } else {
            Selection {
                range,
                chosen: BTreeMap::new(),
            }
        };
        let json = dashboard.json();
        let mut answers: BTreeMap<u64, BTreeMap<String, Value>> = BTreeMap::new();
        for query in queries::of_dashboard(&json)? {
            if query.panel > 0 {
                let data = query.run(prometheus, &view).unwrap_or(Value::Null);
                let answer = json!({ "step": query.step_s(&view), "data": data });
                let panel = answers.entry(query.panel).or_default();
                panel.insert(query.name, answer);
            }
        }
        let shown = json!({
            "from": range.0 * 1e3, "to": range.1 * 1e3, "chosen": view.chosen, "dashboard": json,
            "answers": answers,
        });
        std::fs::write(folder.join(name), serde_json::to_string(&shown)?)?;
    }
    Ok(())
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
