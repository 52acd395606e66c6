//! The result of each query.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::Result;
use serde_json::Value;

use super::prometheus::{PrometheusSeries, series};
use super::queries::PanelQuery;

/// Substrings of expressions that may return no data on the testbed, with the reason.
const MAY_BE_EMPTY: [(&str, &str); 6] = [
    ("tag52_kube_", "not in a cluster"),
    ("tag52_cpu_request_cores", "not in a cluster"),
    (
        "tag52_discovery_streams_total",
        "the agent was given the processes",
    ),
    ("tag52_otlp_exports_total", "nothing is exported"),
    (
        "label_values(tag52_messages_total{instance=~\"$instance\"}, namespace)",
        "not in a cluster",
    ),
    (", pod)", "not in a cluster"),
];

/// The outcome of one query or comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryOutcome {
    /// It returned data, or the comparison passed.
    Ok,
    /// It returned no data, for this reason.
    Excused(&'static str),
    /// It returned no data.
    Empty,
    /// It needs a metric that the agent does not have, which `allow_missing` permits.
    Missing(String),
    /// It failed.
    Error(String),
}

/// One query or comparison and its result.
#[derive(Clone, Debug)]
pub struct QueryResult {
    /// The dashboard, or the group of rules.
    pub dashboard: String,
    /// The panel or the rule.
    pub place: String,
    /// The expression, or what was compared.
    pub expr: String,
    /// Series in the answer.
    pub series: usize,
    /// Samples in the answer, NaN excluded.
    pub samples: usize,
    /// The smallest and the largest of them.
    pub range: Option<(f64, f64)>,
    /// The outcome.
    pub outcome: QueryOutcome,
}

impl QueryResult {
    /// Creates the result of an answer: `Ok` with data, `Empty` without.
    pub(super) fn of(
        dashboard: &str,
        place: &str,
        expr: &str,
        answer: &[PrometheusSeries],
    ) -> Self {
        let numbers = || {
            let samples = answer.iter().flat_map(|s| &s.samples);
            samples.map(|&(_, v)| v).filter(|v| !v.is_nan())
        };
        let samples = numbers().count();
        let range = (samples > 0).then(|| {
            numbers().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            })
        });
        Self {
            dashboard: dashboard.to_owned(),
            place: place.to_owned(),
            expr: expr.to_owned(),
            series: answer.len(),
            samples,
            range,
            outcome: if samples > 0 {
                QueryOutcome::Ok
            } else {
                QueryOutcome::Empty
            },
        }
    }
}

/// The results of all queries and comparisons.
#[derive(Clone, Debug)]
pub struct QueryReport {
    /// One result for each query and comparison.
    pub rows: Vec<QueryResult>,
    metrics: BTreeSet<String>,
    allow_missing: bool,
}

impl QueryReport {
    pub(super) fn new(metrics: Vec<String>, allow_missing: bool) -> Self {
        Self {
            rows: Vec::new(),
            metrics: metrics.into_iter().collect(),
            allow_missing,
        }
    }

    pub(super) fn add(&mut self, query: &PanelQuery, answer: Result<Value>) {
        let (dashboard, place) = (&query.dashboard, &query.place);
        let place = format!("{place} {}", query.name);
        self.put(dashboard, &place, &query.expr, answer);
    }

    /// Adds the answer of the API to a query.
    pub(super) fn put(&mut self, dashboard: &str, place: &str, expr: &str, answer: Result<Value>) {
        let row = match answer.and_then(|data| series(&data)) {
            Err(error) => QueryResult {
                outcome: QueryOutcome::Error(format!("{error:#}")),
                ..QueryResult::of(dashboard, place, expr, &[])
            },
            Ok(answer) => QueryResult::of(dashboard, place, expr, &answer),
        };
        self.rows.push(row);
        let row = self.rows.len() - 1;
        if self.rows[row].outcome == QueryOutcome::Empty {
            self.rows[row].outcome = self.why_empty(expr);
        }
    }

    pub(super) fn why_empty(&self, expr: &str) -> QueryOutcome {
        let excuse = MAY_BE_EMPTY.iter().find(|(part, _)| expr.contains(part));
        if let Some((_, why)) = excuse {
            return QueryOutcome::Excused(why);
        }
        let missing = metrics(expr).find(|name| !self.metrics.contains(*name));
        match missing {
            Some(name) if self.allow_missing => QueryOutcome::Missing(name.to_owned()),
            _ => QueryOutcome::Empty,
        }
    }

