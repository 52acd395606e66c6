//! What waits on a session, in the lines of `--json intervals`.

use std::collections::BTreeMap;

/// The field `waiting` of a line. Durations are nanoseconds, instants UTC nanoseconds since 1970.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct WaitingLine {
    /// The instant of the sample.
    pub at_ns: i64,
    /// Something waits, and nothing was handed off for a while.
    pub stalled: bool,
    /// The age of the oldest that waits.
    pub age_ns: i64,
    /// Tag 52 of the oldest has not been read.
    pub lower_bound: bool,
    /// Messages received and not handed off.
    pub in_hand_messages: u64,
    /// Bytes in the receive queue.
    pub queued_bytes: u64,
    /// The last hand-off.
    pub last_hand_off_ns: Option<i64>,
    /// The age by stage, then part.
    pub matrix: BTreeMap<String, BTreeMap<String, i64>>,
    /// The reader.
    pub reader: Option<ReaderLine>,
}

/// What the reader does at that instant, with the fields that are used here.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ReaderLine {
    /// Its thread.
    pub tid: i32,
    /// Its state: a part.
    pub state: String,
    /// What it waits for.
    pub culprit: Option<String>,
    /// How the owner of a lock is known.
    pub owner_by: String,
    /// The threads of a deadlock.
    pub deadlock: Vec<String>,
}

impl WaitingLine {
    /// Returns the sum of all cells.
    pub fn total(&self) -> i64 {
        self.matrix.values().flat_map(BTreeMap::values).sum()
    }

    /// Returns the sum of one part over all stages.
    pub fn part(&self, part: &str) -> i64 {
        self.matrix
            .values()
            .filter_map(|parts| parts.get(part))
            .sum()
    }

    /// Returns the part with the most time; empty when nothing waits.
    pub fn largest_part(&self) -> String {
        let parts = self.matrix.values().flat_map(BTreeMap::keys);
        let largest = parts.max_by_key(|part| self.part(part));
        largest.cloned().unwrap_or_default()
    }

    /// Returns what the reader waits for; empty when that is not known.
    pub fn culprit(&self) -> &str {
        let reader = self.reader.as_ref();
        reader
            .and_then(|reader| reader.culprit.as_deref())
            .unwrap_or_default()
    }
}

/// The field of each interval line.
pub(super) fn parse_lines(lines: &[String]) -> Vec<Option<WaitingLine>> {
    let values = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    values
        .filter(|value| value["type"] == "interval")
        .map(|value| {
            serde_json::from_value(value["waiting"].clone())
                .ok()
                .flatten()
        })
        .collect()
}
