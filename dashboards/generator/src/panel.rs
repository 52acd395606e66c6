//! One panel: its queries and its presentation.

mod json;

use serde_json::{Value, json};

use super::style::{self, NamedColour};

/// Returns the data source of all panels: the dashboard's variable.
pub(super) fn source() -> Value {
    json!({ "type": "prometheus", "uid": "${datasource}" })
}

/// The type of a panel.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum PanelKind {
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

impl PanelKind {
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

    /// Whether it shows only the newest values.
    const fn is_instant(&self) -> bool {
        matches!(self, Self::Stat | Self::Bars | Self::Table)
    }
}

/// A PromQL query. `{@...}` in it stands for the dashboard's filters, `<session>` for the labels
/// that identify a session.
#[derive(Clone, Debug)]
struct Query {
    expr: String,
    legend: String,
    exemplars: bool,
}

/// A panel. The functions below create one with the defaults of its type; its methods change them.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    title: &'static str,
    description: &'static str,
    kind: PanelKind,
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

fn panel(
    title: &'static str,
    kind: PanelKind,
    size: (u32, u32),
    description: &'static str,
) -> Panel {
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

/// Creates a panel of lines over time.
pub(super) fn lines(title: &'static str, size: (u32, u32), description: &'static str) -> Panel {
    panel(title, PanelKind::Lines, size, description)
}

/// Creates a panel of stacked areas over time.
pub(super) fn stack(title: &'static str, size: (u32, u32), description: &'static str) -> Panel {
    panel(title, PanelKind::Stack, size, description).at_least(0.0)
}

/// Creates a heat map of a histogram's buckets.
pub(super) fn heatmap(title: &'static str, size: (u32, u32), description: &'static str) -> Panel {
    // More columns than this are too narrow to read.
    panel(title, PanelKind::Heatmap, size, description).points(120)
}

/// Creates a state timeline, one line for each series.
pub(super) fn states(title: &'static str, size: (u32, u32), description: &'static str) -> Panel {
    panel(title, PanelKind::States, size, description).points(200)
}

/// Creates a panel with one large figure.
pub(super) fn stat(title: &'static str, size: (u32, u32), description: &'static str) -> Panel {
    panel(title, PanelKind::Stat, size, description)
}

/// Creates a panel with one bar for each series.
pub(super) fn bars(title: &'static str, size: (u32, u32), description: &'static str) -> Panel {
    panel(title, PanelKind::Bars, size, description).at_least(0.0)
}

/// Creates a table with one row for each series.
pub(super) fn table(title: &'static str, size: (u32, u32), description: &'static str) -> Panel {
    // Labels are text, even when they consist of digits.
    panel(title, PanelKind::Table, size, description).unit("string")
}

impl Panel {
    /// Adds a query; `legend` names its series.
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

    /// Makes the axis logarithmic.
    pub(super) fn logarithmic(mut self) -> Self {
        self.logarithmic = true;
        self
    }

    /// Sets the text that is shown without data: the reason.
    pub(super) fn without_data(mut self, text: &'static str) -> Self {
        self.no_value = text;
        self
    }

    /// Colours by value, good below the first threshold.
    pub(super) fn good_until(mut self, steps: &[(f64, &str)]) -> Self {
        self.thresholds = Some(style::thresholds(style::GOOD, steps));
        self
    }

    /// Colours by value, with `base` below the first threshold.
    pub(super) fn from(mut self, base: &str, steps: &[(f64, &str)]) -> Self {
        self.thresholds = Some(style::thresholds(base, steps));
        self
    }

    pub(super) fn mappings(mut self, mappings: Value) -> Self {
        self.mappings = Some(mappings);
        self
    }

    /// Gives the series fixed colours by name.
    pub(super) fn colours(mut self, of: &[NamedColour]) -> Self {
        self.overrides.extend(style::colours(of));
        self
    }

    /// Overrides properties of one series or column.
    pub(super) fn only(mut self, name: &str, properties: &[(&str, Value)]) -> Self {
        self.overrides.push(style::by_name(name, properties));
        self
    }

    /// Adds an override with a matcher of its own.
    pub(super) fn overridden(mut self, rule: Value) -> Self {
        self.overrides.push(rule);
        self
    }

    /// Adds a link to each point, row or figure.
    pub(super) fn link(mut self, title: &str, url: &str) -> Self {
        self.links
            .push(json!({ "title": title, "url": url, "targetBlank": false }));
        self
    }

    pub(super) fn transform(mut self, id: &str, options: &Value) -> Self {
        self.transformations
            .push(json!({ "id": id, "options": options }));
        self
    }

    /// Sorts the rows by a column, the largest first or last.
    pub(super) fn sorted(mut self, column: &'static str, largest_first: bool) -> Self {
        self.sort = Some((column, largest_first));
        self
    }

    /// Shows the series' name instead of its value.
    pub(super) fn show_name(mut self) -> Self {
        self.by_name = true;
        self
    }

    /// Sets the figures that the legend shows for each series.
    pub(super) fn calcs(mut self, calcs: &'static [&'static str]) -> Self {
        self.calcs = calcs;
        self
    }

    /// Limits the points over the whole range.
    fn points(mut self, points: u32) -> Self {
        self.points = Some(points);
        self
    }

    /// Extends the axis at least to this value, so that zeros stay at the bottom.
    pub(super) fn up_to(mut self, value: f64) -> Self {
        self.soft_max = Some(value);
        self
    }

    /// Draws steps instead of slopes, for counts.
    pub(super) fn steps(mut self) -> Self {
        self.steps = true;
        self
    }
}
