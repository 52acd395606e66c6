//! All formats say the same, and what the messages say.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::{
    super::{Exposition, ExpositionFormat, MAX_SERIES, OutputStatus, group::CHARGED},
    busy_model, close, expose, exposed, families, seconds,
};
use crate::{
    domain::{
        Message, Part, Stage,
        fixtures::{any_message, message, session},
    },
    model::Model,
};

fn port(n: u16) -> String {
    session(n).local.port().to_string()
}

fn check(all: &[Message], n: u16) -> Result<(), TestCaseError> {
    let mut model = Model::at_zero();
    for m in all {
        model.observe(m);
    }
    let (_, parsed) = exposed(model);
    let port = port(n);
    let of = [("port", port.as_str())];
    let fresh: Vec<_> = all.iter().filter(|m| m.session == session(n)).collect();
    let resends = fresh.iter().filter(|m| m.poss_dup).count();
    if fresh.is_empty() {
        return Ok(());
    }
    let fresh: Vec<_> = fresh.into_iter().filter(|m| !m.poss_dup).collect();
    let kind = |kind| parsed.sum("tag52_messages_total", &[of[0], ("kind", kind)]);
    prop_assert_eq!(kind("fresh"), fresh.len() as f64);
    prop_assert_eq!(kind("resend"), resends as f64);
    let count = parsed.sum("tag52_message_age_seconds_count", &of);
    prop_assert_eq!(count, fresh.len() as f64);
    let count = parsed.sum("tag52_resend_age_seconds_count", &of);
    prop_assert_eq!(count, resends as f64);
    let cells = parsed.sum("tag52_age_seconds_total", &of);
    let negative = parsed.sum("tag52_negative_in_flight_seconds_total", &of);
    let age: i128 = fresh.iter().map(|m| i128::from(m.split.age_ns())).sum();
    prop_assert!(close(cells - negative, seconds(age)));
    let age: i128 = fresh
        .iter()
        .map(|m| i128::from(m.split.age_ns().max(0)))
        .sum();
    prop_assert!(close(
        parsed.sum("tag52_message_age_seconds_sum", &of),
        seconds(age)
    ));
    for stage in Stage::ALL {
        let of = [of[0], ("stage", stage.name())];
        let sum = parsed.sum("tag52_stage_seconds_sum", &of);
        prop_assert!(close(sum, parsed.sum("tag52_age_seconds_total", &of)));
    }
    for part in CHARGED {
        let of = [of[0], ("part", part.name())];
        let sum = parsed.sum("tag52_blame_seconds_total", &of);
        prop_assert!(close(sum, parsed.sum("tag52_age_seconds_total", &of)));
    }
    for part in Part::ALL {
        let of = [of[0], ("part", part.name())];
        let sum = parsed.sum("tag52_part_seconds_sum", &of);
        prop_assert!(close(sum, parsed.sum("tag52_age_seconds_total", &of)));
        let count = parsed.sum("tag52_part_seconds_count", &of);
        prop_assert_eq!(count, fresh.len() as f64);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn metrics_parse_and_agree_with_the_messages(
        all in prop::collection::vec((0_u16..3).prop_flat_map(any_message), 0..20),
    ) {
        for n in 0..3 {
            check(&all, n)?;
        }
    }

    #[test]
    fn protobuf_says_what_the_text_says(
        all in prop::collection::vec((0_u16..3).prop_flat_map(any_message), 0..20),
    ) {
        let mut model = Model::at_zero();
        for m in &all {
            model.observe(m);
        }
        model.interval_now();
        let model = Arc::new(Mutex::new(model));
        let (text, parsed) = expose(&model);
        let mut series = 0;
        for family in families(&model) {
            let name = family.name.as_str();
            for metric in &family.metric {
                let labels = metric.label.iter().map(|l| (l.name.as_str(), l.value.as_str()));
                let labels: Vec<_> = labels.collect();
                let value = metric.gauge.map(|g| g.value);
                if let Some(value) = value.or(metric.counter.as_ref().map(|c| c.value)) {
                    let in_text = parsed.value(name, &labels);
                    prop_assert_eq!(in_text, Some(value), "{} {:?}\n{}", name, labels, text);
                    series += 1;
                }
                if let Some(histogram) = &metric.histogram {
                    series += histogram.bucket.len() + 2;
                    let of = |suffix: &str| parsed.value(&format!("{name}{suffix}"), &labels);
                    prop_assert_eq!(of("_count"), Some(histogram.sample_count as f64));
                    prop_assert_eq!(of("_sum"), Some(histogram.sample_sum));
                    for bucket in &histogram.bucket {
                        let bound = bucket.upper_bound;
                        let le = if bound.is_infinite() {
                            "+Inf".to_owned()
                        } else {
                            format!("{bound:?}")
                        };
                        let mut labels = labels.clone();
                        labels.push(("le", &le));
                        let value = parsed.value(&format!("{name}_bucket"), &labels);
                        prop_assert_eq!(value, Some(bucket.cumulative_count as f64));
                    }
                    // Native, and the same messages.
                    let mut count = 0;
                    let mut sum = histogram.zero_count;
                    for delta in &histogram.positive_delta {
                        count += delta;
                        prop_assert!(count >= 0);
                        sum += count as u64;
                    }
                    prop_assert_eq!(sum, histogram.sample_count);
                    let length: u32 = histogram.positive_span.iter().map(|s| s.length).sum();
                    prop_assert_eq!(length as usize, histogram.positive_delta.len());
                    prop_assert!(length <= 160 && !histogram.positive_span.is_empty());
                }
            }
        }
        prop_assert_eq!(series, parsed.len(), "{}", text);
        prop_assert_eq!(parsed.sum("tag52_series", &[]), series as f64);
    }
}

#[test]
fn native_buckets_are_where_the_values_are() {
    let mut model = Model::at_zero();
    // 2^-3 s, inclusive; just above it; 2^3 s.
    for (seq, ns) in [(1, 125_000_000), (2, 125_000_001), (3, 8_000_000_000)] {
        model.observe(&message(
            &session(0),
            seq,
            &[(Stage::Queued, Part::LockWait, ns)],
        ));
    }
    let families = families(&Arc::new(Mutex::new(model)));
    let ages = families
        .iter()
        .find(|f| f.name == "tag52_message_age_seconds");
    let histogram = ages
        .and_then(|f| f.metric[0].histogram.clone())
        .expect("ages");
    assert_eq!((histogram.schema, histogram.zero_count), (3, 0));
    let spans: Vec<_> = histogram
        .positive_span
        .iter()
        .map(|s| (s.offset, s.length))
        .collect();
    assert_eq!(spans, [(-24, 2), (46, 1)]);
    assert_eq!(histogram.positive_delta, [1, 0, 0]);
    let seqs: Vec<_> = histogram
        .exemplars
        .iter()
        .map(|e| e.label[0].value.as_str())
        .collect();
    assert_eq!(seqs, ["2", "3"]);
}

#[test]
fn the_older_text_says_the_same_without_what_it_lacks() {
    let model = Arc::new(Mutex::new(busy_model()));
    let status = OutputStatus::new(MAX_SERIES, "node-1");
    let text = Exposition::new(Arc::clone(&model), status).render(ExpositionFormat::Text);
    let text = String::from_utf8(text).expect("UTF-8");
    let (newer, _) = expose(&model);
    // In any order, of the samples as of the bound among a bucket's labels.
    let sample = |line: &str| {
        let line = line.split(" # ").next().unwrap_or(line);
        let bound = line.find("le=\"").map(|at| &line[at..]);
        let bound = bound.and_then(|from| Some(&from[..=4 + from[4..].find('"')?]));
        let rest = bound.map_or_else(|| line.to_owned(), |bound| line.replace(bound, ""));
        let rest = rest.replace("{,", "{").replace(",}", "}");
        let (series, value) = rest.rsplit_once(' ').expect("a value");
        let value: f64 = value.parse().expect("a number");
        let bound = bound.unwrap_or_default().to_owned();
        (series.to_owned(), bound, value.to_bits())
    };
    let samples = |text: &str| {
        let lines = text.lines().filter(|l| !l.starts_with('#'));
        let mut samples: Vec<_> = lines.map(sample).collect();
        samples.sort();
        samples
    };
    assert_eq!(samples(&text), samples(&newer));
    assert!(text.contains("# TYPE tag52_age_seconds_total counter\n"));
    assert!(text.contains("# TYPE tag52_build_info gauge\n"));
    assert!(!text.contains("# UNIT") && !text.contains("# EOF") && !text.contains(" # {"));
    assert!(newer.contains("# TYPE tag52_age_seconds counter\n# UNIT tag52_age_seconds seconds\n"));
}
