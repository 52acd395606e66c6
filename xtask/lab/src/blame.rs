//! The blame in the agent's JSON output: who is charged with how much of which part.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// The parts that are charged to culprits.
pub const PARTS: [&str; 4] = ["run_queue", "throttle", "lock_wait", "blocked"];

/// One row of blame. Durations are nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct BlameEntry {
    /// The part that is charged.
    pub part: String,
    /// The culprit's name in the agent's output; `None` for all others together.
    pub culprit: Option<String>,
    /// The culprit's thread, if it is one.
    pub tid: Option<i32>,
    /// The culprit's process.
    pub pid: Option<i32>,
    /// The culprit's thread name.
    pub comm: Option<String>,
    /// The charged time, summed over messages.
    pub ns: i64,
    /// The share of `ns` during which the messages were held back.
    #[serde(default)]
    pub held_back_ns: i64,
    /// The ingest thread's waits for the culprit.
    pub waits: u64,
    /// The total length of the waits.
    pub waits_ns: u64,
    /// The waits that were uninterruptible holds.
    pub holds: u64,
    /// The total length of the uninterruptible holds.
    pub holds_ns: u64,
    /// The length of the longest wait.
    pub longest_ns: u64,
}

/// The rows of blame of all sessions, and the totals of the parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blame {
    rows: Vec<BlameEntry>,
    parts: BTreeMap<String, i64>,
    inexact: Vec<String>,
}

impl Blame {
    /// Reads a line of type `summary`.
    pub fn of(summary: &Value) -> Result<Self> {
        let mut blame = Self::default();
        for session in summary["sessions"].as_array().context("no sessions")? {
            blame.add(session)?;
        }
        Ok(blame)
    }

    /// Reads a line of type `interval`.
    pub fn of_interval(line: &Value) -> Result<Self> {
        let mut blame = Self::default();
        blame.add(line)?;
        Ok(blame)
    }

    fn add(&mut self, session: &Value) -> Result<()> {
        let rows: Vec<BlameEntry> = serde_json::from_value(session["blame"].clone())
            .context("rows of blame that cannot be read")?;
        let matrix: BTreeMap<String, BTreeMap<String, i64>> =
            serde_json::from_value(session["matrix"].clone())
                .context("a matrix that cannot be read")?;
        let held_back = matrix.get("held_back").cloned().unwrap_or_default();
        let mut parts: BTreeMap<String, i64> = BTreeMap::new();
        for (part, ns) in matrix.into_values().flatten() {
            *parts.entry(part).or_default() += ns;
        }
        for part in PARTS {
            let whole = parts.get(part).copied().unwrap_or(0);
            let rows: i64 = rows.iter().filter(|r| r.part == part).map(|r| r.ns).sum();
            if rows != whole {
                let off = format!("the rows of {part} sum to {rows} ns, the part is {whole} ns");
                self.inexact.push(off);
            }
        }
        for part in PARTS {
            let whole = held_back.get(part).copied().unwrap_or(0);
            let rows = rows.iter().filter(|r| r.part == part);
            let rows: i64 = rows.map(|r| r.held_back_ns).sum();
            if rows != whole {
                let off = format!(
                    "the rows of {part} have {rows} ns held back, the matrix has {whole} ns"
                );
                self.inexact.push(off);
            }
        }
        for row in &rows {
            if row.ns < 0
                || !(0..=row.ns).contains(&row.held_back_ns)
                || !PARTS.contains(&row.part.as_str())
            {
                self.inexact.push(format!("an inconsistent row: {row:?}"));
            }
        }
        for (part, ns) in parts {
            *self.parts.entry(part).or_default() += ns;
        }
        self.rows.extend(rows);
        Ok(())
    }

    /// Describes sums that do not hold to the nanosecond; empty when all do.
    pub fn inexact(&self) -> &[String] {
        &self.inexact
    }

    /// Returns a part's total, nanoseconds, summed over messages.
    pub fn part(&self, part: &str) -> i64 {
        self.parts.get(part).copied().unwrap_or(0)
    }

