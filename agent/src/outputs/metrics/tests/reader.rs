//! A strict reader of the OpenMetrics text format for tests. It shares nothing with the encoder.

use std::collections::{BTreeMap, HashMap, HashSet};

pub(in crate::outputs) type LabelSet = BTreeMap<String, String>;

/// The samples of an exposition.
#[derive(Debug, Default)]
pub(in crate::outputs) struct ParsedExposition {
    samples: Vec<(String, LabelSet, f64)>,
    by_series: HashMap<(String, LabelSet), f64>,
}

impl ParsedExposition {
    pub(in crate::outputs) fn has(&self, name: &str) -> bool {
        self.samples.iter().any(|(n, ..)| n == name)
    }

    /// The number of series.
    pub(in crate::outputs) fn len(&self) -> usize {
        self.samples.len()
    }

    /// The value of the series with exactly these labels.
    pub(in crate::outputs) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|&(k, v)| (k.to_owned(), v.to_owned()));
        self.value_of(name, &labels.collect())
    }

    /// The value of the series with exactly this set of labels.
    pub(in crate::outputs) fn value_of(&self, name: &str, labels: &LabelSet) -> Option<f64> {
        self.by_series
            .get(&(name.to_owned(), labels.clone()))
            .copied()
    }

    /// The series that may only go up.
    pub(in crate::outputs) fn counters(&self) -> impl Iterator<Item = (&str, &LabelSet, f64)> {
        let only_up = |name: &str| {
            ["_total", "_bucket", "_count", "_sum"]
                .iter()
                .any(|end| name.ends_with(end))
        };
        let counters = self.samples.iter().filter(move |(name, ..)| only_up(name));
        counters.map(|(name, labels, value)| (name.as_str(), labels, *value))
    }

    /// The number of series of a name that have these labels.
    pub(in crate::outputs) fn count(&self, name: &str, labels: &[(&str, &str)]) -> usize {
        self.matching(name, labels).count()
    }

    /// The sum of the samples of a name that have these labels.
    pub(in crate::outputs) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).sum()
    }

    /// The values of the samples of a name that have at least these labels.
    fn matching(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = f64> {
        let matches = move |of: &LabelSet| {
            labels
                .iter()
                .all(|(k, v)| of.get(*k).is_some_and(|value| value == v))
        };
        self.samples
            .iter()
            .filter(move |(n, of, _)| n == name && matches(of))
            .map(|(.., value)| *value)
    }
}

/// Reads a whole exposition and checks the order of metadata and samples, suffixes by type, units
/// in names, every series once, values of counters, buckets that ascend and end in a count that is
/// `_count`, and the end mark.
pub(in crate::outputs) fn parse(text: &str) -> Result<ParsedExposition, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("no end mark")?;
    let mut parsed = ParsedExposition::default();
    let mut families = HashSet::new();
    let (mut family, mut kind) = (String::new(), String::new());
    for line in body.lines() {
        if let Some(meta) = line.strip_prefix("# ") {
            let mut words = meta.splitn(3, ' ');
            let (Some(word), Some(name), Some(value)) = (words.next(), words.next(), words.next())
            else {
                return Err(format!("metadata: {line}"));
            };
            match word {
                "HELP" => {
                    if !families.insert(name.to_owned()) {
                        return Err(format!("family twice: {name}"));
                    }
                    family = name.to_owned();
                    kind.clear();
                }
                "TYPE" if name == family => kind = value.to_owned(),
                "UNIT" if name == family && family.ends_with(&format!("_{value}")) => {}
                _ => return Err(format!("metadata: {line}")),
            }
            continue;
        }
        let (name, labels, value) = sample(line)?;
        let suffix = name
            .strip_prefix(&family)
            .ok_or_else(|| format!("{name} is not of {family}"))?;
        let fits = match kind.as_str() {
            "counter" => suffix == "_total",
            "gauge" => suffix.is_empty(),
            "info" => suffix == "_info",
            "histogram" => matches!(suffix, "_bucket" | "_count" | "_sum"),
            _ => false,
        };
        if !fits {
            return Err(format!("{name} does not fit a {kind}"));
        }
        if matches!(kind.as_str(), "counter" | "histogram") && (value.is_nan() || value < 0.0) {
            return Err(format!("{line}: below zero"));
        }
        let series = (name.clone(), labels.clone());
        if parsed.by_series.insert(series, value).is_some() {
            return Err(format!("series twice: {line}"));
        }
        parsed.samples.push((name, labels, value));
    }
    histograms(&parsed)?;
    Ok(parsed)
}

