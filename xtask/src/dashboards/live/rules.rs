//! Every rule: that it is evaluated without an error, has data, and that the right alerts fire.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::prometheus::{Prometheus, series};
use super::report::{Outcome, Report, Row};
use super::scene::{BLOCKED, STARVED, THROTTLED};

/// Alerts that have to fire here, and for which sender.
const FIRE: [(&str, &str); 6] = [
    ("Tag52AgeHigh", STARVED),
    ("Tag52AgeGrowing", STARVED),
    ("Tag52WillReachMaxLatency", STARVED),
    ("Tag52LockWait", STARVED),
    ("Tag52Throttled", THROTTLED),
    ("Tag52Blocked", BLOCKED),
];

/// Asks all of them.
pub(super) fn ask(prometheus: &Prometheus, report: &mut Report, at: f64) -> Result<()> {
    let data = prometheus.get("rules", &[])?;
    let groups = data["groups"].as_array().context("no groups of rules")?;
    for group in groups {
        let name = format!("rules: {}", group["name"].as_str().unwrap_or_default());
        for rule in group["rules"].as_array().context("no rules")? {
            let text = |key: &str| rule[key].as_str().unwrap_or_default();
            let (place, expr) = (text("name"), text("query"));
            if text("health") != "ok" {
                let mut row = Row::of(&name, place, expr, &[]);
                row.outcome = Outcome::Error(format!("{}: {}", text("health"), text("lastError")));
                report.rows.push(row);
                continue;
            }
            let answer = prometheus.query(expr, at);
            if text("type") != "alerting" {
                report.put(&name, place, expr, answer);
                continue;
            }
            let mut row = match answer.and_then(|data| series(&data)) {
                Ok(answer) => Row::of(&name, place, expr, &answer),
                Err(error) => {
                    let mut row = Row::of(&name, place, expr, &[]);
                    row.outcome = Outcome::Error(format!("{error:#}"));
                    report.rows.push(row);
                    continue;
                }
            };
            row.outcome = judge(report, rule, place, expr);
            report.rows.push(row);
        }
    }
    Ok(())
}

fn judge(report: &Report, rule: &Value, name: &str, expr: &str) -> Outcome {
    let alerts = rule["alerts"].as_array().map_or(&[][..], Vec::as_slice);
    let fires = |sender: &str| {
        alerts
            .iter()
            .any(|a| a["state"] == "firing" && a["labels"]["sender"] == sender)
    };
    match FIRE.iter().find(|(alert, _)| *alert == name) {
        Some((_, sender)) if fires(sender) => Outcome::Ok,
        Some((_, sender)) => match report.why_empty(expr) {
            Outcome::Empty => Outcome::Error(format!("does not fire for {sender}")),
            other => other,
        },
        None if alerts.is_empty() => Outcome::Excused("nothing to alert of"),
        None => Outcome::Ok,
    }
}
