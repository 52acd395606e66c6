//! The rules: each is evaluated without an error and has data, and the right alerts fire.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::prometheus::{Prometheus, series};
use super::report::{QueryOutcome, QueryReport, QueryResult};
use super::testbed::{BLOCKED, LOCKED, THROTTLED};

/// Alerts that must fire on the testbed, and for which sender.
const FIRE: [(&str, &str); 6] = [
    ("Tag52AgeHigh", LOCKED),
    ("Tag52AgeGrowing", LOCKED),
    ("Tag52WillReachMaxLatency", LOCKED),
    ("Tag52LockWait", LOCKED),
    ("Tag52Throttled", THROTTLED),
    ("Tag52Blocked", BLOCKED),
];

/// Runs the expression of every rule and adds the results to the report.
pub(super) fn run(
    prometheus: &Prometheus,
    report: &mut QueryReport,
    range: (f64, f64),
) -> Result<()> {
    let at = range.1;
    let data = prometheus.get("rules", &[])?;
    let groups = data["groups"].as_array().context("no groups of rules")?;
    for group in groups {
        let name = format!("rules: {}", group["name"].as_str().unwrap_or_default());
        for rule in group["rules"].as_array().context("no rules")? {
            let text = |key: &str| rule[key].as_str().unwrap_or_default();
            let (place, expr) = (text("name"), text("query"));
            if text("health") != "ok" {
                let mut row = QueryResult::of(&name, place, expr, &[]);
                row.outcome =
                    QueryOutcome::Error(format!("{}: {}", text("health"), text("lastError")));
                report.rows.push(row);
                continue;
            }
            let answer = prometheus.query(expr, at);
            if text("type") != "alerting" {
                report.put(&name, place, expr, answer);
                continue;
            }
            let mut row = match answer.and_then(|data| series(&data)) {
                Ok(answer) => QueryResult::of(&name, place, expr, &answer),
                Err(error) => {
                    let mut row = QueryResult::of(&name, place, expr, &[]);
                    row.outcome = QueryOutcome::Error(format!("{error:#}"));
                    report.rows.push(row);
                    continue;
                }
            };
            row.outcome = judge(prometheus, report, rule, range)?;
            report.rows.push(row);
        }
    }
    Ok(())
}

/// Checks that an alert that must fire did so at any time in the range: an age does not grow at
/// every instant.
fn judge(
    prometheus: &Prometheus,
    report: &QueryReport,
    rule: &Value,
    (from, to): (f64, f64),
) -> Result<QueryOutcome> {
    let text = |key: &str| rule[key].as_str().unwrap_or_default();
    let name = text("name");
    let Some((_, sender)) = FIRE.iter().find(|(alert, _)| *alert == name) else {
        let quiet = rule["alerts"].as_array().is_none_or(Vec::is_empty);
        return Ok(if quiet {
            QueryOutcome::Excused("no reason to fire")
        } else {
            QueryOutcome::Ok
        });
    };
    let seconds = (to - from).round();
    let fired = format!(
        "last_over_time(ALERTS{{alertname=\"{name}\",sender=\"{sender}\",alertstate=\"firing\"}}[{seconds}s])"
    );
    if !series(&prometheus.query(&fired, to)?)?.is_empty() {
        return Ok(QueryOutcome::Ok);
    }
    Ok(match report.why_empty(text("query")) {
        QueryOutcome::Empty => QueryOutcome::Error(format!("does not fire for {sender}")),
        other => other,
    })
}