    pub(super) fn exemplars(&mut self, answer: Result<Value>) {
        let expr = "tag52_message_age_seconds_bucket";
        let mut row = QueryResult::of("(exemplars)", "MsgSeqNum and thread", expr, &[]);
        row.outcome = match answer {
            Err(error) => QueryOutcome::Error(format!("{error:#}")),
            Ok(data) => {
                let of = |series: &Value| series["exemplars"].as_array().map_or(0, Vec::len);
                let all = data.as_array().map_or(&[][..], Vec::as_slice);
                row.series = all.len();
                row.samples = all.iter().map(of).sum();
                match row.samples {
                    0 if self.allow_missing => QueryOutcome::Missing("exemplars".into()),
                    0 => QueryOutcome::Empty,
                    _ => QueryOutcome::Ok,
                }
            }
        };
        self.rows.push(row);
    }

    pub(super) fn with(mut self, more: Vec<QueryResult>) -> Self {
        self.rows.extend(more);
        self
    }

    /// Returns the results that are failures.
    pub fn failures(&self) -> Vec<&QueryResult> {
        let bad = |row: &&QueryResult| {
            matches!(row.outcome, QueryOutcome::Empty | QueryOutcome::Error(_))
        };
        self.rows.iter().filter(bad).collect()
    }
}

/// The names of metrics in an expression.
fn metrics(expr: &str) -> impl Iterator<Item = &str> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    expr.split(move |c| !word(c))
        .filter(|name| name.starts_with("tag52_") || name.starts_with("process_"))
}

impl fmt::Display for QueryOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => write!(f, "ok"),
            Self::Excused(why) => write!(f, "empty: {why}"),
            Self::Missing(name) => write!(f, "no {name} yet"),
            Self::Empty => write!(f, "EMPTY"),
            Self::Error(error) => write!(f, "ERROR {error}"),
        }
    }
}

impl fmt::Display for QueryResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = self.range.map_or(String::new(), |(low, high)| {
            format!("{}..{}", short(low), short(high))
        });
        write!(
            f,
            "  {:<48} {:<60} {:>4} {:>6} {:>19}  {}",
            cut(&self.place, 48),
            cut(&self.expr, 60),
            self.series,
            self.samples,
            range,
            self.outcome
        )
    }
}

impl fmt::Display for QueryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = "";
        for row in &self.rows {
            if row.dashboard != last {
                writeln!(f, "\n{}", row.dashboard)?;
                last = &row.dashboard;
            }
            writeln!(f, "{row}")?;
        }
        let failures = self.failures();
        let ok = |row: &&QueryResult| row.outcome == QueryOutcome::Ok;
        let ok = self.rows.iter().filter(ok).count();
        write!(
            f,
            "\n{} queries and comparisons: {ok} passed, {} empty for a known reason, {} failed",
            self.rows.len(),
            self.rows.len() - ok - failures.len(),
            failures.len()
        )?;
        // Repeated at the end of a long report, where they are found first.
        for row in failures {
            write!(
                f,
                "\n  {}: {}: {}: {}",
                row.dashboard, row.place, row.outcome, row.expr
            )?;
        }
        Ok(())
    }
}

fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max - 1).chain(['…']).collect()
}

fn short(value: f64) -> String {
    if value == 0.0 || (0.01..100_000.0).contains(&value.abs()) {
        let text = format!("{value:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(allow_missing: bool) -> QueryReport {
        QueryReport::new(vec!["tag52_a".into()], allow_missing)
    }

    #[test]
    fn no_data_is_a_failure_unless_there_is_a_reason() {
        let why = |expr, allow| report(allow).why_empty(expr);
        assert_eq!(why("sum(tag52_a)", true), QueryOutcome::Empty);
        assert_eq!(why("sum(tag52_b)", false), QueryOutcome::Empty);
        assert_eq!(
            why("tag52_a / tag52_b{}", true),
            QueryOutcome::Missing("tag52_b".into())
        );
        assert!(matches!(
            why("tag52_kube_up", false),
            QueryOutcome::Excused(_)
        ));
    }

    #[test]
    fn nan_is_no_data() {
        let series = |value| PrometheusSeries {
            labels: std::collections::BTreeMap::new(),
            samples: vec![(0.0, value)],
        };
        let row = |value| QueryResult::of("", "", "", &[series(value)]);
        assert_eq!(row(f64::NAN).outcome, QueryOutcome::Empty);
        assert_eq!(row(0.0).outcome, QueryOutcome::Ok);
    }
}
