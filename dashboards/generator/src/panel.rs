//! One panel: what it asks, and how it shows the answer.

use serde_json::{Value, json};

use super::look::{self, Coloured};

/// The data source all panels ask: the dashboard's variable.
pub(super) fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// How answers are shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Lines over time.
    Lines,
    /// Areas over time, one on top of the other.
    Stack,
    /// Counts of buckets over time.
    Heatmap,
    /// States over time.
    States,
    /// The newest values, large.
    Stat,
    /// The newest values as bars.
    Bars,
    /// The newest values as rows.
    Table,
}

impl Kind {
    const fn name(&self) -> &'static str {
        match self {
            Self::Lines | Self::Stack => "timeseries",
            Self::Heatmap => "heatmap",
            Self::States => "state-timeline",
            Self::Stat => "stat",
            Self::Bars => "bargauge",
            Self::Table => "table",
        }
    }

    /// Whether it shows only what is true now.
    const fn is_instant(&self) -> bool {
        matches!(self, Self::Stat | Self::Bars | Self::Table)
    }
}

/// A question to Prometheus. `{@...}` in it stands for the dashboard's filters, `<session>` for the
/// labels that make a session.
#[derive(Clone, Debug)]
struct Query {
    expr: String,
    legend: String,
    exemplars: bool,
}

/// A panel. Begin with one of the functions below, then say what differs from the usual.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    title: &'static str,
    description: &'static str,
    kind: Kind,
    pub(super) size: (u32, u32),
    queries: Vec<Query>,
    unit: &'static str,
    decimals: Option<u32>,
    range: (Option<f64>, Option<f64>),
    logarithmic: bool,
    no_value: &'static str,
    thresholds: Option<Value>,
    mappings: Option<Value>,
    overrides: Vec<Value>,
    links: Vec<Value>,
    transformations: Vec<Value>,
    sort: Option<(&'static str, bool)>,
    by_name: bool,
    calcs: &'static [&'static str],
    points: Option<u32>,
    steps: bool,
    soft_max: Option<f64>,
}

fn panel(title: &'static str, kind: Kind, size: (u32, u32), description: &'static str) -> Panel {
    Panel {
        title,
        description,
        kind,
        size,
        queries: Vec::new(),
        unit: "short",
        decimals: None,
        range: (None, None),
        logarithmic: false,
        no_value: "no data",
        thresholds: None,
        mappings: None,
        overrides: Vec::new(),
        links: Vec::new(),
        transformations: Vec::new(),
        sort: None,
        by_name: false,
        calcs: &["lastNotNull", "max"],
        points: None,
        steps: false,
        soft_max: None,
    }
}

/// Lines over time.
pub(super) fn lines(title: &'static str, size: (u32, u32), description: &'static str) -> Panel {
    panel(title, Kind::Lines, size, description)
}

/// Areas over time whose height is the sum.
pub(super) fn stack(title: &'static str, size: (u32, u32), description: &'static str) -> Panel {
    panel(title, Kind::Stack, size, description).at_least(0.0)
}

/// A heat map of a histogram's buckets.
pub(super) fn heatmap(title: &'static str, size: (u32, u32), description: &'static str) -> Panel {
    // More columns than this are too narrow to be seen.
    panel(title, Kind::Heatmap, size, description).points(120)
}

/// States over time, one line for each series.
pub(super) fn states(title: &'static str, size: (u32, u32), description: &'static str) -> Panel {
    panel(title, Kind::States, size, description).points(200)
}

/// One large figure.
pub(super) fn stat(title: &'static str, size: (u32, u32), description: &'static str) -> Panel {
    panel(title, Kind::Stat, size, description)
}

/// A bar for each series.
pub(super) fn bars(title: &'static str, size: (u32, u32), description: &'static str) -> Panel {
    panel(title, Kind::Bars, size, description).at_least(0.0)
}

/// A row for each series.
pub(super) fn table(title: &'static str, size: (u32, u32), description: &'static str) -> Panel {
    // Labels are no numbers, even where they look like them.
    panel(title, Kind::Table, size, description).unit("string")
}

impl Panel {
    /// Asks this too; `legend` names the series.
    pub(super) fn query(mut self, legend: &str, expr: impl Into<String>) -> Self {
        self.queries.push(Query {
            expr: expr.into(),
            legend: legend.to_owned(),
            exemplars: false,
        });
        self
    }

    /// Shows the last query's exemplars as dots.
    pub(super) fn exemplars(mut self) -> Self {
        if let Some(query) = self.queries.last_mut() {
            query.exemplars = true;
        }
        self
    }

    pub(super) fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    pub(super) fn decimals(mut self, decimals: u32) -> Self {
        self.decimals = Some(decimals);
        self
    }

    pub(super) fn at_least(mut self, min: f64) -> Self {
        self.range.0 = Some(min);
        self
    }

    pub(super) fn at_most(mut self, max: f64) -> Self {
        self.range.1 = Some(max);
        self
    }

    /// A logarithmic axis.
    pub(super) fn logarithmic(mut self) -> Self {
        self.logarithmic = true;
        self
    }

