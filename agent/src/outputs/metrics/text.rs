//! The text format of Prometheus, 0.0.4, for scrapers that ask for nothing else. prometheus-client
//! does not write it.

use std::fmt::Write as _;

use super::{
    labels::push_label,
    metric::{Metric, MetricKind},
    points::{HistogramPoint, MetricPoint, PointSink, PointValue},
};

/// Writes metrics as text.
#[derive(Debug, Default)]
pub(super) struct TextWriter {
    text: String,
    /// The labels of the current point, separated by commas.
    labels: String,
}

impl TextWriter {
    /// The text of all metrics.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn push(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = self.text.write_fmt(arguments);
    }

    /// Begins a line: the name with a suffix, the labels and, of a bucket, its upper bound.
    fn begin(&mut self, metric: &Metric, suffix: &str, upper_bound: Option<f64>) {
        self.text.push_str(metric.name);
        self.text.push_str(suffix);
        if self.labels.is_empty() && upper_bound.is_none() {
            self.text.push(' ');
            return;
        }
        self.text.push('{');
        self.text.push_str(&self.labels);
        if let Some(bound) = upper_bound {
            let comma = if self.labels.is_empty() { "" } else { "," };
            if bound.is_infinite() {
                self.push(format_args!("{comma}le=\"+Inf\""));
            } else {
                self.push(format_args!("{comma}le=\"{bound:?}\""));
            }
        }
        self.text.push_str("} ");
    }

    fn histogram(&mut self, metric: &Metric, bounds_ns: &[i64], histogram: &HistogramPoint<'_>) {
        let bounds = bounds_ns
            .iter()
            .map(|&ns| ns as f64 / 1e9)
            .chain([f64::INFINITY]);
        let mut cumulative = 0;
        for (bound, count) in bounds.zip(histogram.counts.classic(bounds_ns)) {
            cumulative += count;
            self.begin(metric, "_bucket", Some(bound));
            self.push(format_args!("{cumulative}\n"));
        }
        self.begin(metric, "_sum", None);
        self.push(format_args!("{:?}\n", histogram.sum_ns as f64 / 1e9));
        self.begin(metric, "_count", None);
        self.push(format_args!("{cumulative}\n"));
    }
}

impl PointSink for TextWriter {
    fn metric(&mut self, metric: &'static Metric) {
        let (name, help) = (metric.name, metric.help);
        let kind = match metric.kind {
            MetricKind::Info => MetricKind::Gauge,
            kind => kind,
        };
        self.push(format_args!(
            "# HELP {name} {help}\n# TYPE {name} {}\n",
            kind.name()
        ));
    }

    fn point(&mut self, metric: &'static Metric, point: &MetricPoint<'_>) {
        self.labels.clear();
        self.labels.push_str(point.base.text());
        for (name, value) in point.own {
            push_label(&mut self.labels, name, value);
        }
        match (point.value, metric.kind) {
            (PointValue::Histogram(histogram), MetricKind::Histogram(bounds_ns)) => {
                self.histogram(metric, bounds_ns, &histogram);
            }
            (PointValue::Count(count), _) => {
                self.begin(metric, "", None);
                self.push(format_args!("{count}\n"));
            }
            (PointValue::Number(number), _) => {
                self.begin(metric, "", None);
                self.push(format_args!("{number:?}\n"));
            }
            (PointValue::Histogram(_), _) => {
                debug_assert!(false, "{} is no histogram", metric.name);
            }
        }
    }
}
