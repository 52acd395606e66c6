//! A whole dashboard: its variables, its rows of panels and their layout.

use serde_json::{Value, json};

use super::panel::{Panel, source};
use super::style;
use super::variable::Variable;

/// Columns of Grafana's grid.
const COLUMNS: u32 = 24;
/// The schema version of Grafana 11; later versions migrate a dashboard when it is imported.
const SCHEMA: u32 = 39;

/// A dashboard in the making.
#[derive(Clone, Debug)]
pub(super) struct Dashboard {
    uid: &'static str,
    title: &'static str,
    description: &'static str,
    variables: &'static [Variable],
    rows: Vec<(&'static str, Vec<Panel>)>,
}

impl Dashboard {
    /// Creates an empty dashboard. Its file is named after `uid` without `tag52-`.
    pub(super) fn new(uid: &'static str, title: &'static str, description: &'static str) -> Self {
        Self {
            uid,
            title,
            description,
            variables: &[],
            rows: Vec::new(),
        }
    }

    /// Sets the variables, in the order in which Grafana shows them.
    pub(super) fn variables(mut self, variables: &'static [Variable]) -> Self {
        self.variables = variables;
        self
    }

    /// Adds panels below a heading.
    pub(super) fn row(mut self, title: &'static str, panels: Vec<Panel>) -> Self {
        self.rows.push((title, panels));
        self
    }

    /// Returns the name of its file.
    pub(super) fn file(&self) -> String {
        format!("{}.json", self.uid.trim_start_matches("tag52-"))
    }

    /// Returns the variables as PromQL matchers.
    fn matchers(&self) -> String {
        let all: Vec<String> = self.variables.iter().map(Variable::matcher).collect();
        all.join(",")
    }

    fn expand(&self, expr: &str) -> String {
        expr.replace("{@", &format!("{{{}", self.matchers()))
            .replace("<session>", SESSION)
    }

    /// Returns the dashboard in Grafana's JSON model.
    pub(super) fn json(&self) -> Value {
        json!({
            "annotations": { "list": [alerts(&self.matchers())] },
            "description": self.description,
            "editable": true,
            "fiscalYearStartMonth": 0,
            "graphTooltip": 1,
            "links": [{
                "asDropdown": false,
                "icon": "external link",
                "includeVars": true,
                "keepTime": true,
                "tags": ["tag52"],
                "targetBlank": false,
                "title": "tag52",
                "tooltip": "",
                "type": "dashboards",
                "url": "",
            }],
            "panels": self.panels(),
            "refresh": "10s",
            "schemaVersion": SCHEMA,
            "tags": ["tag52", "fix", "latency"],
            "templating": { "list": self.templating() },
            "time": { "from": "now-30m", "to": "now" },
            "timepicker": {},
            "timezone": "browser",
            "title": self.title,
            "uid": self.uid,
            "weekStart": "",
        })
    }

    fn panels(&self) -> Vec<Value> {
        let mut panels = Vec::new();
        let mut top = 0;
        let mut id = 0;
        for (title, row) in &self.rows {
            id += 1;
            panels.push(json!({
                "id": id,
                "type": "row",
                "title": title,
                "collapsed": false,
                "gridPos": { "x": 0, "y": top, "w": COLUMNS, "h": 1 },
                "panels": [],
            }));
            let (mut x, mut y, mut tallest) = (0, top + 1, 0);
            for panel in row {
                let (w, h) = panel.size;
                if x + w > COLUMNS {
                    (x, y, tallest) = (0, y + tallest, 0);
                }
                id += 1;
                panels.push(panel.json(id, (x, y), &|expr| self.expand(expr)));
                (x, tallest) = (x + w, tallest.max(h));
            }
            top = y + tallest;
        }
        panels
    }

    fn templating(&self) -> Vec<Value> {
        let mut list = vec![json!({
            "name": "datasource",
            "label": "Data source",
            "description": "The Prometheus that scrapes the agents",
            "type": "datasource",
            "query": "prometheus",
            "hide": 0,
            "includeAll": false,
            "multi": false,
            "options": [],
            "refresh": 1,
            "regex": "",
            "skipUrlSync": false,
        })];
        let mut before: Vec<String> = Vec::new();
        for v in self.variables {
            list.push(v.json(&before.join(",")));
            before.push(v.matcher());
        }
        list
    }
}

/// The labels that identify a session; the local port is not one, so that a reconnect stays on its
/// line.
pub(super) const SESSION: &str = "instance, namespace, pod, sender, target, pid";

/// Firing alerts as marks on all graphs.
fn alerts(matchers: &str) -> Value {
    json!({
        "datasource": source(),
        "enable": true,
        "expr": format!("ALERTS{{alertname=~\"Tag52.*\",alertstate=\"firing\",{matchers}}}"),
        "hide": false,
        "iconColor": style::BAD,
        "name": "Alerts",
        "step": "30s",
        "tagKeys": "alertname,severity",
        "textFormat": "{{sender}} > {{target}} {{pod}}",
        "titleFormat": "{{alertname}}",
    })
}

/// Returns a link to the session of a row or a series that keeps the time range. It selects by the
/// labels that every series has, also outside of a cluster; the pid is the node's.
pub(super) fn to_session(label: impl Fn(&str) -> String) -> String {
    let mut url = "/d/tag52-session/tag52-session?${datasource:queryparam}".to_owned();
    for name in ["instance", "sender", "target", "pid"] {
        url += &format!("&var-{name}={}", label(name));
    }
    url + "&${__url_time_range}"
}