    /// What is shown when there is no data: why that is.
    pub(super) fn without_data(mut self, text: &'static str) -> Self {
        self.no_value = text;
        self
    }

    /// Colours by value: good below the first.
    pub(super) fn good_until(mut self, steps: &[(f64, &str)]) -> Self {
        self.thresholds = Some(look::thresholds(look::GOOD, steps));
        self
    }

    /// Colours by value, with the one below the first.
    pub(super) fn from(mut self, base: &str, steps: &[(f64, &str)]) -> Self {
        self.thresholds = Some(look::thresholds(base, steps));
        self
    }

    pub(super) fn mappings(mut self, mappings: Value) -> Self {
        self.mappings = Some(mappings);
        self
    }

    /// Fixed colours by series.
    pub(super) fn colours(mut self, of: &[Coloured]) -> Self {
        self.overrides.extend(look::colours(of));
        self
    }

    /// What is different for one series or column.
    pub(super) fn only(mut self, name: &str, properties: &[(&str, Value)]) -> Self {
        self.overrides.push(look::by_name(name, properties));
        self
    }

    /// What is different for the series or columns of an override of its own.
    pub(super) fn overridden(mut self, rule: Value) -> Self {
        self.overrides.push(rule);
        self
    }

    /// A link from each point, row or figure.
    pub(super) fn link(mut self, title: &str, url: String) -> Self {
        self.links
            .push(json!({ "title": title, "url": url, "targetBlank": false }));
        self
    }

    pub(super) fn transform(mut self, id: &str, options: Value) -> Self {
        self.transformations
            .push(json!({ "id": id, "options": options }));
        self
    }

    /// Rows by this column, the largest first or last.
    pub(super) fn sorted(mut self, column: &'static str, largest_first: bool) -> Self {
        self.sort = Some((column, largest_first));
        self
    }

    /// The series' name is shown instead of its value.
    pub(super) fn show_name(mut self) -> Self {
        self.by_name = true;
        self
    }

