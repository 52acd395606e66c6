//! The lines of `--json messages`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

/// A line of `--json messages` of type `message`, with the fields that are used here. Durations are
/// nanoseconds, instants UTC nanoseconds since 1970.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct MessageLine {
    /// The session it was received on.
    #[serde(default)]
    pub session: MessageSession,
    /// MsgSeqNum.
    pub seq: u64,
    /// Tag 35.
    pub msg_type: String,
    /// 43=Y.
    #[serde(default)]
    pub poss_dup: bool,
    /// Tag 52; of a resend tag 122.
    pub sent_ns: i64,
    /// The resolution of tag 52 as written.
    #[serde(default)]
    pub sent_resolution_ns: i64,
    /// When the last byte became readable; `None` if that was not observed.
    pub arrived_ns: Option<i64>,
    /// When the receive call returned.
    pub received_ns: i64,
    /// The hand-off.
    pub handed_off_ns: i64,
    /// The age: hand-off less sent.
    pub age_ns: i64,
    /// Bounds of the age from the order of the venue's sends, if they are narrower than the
    /// resolution.
    #[serde(default)]
    pub age_narrowed_ns: Option<AgeBounds>,
    /// How the hand-off was observed: `function`, `unseen` and others.
    #[serde(default)]
    pub hand_off: String,
    /// The time in flight during which an acknowledgement of ours was pending.
    #[serde(default)]
    pub ack_pending_ns: i64,
    /// Nanoseconds by stage, then part.
    pub matrix: BTreeMap<String, BTreeMap<String, i64>>,
}

/// A lower and an upper bound.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
pub struct AgeBounds {
    /// The smallest possible age.
    pub min: i64,
    /// The largest possible age.
    pub max: i64,
}

/// The session of a message, with the fields that are used here.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct MessageSession {
    /// SenderCompID.
    pub sender: String,
    /// Our end of the connection, `address:port`.
    #[serde(default)]
    pub local: String,
    /// The process that read the message.
    #[serde(default)]
    pub pid: i32,
    /// The thread that received it.
    #[serde(default)]
    pub tid: i32,
}

impl MessageLine {
    /// Returns the sum of one stage.
    pub fn stage(&self, stage: &str) -> i64 {
        self.matrix
            .get(stage)
            .map_or(0, |parts| parts.values().sum())
    }

    /// Returns the sum of one part over all stages.
    pub fn part(&self, part: &str) -> i64 {
        self.matrix
            .values()
            .filter_map(|parts| parts.get(part))
            .sum()
    }

    /// Returns one cell of the matrix.
    pub fn cell(&self, stage: &str, part: &str) -> i64 {
        let parts = self.matrix.get(stage);
        parts
            .and_then(|parts| parts.get(part))
            .copied()
            .unwrap_or(0)
    }

    /// Describes sums that do not hold; `None` when parts and stages sum to the age exactly and
    /// only the network is negative.
    pub fn inexact(&self) -> Option<String> {
        let mut wrong = Vec::new();
        let mut equal = |name: &str, found: i64, expected: i64| {
            if found != expected {
                wrong.push(format!("{name} is {found}, not {expected}"));
            }
        };
        equal("the sum of the parts", self.total(), self.age_ns);
        equal("the age", self.age_ns, self.handed_off_ns - self.sent_ns);
        equal(
            "in_app",
            self.stage("in_app"),
            self.handed_off_ns - self.received_ns,
        );
        if let Some(arrived) = self.arrived_ns {
            equal("queued", self.stage("queued"), self.received_ns - arrived);
            let before = self.stage("in_flight") + self.stage("held_back");
            equal("in_flight and held_back", before, arrived - self.sent_ns);
        }
        for (stage, parts) in &self.matrix {
            if !["in_flight", "held_back", "queued", "in_app"].contains(&stage.as_str()) {
                wrong.push(format!("unknown stage {stage}"));
            }
            for (part, ns) in parts {
                if *ns < 0 && (stage.as_str(), part.as_str()) != ("in_flight", "network") {
                    wrong.push(format!("{stage}.{part} is {ns}"));
                }
            }
        }
        (!wrong.is_empty()).then(|| format!("{}: {self:?}", wrong.join(", ")))
    }

    /// Returns the sum of all cells.
    pub fn total(&self) -> i64 {
        self.matrix.values().flat_map(BTreeMap::values).sum()
    }
}

/// Parses a line of JSON output; `None` for a line of another type.
///
/// # Errors
/// The line is not JSON, or a message line lacks a field.
pub fn parse_line(line: &str) -> Result<Option<MessageLine>> {
    let value: serde_json::Value = serde_json::from_str(line)
        .with_context(|| format!("the agent wrote a line that is not JSON: {line}"))?;
    if value.get("type").and_then(|kind| kind.as_str()) != Some("message") {
        return Ok(None);
    }
    serde_json::from_value(value)
        .map(Some)
        .with_context(|| format!("a message line lacks a field: {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_documented_line_and_skips_other_types() {
        let line = r#"{"type":"message","session":{"sender":"VENUE","target":"DROP",
            "local":"127.0.0.1:5002","remote":"127.0.0.1:40112","pid":411,"tid":412},"seq":17,
            "msg_type":"8","poss_dup":false,"sent_ns":100,"sent_resolution_ns":1000000,
            "arrived_ns":null,"received_ns":130,"handed_off_ns":150,"age_ns":50,"later":"field",
            "matrix":{"in_flight":{"network":10},"held_back":{"lock_wait":5},
            "queued":{"lock_wait":10,"run_queue":5},"in_app":{"on_cpu":20}}}"#;
        let message = parse_line(line).expect("JSON").expect("a message");
        assert_eq!(
            (message.seq, message.arrived_ns, message.total()),
            (17, None, 50)
        );
        assert_eq!(
            (message.part("lock_wait"), message.stage("queued")),
            (15, 15)
        );
        assert!(
            parse_line(r#"{"type":"interval","messages":3}"#)
                .expect("JSON")
                .is_none()
        );
        assert!(parse_line("warning: not JSON").is_err());
        assert!(parse_line(r#"{"type":"message","seq":1}"#).is_err());
    }
}