    /// Returns the age, nanoseconds, summed over messages.
    pub fn age(&self) -> i64 {
        self.parts.values().sum()
    }

    /// Returns the rows of a part.
    pub fn rows<'a>(&'a self, part: &'a str) -> impl Iterator<Item = &'a BlameEntry> {
        self.rows.iter().filter(move |row| row.part == part)
    }

    /// Returns how much of a part is charged to culprits that match, nanoseconds.
    pub fn charged(&self, part: &str, is: impl Fn(&BlameEntry) -> bool) -> i64 {
        let rows = self.rows(part).filter(|row| is(row));
        rows.map(|row| row.ns).sum()
    }

    /// Returns how much of a part is charged to culprits that match, as a share of 0 to 1.
    pub fn share(&self, part: &str, is: impl Fn(&BlameEntry) -> bool) -> f64 {
        self.charged(part, is) as f64 / self.part(part) as f64
    }
}

impl BlameEntry {
    /// Whether the culprit's name begins with these words.
    pub fn begins(&self, words: &str) -> bool {
        self.culprit.as_ref().is_some_and(|c| c.starts_with(words))
    }

    /// Whether the culprit's name ends with these words.
    pub fn ends(&self, words: &str) -> bool {
        self.culprit.as_ref().is_some_and(|c| c.ends_with(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(lock_rows: [i64; 2]) -> Value {
        let row = |ns: i64, tid: Option<i32>| {
            serde_json::json!({"part": "lock_wait",
            "culprit": tid.map(|_| "lock 0x70, held by rival/7"), "tid": tid,
                "pid": tid, "comm": "rival", "ns": ns, "held_back_ns": tid.map_or(0, |_| 10),
                "waits": 3, "waits_ns": 20, "longest_ns": 9, "holds": 1,
                "holds_ns": 9, "later": "field"})
        };
        serde_json::json!({"sessions": [{
            "matrix": {"in_flight": {"network": -5}, "held_back": {"lock_wait": 10},
                "queued": {"lock_wait": 80, "on_cpu": 15}, "in_app": {"lock_wait": 10}},
            "blame": [row(lock_rows[0], Some(7)), row(lock_rows[1], None)],
        }]})
    }

    #[test]
    fn a_nanosecond_too_much_or_too_little_is_reported() {
        let blame = Blame::of(&summary([95, 5])).expect("a summary");
        assert_eq!(blame.inexact(), Vec::<String>::new());
        assert_eq!((blame.part("lock_wait"), blame.age()), (100, 110));
        for rows in [[95, 4], [96, 5], [101, -1]] {
            let blame = Blame::of(&summary(rows)).expect("a summary");
            assert_eq!(blame.inexact().len(), 1, "{rows:?}");
        }
        // A part without a row.
        let mut none = summary([95, 5]);
        none["sessions"][0]["blame"] = serde_json::json!([]);
        assert_eq!(Blame::of(&none).expect("a summary").inexact().len(), 2);
        let mut held_back = summary([95, 5]);
        held_back["sessions"][0]["blame"][0]["held_back_ns"] = 9.into();
        assert_eq!(Blame::of(&held_back).expect("a summary").inexact().len(), 1);
        assert!(Blame::of(&serde_json::json!({})).is_err());
    }

    #[test]
    fn charges_are_summed_by_culprit() {
        let blame = Blame::of(&summary([95, 5])).expect("a summary");
        assert!((blame.share("lock_wait", |row| row.tid == Some(7)) - 0.95).abs() < 1e-9);
        assert!(blame.share("lock_wait", |row| row.tid == Some(8)).abs() < 1e-9);
        assert_eq!(blame.charged("blocked", |_| true), 0);
        let row = blame.rows("lock_wait").next().expect("a row");
        assert!(row.begins("lock 0x") && row.ends("held by rival/7"));
        assert!(!row.begins("the GIL"));
    }
}
