//! The dashboards' queries, as Grafana sends them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::prometheus::{Prometheus, SCRAPE_S};

/// Points of a graph when the panel sets no limit.
const POINTS: u64 = 600;

/// The selected values of the variables, and the time range.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    /// Start and end, seconds since 1970.
    pub(super) range: (f64, f64),
    /// The value of each variable; `.*` for those that are not listed.
    pub(super) chosen: BTreeMap<String, String>,
}

/// One query of a dashboard: a panel's, a variable's or an annotation's.
#[derive(Clone, Debug)]
pub(super) struct PanelQuery {
    pub(super) dashboard: String,
    /// The panel's title, or `(variable)`, `(annotation)`.
    pub(super) place: String,
    /// The panel's id; 0 for variables and annotations.
    pub(super) panel: u64,
    pub(super) name: String,
    pub(super) expr: String,
    instant: bool,
    points: u64,
}

/// Returns the queries of a dashboard's panels, variables and annotations.
pub(super) fn of_dashboard(dashboard: &Value) -> Result<Vec<PanelQuery>> {
    let title = dashboard["title"].as_str().context("no title")?;
    let of = |place: &str, name: &str, expr: &str| PanelQuery {
        dashboard: title.to_owned(),
        place: place.to_owned(),
        panel: 0,
        name: name.to_owned(),
        expr: expr.to_owned(),
        instant: false,
        points: POINTS,
    };
    let mut all = Vec::new();
    for variable in list(&dashboard["templating"]["list"])? {
        if variable["type"] == "query" {
            let expr = text(&variable["query"]["query"])?;
            all.push(of("(variable)", text(&variable["name"])?, expr));
        }
    }
    for annotation in list(&dashboard["annotations"]["list"])? {
        let expr = text(&annotation["expr"])?;
        all.push(of("(annotation)", text(&annotation["name"])?, expr));
    }
    for panel in list(&dashboard["panels"])? {
        if panel["type"] == "row" {
            continue;
        }
        for target in list(&panel["targets"])? {
            all.push(PanelQuery {
                panel: panel["id"].as_u64().context("no id")?,
                instant: target["instant"] == true,
                points: panel["maxDataPoints"].as_u64().unwrap_or(POINTS),
                ..of(
                    text(&panel["title"])?,
                    text(&target["refId"])?,
                    text(&target["expr"])?,
                )
            });
        }
    }
    Ok(all)
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().context("a list is missing")
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("a text is missing")
}

impl PanelQuery {
    /// Seconds between two points: whole seconds, never less than the scrape interval.
    pub(super) fn step_s(&self, view: &Selection) -> u64 {
        let range = (view.range.1 - view.range.0).max(1.0);
        ((range / self.points as f64).ceil() as u64).max(SCRAPE_S)
    }

    /// Returns the expression with Grafana's variables replaced.
    pub(super) fn interpolated(&self, view: &Selection) -> String {
        interpolated(&self.expr, view, self.step_s(view))
    }

    /// Runs the query. When an instant query returns nothing, it runs over the whole range: the age
    /// of a session does not grow at every instant, and then nothing is predicted.
    pub(super) fn run_or_widen(&self, prometheus: &Prometheus, view: &Selection) -> Result<Value> {
        let answer = self.run(prometheus, view)?;
        let empty = answer["result"].as_array().is_some_and(Vec::is_empty);
        if !(self.instant && empty) {
            return Ok(answer);
        }
        prometheus.query_range(&self.interpolated(view), view.range, self.step_s(view))
    }

    /// Runs the query and returns `data` of Prometheus's API; the values of a variable as a vector.
    pub(super) fn run(&self, prometheus: &Prometheus, view: &Selection) -> Result<Value> {
        let expr = self.interpolated(view);
        if let Some(arguments) = inside(&expr, "label_values") {
            let (selector, label) = arguments.rsplit_once(',').context("label_values(X, Y)")?;
            let values = prometheus.label_values(label.trim(), selector.trim())?;
            let rows: Vec<Value> = values
                .iter()
                .map(|v| serde_json::json!({ "metric": { "value": v }, "value": [view.range.1, "1"] }))
                .collect();
            return Ok(serde_json::json!({ "resultType": "vector", "result": rows }));
        }
        let expr = inside(&expr, "query_result").unwrap_or(&expr);
        if self.instant {
            prometheus.query(expr, view.range.1)
        } else {
            prometheus.query_range(expr, view.range, self.step_s(view))
        }
    }
}

fn inside<'a>(text: &'a str, function: &str) -> Option<&'a str> {
    text.strip_prefix(function)?
        .strip_prefix('(')?
        .strip_suffix(')')
}

/// Replaces Grafana's variables. `$__rate_interval` is four scrapes, or a step and a scrape.
fn interpolated(expr: &str, view: &Selection, step_s: u64) -> String {
    let rate = (step_s + SCRAPE_S).max(4 * SCRAPE_S);
    let range = (view.range.1 - view.range.0).max(1.0).round();
    let mut text = expr
        .replace("$__rate_interval", &format!("{rate}s"))
        .replace("$__interval", &format!("{step_s}s"))
        .replace("$__range", &format!("{range}s"));
    for name in ["instance", "namespace", "pod", "sender", "target", "pid"] {
        let value = view.chosen.get(name).map_or(".*", String::as_str);
        text = text.replace(&format!("\"${name}\""), &format!("\"{value}\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced_as_in_grafana() {
        let view = Selection {
            range: (100.0, 160.0),
            chosen: BTreeMap::from([("pod".into(), "a".into())]),
        };
        let expr = "rate(x{pod=~\"$pod\",pid=~\"$pid\"}[$__rate_interval]) + y[$__range]";
        assert_eq!(
            interpolated(expr, &view, 1),
            "rate(x{pod=~\"a\",pid=~\".*\"}[4s]) + y[60s]"
        );
        assert_eq!(interpolated("[$__rate_interval]", &view, 30), "[31s]");
    }
}
