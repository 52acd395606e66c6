//! `docs/metrics.md`, from the metric families.

use std::fmt::Write as _;

use super::super::{
    MAX_SERIES, MetricKind,
    families::{FAMILIES, Family, Source, series_of_the_agent, series_per_session},
    labels::{PROCESS_LABELS, SESSION_LABELS},
    metric::{Label, Unit},
    sessions_within,
};

const UPDATE: &str = "TAG52_UPDATE";

fn markdown() -> String {
    let sessions = sessions_within(MAX_SERIES).expect("room for some");
    let mut text = format!(
        include_str!("metrics.md"),
        session_labels = labels(&SESSION_LABELS),
        process_labels = labels(&PROCESS_LABELS),
        of_sessions = table(|s| matches!(s, Source::Session(_))),
        of_processes = table(|s| matches!(s, Source::Process(_))),
        of_the_agent = table(|s| matches!(s, Source::Agent(_))),
        own_labels = own_labels(),
        per_session = series_per_session(),
        of_agent = series_of_the_agent(),
        max_series = MAX_SERIES,
        sessions = sessions,
        age_buckets = bounds("tag52_message_age_seconds"),
        wait_buckets = bounds("tag52_stage_seconds"),
    );
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn all() -> impl Iterator<Item = &'static Family> {
    FAMILIES.iter().copied().flatten()
}

fn bounds(name: &str) -> String {
    let family = all().find(|e| e.metric.name == name).expect("a metric");
    let MetricKind::Histogram(bounds_ns) = family.metric.kind else {
        panic!("{name} is no histogram");
    };
    let bounds: Vec<_> = bounds_ns
        .iter()
        .map(|&ns| (ns as f64 / 1e9).to_string())
        .collect();
    bounds.join(", ")
}

fn labels(labels: &[Label]) -> String {
    let mut text = "| label | |\n|---|---|\n".to_owned();
    for label in labels {
        let _ = writeln!(text, "| `{}` | {} |", label.name, label.meaning);
    }
    text
}

fn own_labels() -> String {
    let mut text = "| metric | label | |\n|---|---|---|\n".to_owned();
    for Family { metric, .. } in all() {
        for label in metric.labels {
            let _ = writeln!(
                text,
                "| `{}` | `{}` | {} |",
                metric.name, label.name, label.meaning
            );
        }
    }
    text
}

fn table(of: impl Fn(Source) -> bool) -> String {
    let mut text = "| metric | type | unit | labels | meaning | no series | series |\n\
                    |---|---|---|---|---|---|---|\n"
        .to_owned();
    for Family { metric, .. } in all().filter(|e| of(e.source)) {
        let own: Vec<_> = metric
            .labels
            .iter()
            .map(|l| format!("`{}`", l.name))
            .collect();
        let unit = match metric.unit {
            Unit::None => "",
            unit => unit.name(),
        };
        let _ = writeln!(
            text,
            "| `{}` | {} | {unit} | {} | {} | {} | {} |",
            metric.name,
            metric.kind.name(),
            own.join(" "),
            metric.help,
            metric.absent,
            metric.max_series(),
        );
    }
    text
}

#[test]
fn the_document_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    let wanted = markdown();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(path, &wanted).expect("written");
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == wanted,
        "docs/metrics.md is out of date: \
         {UPDATE}=1 cargo test -p tag52 --lib document writes it"
    );
}

#[test]
fn names_follow_the_conventions() {
    let mut names = std::collections::HashSet::new();
    for Family { metric, source } in all() {
        assert!(names.insert(metric.name), "{} is there twice", metric.name);
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(metric.name.chars().all(legal), "{}", metric.name);
        let ours = metric.name.starts_with("tag52_") || metric.name.starts_with("process_");
        assert!(ours, "{}", metric.name);
        assert_eq!(
            metric.name.ends_with("_total"),
            metric.kind == MetricKind::Counter,
            "{}",
            metric.name
        );
        assert_eq!(
            metric.name.ends_with("_info"),
            metric.kind == MetricKind::Info,
            "{}",
            metric.name
        );
        assert!(
            metric.family().ends_with(metric.unit.name()),
            "{}",
            metric.name
        );
        assert!(
            !metric.help.contains(['\n', '\\', '"']) && !metric.help.ends_with('.'),
            "{}",
            metric.name
        );
        for label in metric.labels {
            assert!(
                label.name.chars().all(legal) && label.name != "le",
                "{}",
                label.name
            );
            let taken = match source {
                Source::Session(_) => &SESSION_LABELS[..],
                Source::Process(_) => &PROCESS_LABELS[..],
                Source::Agent(_) => &[],
            };
            assert!(
                taken.iter().all(|l| l.name != label.name),
                "{} {}",
                metric.name,
                label.name
            );
        }
    }
}
