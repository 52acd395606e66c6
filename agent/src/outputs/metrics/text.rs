//! The two text formats.

use std::fmt::Write as _;

use super::{
    metric::{Kind, Metric, Unit},
    points::{Exemplar, Histogram, Point, Sink, Value, push_label},
};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// OpenMetrics 1.0.0: with units and exemplars.
    OpenMetrics,
    /// The text format of Prometheus, 0.0.4.
    Prometheus,
}

/// Writes text.
#[derive(Debug)]
pub(super) struct Text {
    dialect: Dialect,
    text: String,
    /// `name{labels`, made anew for each point.
    series: String,
}

impl Text {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            text: String::new(),
            series: String::new(),
        }
    }

    /// What was written, with its end.
    pub(super) fn finish(mut self) -> String {
        if self.dialect == Dialect::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
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
        for (at, (bound, count)) in bounds.zip(histogram.counts.classic(bounds_ns)).enumerate() {
            below += count;
            self.begin(metric, "_bucket", Some(bound));
            self.push(format_args!("{below}"));
            if self.dialect == Dialect::OpenMetrics
                && let Some(exemplar) = histogram.exemplars.get(at).and_then(Option::as_ref)
            {
                self.exemplar(exemplar);
            }
            self.text.push('\n');
        }
        self.begin(metric, "_sum", None);
        self.push(format_args!("{:?}\n", histogram.sum_ns as f64 / 1e9));
        self.begin(metric, "_count", None);
        self.push(format_args!("{below}\n"));
    }

    fn exemplar(&mut self, exemplar: &Exemplar) {
        self.text.push_str(" # {");
        for (name, value) in &exemplar.labels {
            push_label(&mut self.text, name, value);
        }
        let (seconds, millis) = (
            exemplar.at_ns.div_euclid(1_000_000_000),
            exemplar.at_ns.rem_euclid(1_000_000_000) / 1_000_000,
        );
        self.push(format_args!(
            "}} {:?} {seconds}.{millis:03}",
            exemplar.value
        ));
    }
}

impl Sink for Text {
    fn metric(&mut self, metric: &'static Metric) {
        let (name, kind) = match (self.dialect, metric.kind) {
            (Dialect::OpenMetrics, kind) => (metric.family(), kind),
            (Dialect::Prometheus, Kind::Info) => (metric.name, Kind::Gauge),
            (Dialect::Prometheus, kind) => (metric.name, kind),
        };
        self.push(format_args!(
            "# HELP {name} {}\n# TYPE {name} {}\n",
            metric.help,
            kind.name()
        ));
        if self.dialect == Dialect::OpenMetrics && metric.unit != Unit::None {
            self.push(format_args!("# UNIT {name} {}\n", metric.unit.name()));
        }
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
