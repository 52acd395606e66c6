//! Whether figures computed by Prometheus agree with those in the agent's own summary.

use anyhow::{Context as _, Result, ensure};

use super::super::session;
use super::prometheus::{Prometheus, series};
use super::queries::{self, Selection};
use super::report::{QueryOutcome, QueryResult};
use lab::agent;

/// The panel whose stack must sum to the mean age.
const STACK: &str = "Mean age by part";
/// The largest relative deviation that passes.
const TOLERANCE: f64 = 0.01;

/// Compares the height of the session's stack of parts with its mean age, at every point of the
/// graph.
pub(super) fn stack(prometheus: &Prometheus, view: &Selection) -> Result<Vec<QueryResult>> {
    let sender = &view.chosen["sender"];
    let panels = queries::of_dashboard(&session::session().json())?;
    let panel = panels
        .iter()
        .find(|q| q.place == STACK)
        .with_context(|| format!("the session has no panel {STACK:?}"))?;
    let parts = series(&panel.run(prometheus, view)?)?;
    let window = {
        let expr = panel.interpolated(view);
        let (_, after) = expr.split_once('[').context("no rate")?;
        after.split(']').next().unwrap_or_default().to_owned()
    };
    let of = format!("{{sender=\"{sender}\"}}[{window}]");
    let mean = format!(
        "sum(rate(tag52_message_age_seconds_sum{of})) / \
         sum(rate(tag52_message_age_seconds_count{of}))"
    );
    let mean = series(&prometheus.query_range(&mean, view.range, panel.step_s(view))?)?;
    let mean = mean.first().context("no mean age")?;
    let mut errors = Vec::new();
    for &(at, age) in mean.samples.iter().filter(|(_, age)| age.is_finite()) {
        let samples = parts.iter().flat_map(|part| &part.samples);
        let height: f64 = samples
            .filter(|(t, _)| t.total_cmp(&at).is_eq())
            .map(|(_, v)| v)
            .sum();
        if height.is_finite() && age > 0.0 {
            errors.push((height / age - 1.0).abs());
        }
    }
    errors.sort_by(f64::total_cmp);
    // A counter that has just left 0 is extrapolated less far than others are: where a part begins,
    // not all of its time is in the rates.
    let half = errors.get(errors.len() / 2).copied().unwrap_or(0.0);
    let of = format!("{{sender=\"{sender}\"}}");
    let sums = format!("sum(tag52_age_seconds_total{of}) / sum(tag52_message_age_seconds_sum{of})");
    let sum = (prometheus.number(&sums, view.range.1)? - 1.0).abs();
    let place = format!("{sender}: height of the stack of parts");
    let mut row = QueryResult::of(
        "(truth)",
        &place,
        "sum of the parts against the mean age: half of the points, the sums",
        &[],
    );
    row.series = parts.len();
    row.samples = errors.len();
    row.range = Some((half, sum));
    row.outcome = if errors.is_empty() {
        QueryOutcome::Empty
    } else if half > TOLERANCE || sum > TOLERANCE {
        let (half, sum) = (100.0 * half, 100.0 * sum);
        QueryOutcome::Error(format!(
            "half of the points are {half:.2} % off or more, the sum {sum:.2} %"
        ))
    } else {
        QueryOutcome::Ok
    };
    Ok(vec![row])
}

/// Compares each session's p99, computed from buckets, with the agent's own at its end: they may
/// be one bucket apart.
pub(super) fn compare(
    prometheus: &Prometheus,
    end: &agent::AgentOutput,
    at: f64,
) -> Result<Vec<QueryResult>> {
    ensure!(end.status.success(), "the agent ended with {}", end.status);
    let summary = end.summary.as_ref().context("no summary from the agent")?;
    let sessions = summary["sessions"].as_array().context("no sessions")?;
    // The last scrape before its end.
    let at = at + 5.0;
    sessions
        .iter()
        .filter_map(|session| {
            let sender = session["session"]["sender"].as_str()?;
            let p99 = session["age"]["p99_ns"].as_f64()? / 1e9;
            Some(quantile(prometheus, sender, p99, at))
        })
        .collect()
}

fn quantile(prometheus: &Prometheus, sender: &str, own: f64, at: f64) -> Result<QueryResult> {
    let buckets = format!(
        "sum by (le) (last_over_time(tag52_message_age_seconds_bucket{{sender=\"{sender}\"}}[30s]))"
    );
    let theirs = prometheus.number(&format!("histogram_quantile(0.99, {buckets})"), at)?;
    let mut bounds: Vec<f64> = series(&prometheus.query(&buckets, at)?)?
        .iter()
        .filter_map(|s| s.labels.get("le")?.parse().ok())
        .filter(|bound: &f64| bound.is_finite())
        .collect();
    bounds.sort_by(f64::total_cmp);
    let bucket = |age: f64| bounds.partition_point(|&bound| bound < age);
    let place = format!("{sender}: p99 {theirs:.4} s by buckets");
    let mut row = QueryResult::of(
        "(truth)",
        &place,
        &format!("the agent's own {own:.4} s"),
        &[],
    );
    row.series = bounds.len() + 1;
    row.samples = 1;
    row.range = Some((theirs, own));
    row.outcome = if bucket(theirs).abs_diff(bucket(own)) <= 1 {
        QueryOutcome::Ok
    } else {
        QueryOutcome::Error("more than a bucket apart".into())
    };
    Ok(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_is_a_panel_of_the_session() {
        let panels = queries::of_dashboard(&session::session().json()).expect("queries");
        assert!(panels.iter().any(|q| q.place == STACK));
    }
}