    /// What the legend says of each series besides its name.
    pub(super) fn calcs(mut self, calcs: &'static [&'static str]) -> Self {
        self.calcs = calcs;
        self
    }

    /// Points over the whole range at the most.
    fn points(mut self, points: u32) -> Self {
        self.points = Some(points);
        self
    }

    /// The axis goes up to this at the least, so that nothing but zeros looks like it.
    pub(super) fn up_to(mut self, value: f64) -> Self {
        self.soft_max = Some(value);
        self
    }

    /// Values stay until the next one: counts of something.
    pub(super) fn steps(mut self) -> Self {
        self.steps = true;
        self
    }

    /// The panel in Grafana's form. `expand` puts the filters into the queries.
    pub(super) fn json(&self, id: u32, at: (u32, u32), expand: &dyn Fn(&str) -> String) -> Value {
        let (w, h) = self.size;
        let mut panel = json!({
            "id": id,
            "type": self.kind.name(),
            "title": self.title,
            "description": self.description,
            "datasource": source(),
            "gridPos": { "x": at.0, "y": at.1, "w": w, "h": h },
            "fieldConfig": {
                "defaults": self.defaults(),
                "overrides": self.overrides,
            },
            "options": self.options(),
            "targets": self.targets(expand),
            "transformations": self.transformations,
        });
        if let Some(points) = self.points {
            panel["maxDataPoints"] = json!(points);
        }
        panel
    }

    fn targets(&self, expand: &dyn Fn(&str) -> String) -> Vec<Value> {
        let instant = self.kind.is_instant();
        let format = match self.kind {
            Kind::Heatmap => "heatmap",
            Kind::Table => "table",
            _ => "time_series",
        };
        let target = |(query, name): (&Query, char)| {
            json!({
                "datasource": source(),
                "editorMode": "code",
                "exemplar": query.exemplars,
                "expr": expand(&query.expr),
                "format": format,
                "instant": instant,
                "legendFormat": query.legend,
                "range": !instant,
                "refId": name.to_string(),
            })
        };
        self.queries.iter().zip('A'..='Z').map(target).collect()
    }

    fn defaults(&self) -> Value {
        let mode = match (&self.kind, &self.thresholds) {
            (Kind::Lines | Kind::Stack, _) | (_, None) => "palette-classic",
            _ => "thresholds",
        };
        let plain = || look::thresholds(look::PLAIN, &[]);
        let mut defaults = json!({
            "color": { "mode": mode },
            "custom": self.custom(),
            "links": self.links,
            "mappings": self.all_mappings(),
            "noValue": self.no_value,
            "thresholds": self.thresholds.clone().unwrap_or_else(plain),
            "unit": self.unit,
        });
        if let Some(decimals) = self.decimals {
            defaults["decimals"] = json!(decimals);
        }
        if let Some(min) = self.range.0 {
            defaults["min"] = json!(min);
        }
        if let Some(max) = self.range.1 {
            defaults["max"] = json!(max);
        }
        defaults
    }

    fn all_mappings(&self) -> Value {
        let mut all = self.mappings.clone().unwrap_or_else(|| json!([]));
        if let (Kind::Stat, Some(all)) = (&self.kind, all.as_array_mut()) {
            all.push(look::none(self.no_value, look::NEUTRAL));
        }
        all
    }

    fn legend(&self) -> Value {
        let (w, _) = self.size;
        if self.calcs.is_empty() || w < 12 {
            return json!({ "calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": true });
        }
        // As Grafana calls the first of them.
        let sort = match self.calcs[0] {
            "mean" => "Mean",
            "max" => "Max",
            _ => "Last *",
        };
        json!({
            "calcs": self.calcs,
            "displayMode": "table",
            "placement": "right",
            "showLegend": true,
            "sortBy": sort,
            "sortDesc": true,
        })
    }

    fn custom(&self) -> Value {
        let hidden = json!({ "legend": false, "tooltip": false, "viz": false });
        match self.kind {
            Kind::Lines | Kind::Stack => {
                let stacked = self.kind == Kind::Stack;
                let scale = if self.logarithmic {
                    json!({ "type": "log", "log": 10 })
                } else {
                    json!({ "type": "linear" })
                };
                let mut custom = json!({
                    "axisBorderShow": false,
                    "axisCenteredZero": false,
                    "axisColorMode": "text",
                    "axisLabel": "",
                    "axisPlacement": "auto",
                    "barAlignment": 0,
                    "drawStyle": "line",
                    "fillOpacity": if stacked { 80 } else if self.logarithmic { 0 } else { 8 },
                    "gradientMode": "none",
                    "hideFrom": hidden,
                    "insertNulls": false,
                    "lineInterpolation": if self.steps { "stepAfter" } else { "linear" },
                    "lineWidth": if stacked { 0 } else { 2 },
                    "pointSize": 4,
                    "scaleDistribution": scale,
                    "showPoints": "never",
                    "spanNulls": false,
                    "stacking": { "group": "A", "mode": if stacked { "normal" } else { "none" } },
                    "thresholdsStyle": { "mode": "off" },
                });
                if let Some(max) = self.soft_max {
                    custom["axisSoftMax"] = json!(max);
                }
                custom
            }
            Kind::Heatmap => {
                json!({ "hideFrom": hidden, "scaleDistribution": { "type": "linear" } })
            }
            Kind::States => {
                json!({ "fillOpacity": 90, "hideFrom": hidden, "lineWidth": 0 })
            }
            Kind::Table => {
                json!({ "align": "auto", "cellOptions": { "type": "auto" }, "filterable": true, "inspect": false, "minWidth": 60 })
            }
            Kind::Stat | Kind::Bars => json!({}),
        }
    }

    fn options(&self) -> Value {
        let newest = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
        match self.kind {
            Kind::Lines | Kind::Stack => json!({
                "legend": self.legend(),
                "tooltip": { "hideZeros": false, "mode": "multi", "sort": "desc" },
            }),
            Kind::Heatmap => json!({
                "calculate": false,
                "cellGap": 1,
                "color": {
                    "exponent": 0.5,
                    "fill": "dark-orange",
                    "mode": "scheme",
                    "reverse": false,
                    "scale": "exponential",
                    "scheme": "Viridis",
                    "steps": 64,
                },
                "exemplars": { "color": "rgba(255,255,255,0.7)" },
                "filterValues": { "le": 1e-9 },
                "legend": { "show": true },
                "rowsFrame": { "layout": "auto" },
                "tooltip": { "mode": "single", "showColorScale": true, "yHistogram": false },
                "yAxis": { "axisPlacement": "left", "reverse": false, "unit": self.unit },
            }),
            Kind::States => json!({
                "alignValue": "left",
                "legend": { "calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": true },
                "mergeValues": true,
                "rowHeight": 0.9,
                "showValue": "auto",
                "tooltip": { "mode": "single", "sort": "none" },
            }),
            Kind::Stat => json!({
                "colorMode": if self.by_name { "background" } else { "value" },
                "graphMode": "none",
                "justifyMode": "auto",
                "orientation": "auto",
                "percentChangeColorMode": "standard",
                "reduceOptions": newest,
                "showPercentChange": false,
                "textMode": if self.by_name { "name" } else { "auto" },
                "wideLayout": true,
            }),
            Kind::Bars => json!({
                "displayMode": "basic",
                "legend": { "calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": false },
                "maxVizHeight": 40,
                "minVizHeight": 16,
                "minVizWidth": 8,
                "namePlacement": "left",
                "orientation": "horizontal",
                "reduceOptions": newest,
                "showUnfilled": true,
                "sizing": "auto",
                "valueMode": "color",
            }),
            Kind::Table => {
                let sort: Vec<Value> = self
                    .sort
                    .iter()
                    .map(|(column, desc)| json!({ "displayName": column, "desc": desc }))
                    .collect();
                json!({
                    "cellHeight": "sm",
                    "showHeader": true,
                    "sortBy": sort,
                })
            }
        }
    }
}
