//! The agent's message lines.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

/// A line of `--json messages` of type `message`, as far as it is used here. Nanoseconds, instants
/// UTC.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct MessageLine {
    /// Where it came in.
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
    /// One step of tag 52 as written.
    #[serde(default)]
    pub sent_resolution_ns: i64,
    /// The last byte became readable; `None` when that was not seen.
    pub arrived_ns: Option<i64>,
    /// The receive call returned.
    pub received_ns: i64,
    /// The application is through with it.
    pub handed_off_ns: i64,
    /// Handed off - sent.
    pub age_ns: i64,
    /// The bounds narrowed by the order of the venue's sends, where there is something narrower
    /// than the step.
    #[serde(default)]
    pub age_narrowed_ns: Option<AgeBounds>,
    /// What the hand-off was taken from.
    #[serde(default)]
    pub hand_off: String,
    /// For so long of its time in flight an acknowledgement of ours was pending.
    #[serde(default)]
    pub ack_pending_ns: i64,
    /// Stage, then part.
    pub matrix: BTreeMap<String, BTreeMap<String, i64>>,
}

/// A lower and an upper bound.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
pub struct AgeBounds {
    /// Not below.
    pub min: i64,
    /// Not above.
    pub max: i64,
}

/// The session of a message, as far as the lab uses it.
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
    /// Sum of one stage.
    pub fn stage(&self, stage: &str) -> i64 {
        self.matrix
            .get(stage)
            .map_or(0, |parts| parts.values().sum())
    }

    /// Sum of one part over all stages.
    pub fn part(&self, part: &str) -> i64 {
        self.matrix
            .values()
            .filter_map(|parts| parts.get(part))
            .sum()
    }

    /// One cell.
    pub fn cell(&self, stage: &str, part: &str) -> i64 {
        let parts = self.matrix.get(stage);
        parts
            .and_then(|parts| parts.get(part))
            .copied()
            .unwrap_or(0)
    }

    /// What is wrong with its sums; `None` when parts and stages make up the age to the nanosecond
    /// and nothing but the network is negative.
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
            equal("what came before", before, arrived - self.sent_ns);
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

    /// Sum of all cells.
    pub fn total(&self) -> i64 {
        self.matrix.values().flat_map(BTreeMap::values).sum()
    }
}

/// A message line, or `None` for a line of another type.
pub fn parse_line(line: &str) -> Result<Option<MessageLine>> {
    let value: serde_json::Value = serde_json::from_str(line)
        .with_context(|| format!("the agent's line is not JSON: {line}"))?;
    if value.get("type").and_then(|kind| kind.as_str()) != Some("message") {
        return Ok(None);
    }
    serde_json::from_value(value)
        .map(Some)
        .with_context(|| format!("a message line of another shape: {line}"))
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