fn histograms(parsed: &ParsedExposition) -> Result<(), String> {
    let mut last: HashMap<(String, LabelSet), (f64, f64)> = HashMap::new();
    for (name, labels, value) in &parsed.samples {
        let Some(family) = name.strip_suffix("_bucket") else {
            continue;
        };
        let mut labels = labels.clone();
        let le = labels.remove("le").ok_or("bucket without le")?;
        let bound = if le == "+Inf" {
            f64::INFINITY
        } else {
            le.parse().map_err(|_| format!("le {le}"))?
        };
        let entry = last
            .entry((family.to_owned(), labels))
            .or_insert((f64::NEG_INFINITY, 0.0));
        if bound <= entry.0 || *value < entry.1 {
            return Err(format!("{name}: buckets do not ascend at {le}"));
        }
        *entry = (bound, *value);
    }
    let counts: HashMap<_, _> = parsed
        .samples
        .iter()
        .filter_map(|(name, labels, value)| Some(((name.strip_suffix("_count")?, labels), value)))
        .collect();
    for ((family, labels), (bound, count)) in &last {
        let total = counts.get(&(family.as_str(), labels));
        if *bound != f64::INFINITY || total != Some(&count) {
            return Err(format!(
                "{family}: buckets hold {count}, count is {total:?}"
            ));
        }
    }
    Ok(())
}

fn sample(line: &str) -> Result<(String, LabelSet, f64), String> {
    let bad = || format!("sample: {line}");
    let end = line.find(['{', ' ']).ok_or_else(bad)?;
    let (name, mut rest) = line.split_at(end);
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.chars().all(legal) {
        return Err(bad());
    }
    let mut labels = LabelSet::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (key, after) = rest.split_once("=\"").ok_or_else(bad)?;
            if !key.chars().all(legal) {
                return Err(bad());
            }
            let mut value = String::new();
            let mut chars = after.char_indices();
            let close = loop {
                match chars.next().ok_or_else(bad)? {
                    (at, '"') => break at,
                    (_, '\\') => match chars.next().ok_or_else(bad)?.1 {
                        'n' => value.push('\n'),
                        c @ ('"' | '\\') => value.push(c),
                        _ => return Err(bad()),
                    },
                    (_, c) => value.push(c),
                }
            };
            if labels.insert(key.to_owned(), value).is_some() {
                return Err(format!("label twice: {line}"));
            }
            rest = &after[close + 1..];
            if let Some(next) = rest.strip_prefix(',') {
                rest = next;
            } else {
                rest = rest.strip_prefix('}').ok_or_else(bad)?;
                break;
            }
        }
    }
    let value = rest.strip_prefix(' ').ok_or_else(bad)?;
    let value = match value.split_once(" # ") {
        None => value,
        Some((value, text)) => {
            exemplar(name, text).ok_or_else(bad)?;
            value
        }
    };
    Ok((name.to_owned(), labels, value.parse().map_err(|_| bad())?))
}

/// Checks `{labels} value timestamp` of a bucket or a counter: its labels have 128 characters at
/// the most.
fn exemplar(name: &str, text: &str) -> Option<()> {
    let allowed = name.ends_with("_bucket") || name.ends_with("_total");
    let (labels, rest) = text.strip_prefix('{')?.split_once("} ")?;
    let length = labels.replace(['"', '=', ','], "").chars().count();
    let (value, at) = rest.split_once(' ')?;
    value.parse::<f64>().ok()?;
    at.parse::<f64>().ok()?;
    (allowed && length <= 128 && sample(&format!("a{{{labels}}} 1")).is_ok()).then_some(())
}

#[test]
fn the_reader_refuses_what_is_wrong() {
    let good = "# HELP a_total b.\n";
    assert!(parse(good).is_err(), "no end");
    let family = "# HELP a b\n# TYPE a counter\n";
    assert!(parse(&format!("{family}a_total 1\n# EOF\n")).is_ok());
    for bad in [
        "a 1\n",
        "b_total 1\n",
        "a_total -1\n",
        "a_total 1\na_total 2\n",
        "a_total{x=\"1\",x=\"2\"} 1\n",
        "a_total{x=\"\n",
        "a_total 1 # {x=\"1\"}\n",
        "a_total 1 # {x=\"1} 1 1\n",
    ] {
        assert!(parse(&format!("{family}{bad}# EOF\n")).is_err(), "{bad}");
    }
    let family = "# HELP h b\n# TYPE h histogram\n";
    let bad = "h_count 2\nh_bucket{le=\"1.0\"} 3\nh_bucket{le=\"+Inf\"} 2\n";
    assert!(parse(&format!("{family}{bad}# EOF\n")).is_err());
}
