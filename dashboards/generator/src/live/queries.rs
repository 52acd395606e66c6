//! Everything the dashboards ask, as Grafana asks it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::prometheus::{Prometheus, SCRAPE_S};

/// Points of a graph of the usual width.
const POINTS: u64 = 600;

/// The values of the variables, and the range of time.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    /// Seconds since 1970.
    pub(super) range: (f64, f64),
    /// What a variable stands for; `.*` for those that are not named.
    pub(super) chosen: BTreeMap<String, String>,
}

/// Where an expression stands, and how it is asked.
#[derive(Clone, Debug)]
pub(super) struct PanelQuery {
    pub(super) dashboard: String,
    /// The panel, or what else it is.
    pub(super) place: String,
    /// The panel's number; 0 for what is none.
    pub(super) panel: u64,
    pub(super) name: String,
    pub(super) expr: String,
    instant: bool,
    points: u64,
}

/// The questions of a dashboard: panels, variables, annotations.
pub(super) fn questions(dashboard: &Value) -> Result<Vec<PanelQuery>> {
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
    /// Seconds between two points: whole steps, never finer than the scrapes.
    pub(super) fn step_s(&self, view: &Selection) -> u64 {
        let range = (view.range.1 - view.range.0).max(1.0);
        ((range / self.points as f64).ceil() as u64).max(SCRAPE_S)
    }

    /// The expression with Grafana's variables put in.
    pub(super) fn interpolated(&self, view: &Selection) -> String {
        interpolated(&self.expr, view, self.step_s(view))
    }

    /// The same; where an instant has no answer, that of the whole range: the age of a session does
    /// not grow at every instant, and then nothing is predicted.
    pub(super) fn ask_until_it_answers(
        &self,
        prometheus: &Prometheus,
        view: &Selection,
    ) -> Result<Value> {
        let answer = self.ask(prometheus, view)?;
        let empty = answer["result"].as_array().is_some_and(Vec::is_empty);
        if !(self.instant && empty) {
            return Ok(answer);
        }
        prometheus.query_range(&self.interpolated(view), view.range, self.step_s(view))
    }

    /// The answer: `data` of Prometheus's API. Of a variable, its values as a vector.
    pub(super) fn ask(&self, prometheus: &Prometheus, view: &Selection) -> Result<Value> {
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

/// `$__rate_interval` is Grafana's: four scrapes, or a step and a scrape.
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
    fn variables_are_put_in_as_grafana_does() {
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
