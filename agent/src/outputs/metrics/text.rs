//! The text format of Prometheus, 0.0.4, which prometheus-client does not write: for scrapers that
//! do not ask for anything else.

use std::fmt::Write as _;

use super::{
    metric::{Kind, Metric},
    points::{Histogram, Point, Sink, Value, push_label},
};

/// Writes text.
#[derive(Debug, Default)]
pub(super) struct Text {
    text: String,
    /// `name{labels`, made anew for each point.
    series: String,
}

impl Text {
    /// What was written.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn push(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = self.text.write_fmt(arguments);
    }

    /// The beginning of a line: the name with a suffix, the labels, and one more.
    fn begin(&mut self, metric: &Metric, suffix: &str, last: Option<f64>) {
        self.text.push_str(metric.name);
        self.text.push_str(suffix);
        if self.series.is_empty() && last.is_none() {
            self.text.push(' ');
            return;
        }
        self.text.push('{');
        self.text.push_str(&self.series);
        if let Some(bound) = last {
            let comma = if self.series.is_empty() { "" } else { "," };
            if bound.is_infinite() {
                self.push(format_args!("{comma}le=\"+Inf\""));
            } else {
                self.push(format_args!("{comma}le=\"{bound:?}\""));
            }
        }
        self.text.push_str("} ");
    }

    fn histogram(&mut self, metric: &Metric, bounds_ns: &[i64], histogram: &Histogram<'_>) {
        let bounds = bounds_ns
            .iter()
            .map(|&ns| ns as f64 / 1e9)
            .chain([f64::INFINITY]);
        let mut below = 0;
        for (bound, count) in bounds.zip(histogram.counts.classic(bounds_ns)) {
            below += count;
            self.begin(metric, "_bucket", Some(bound));
            self.push(format_args!("{below}\n"));
        }
        self.begin(metric, "_sum", None);
        self.push(format_args!("{:?}\n", histogram.sum_ns as f64 / 1e9));
        self.begin(metric, "_count", None);
        self.push(format_args!("{below}\n"));
    }
}

impl Sink for Text {
    fn metric(&mut self, metric: &'static Metric) {
        let (name, help) = (metric.name, metric.help);
        let kind = match metric.kind {
            Kind::Info => Kind::Gauge,
            kind => kind,
        };
        self.push(format_args!(
            "# HELP {name} {help}\n# TYPE {name} {}\n",
            kind.name()
        ));
    }

    fn point(&mut self, metric: &'static Metric, point: &Point<'_>) {
        self.series.clear();
        self.series.push_str(point.of.text());
        for (name, value) in point.more {
            push_label(&mut self.series, name, value);
        }
        match (point.value, metric.kind) {
            (Value::Histogram(histogram), Kind::Histogram(bounds_ns)) => {
                self.histogram(metric, bounds_ns, &histogram);
            }
            (Value::Count(count), _) => {
                self.begin(metric, "", None);
                self.push(format_args!("{count}\n"));
            }
            (Value::Number(number), _) => {
                self.begin(metric, "", None);
                self.push(format_args!("{number:?}\n"));
            }
            (Value::Histogram(_), _) => debug_assert!(false, "{} is no histogram", metric.name),
        }
    }
}
