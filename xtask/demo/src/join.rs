//! The agent's ages and the application's own lag, joined by MsgSeqNum.

use std::collections::HashMap;

use super::app::AppHandOff;
use lab::agent::MessageLine;
use lab::quantiles::Quantiles;

/// The agreement of agent and application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct JoinSummary {
    /// Messages in both logs.
    pub joined: usize,
    /// Messages only in the application's log, such as those before the agent was attached.
    pub only_application: usize,
    /// Messages only in the agent's lines.
    pub only_agent: usize,
    /// |the agent's age - the application's lag|.
    pub difference: Quantiles,
    /// Median of the agent's age less the application's lag, with its sign.
    pub median_signed_ns: i64,
}

/// Joins by MsgSeqNum; each message of the agent counts once.
pub(super) fn join(log: &[AppHandOff], messages: &[MessageLine]) -> JoinSummary {
    let ages: HashMap<u64, i64> = messages
        .iter()
        .map(|message| (message.seq, message.age_ns))
        .collect();
    let signed: Vec<i64> = log
        .iter()
        .filter_map(|entry| Some(ages.get(&entry.seq)? - entry.lag_ns()))
        .collect();
    JoinSummary {
        joined: signed.len(),
        only_application: log.len() - signed.len(),
        only_agent: ages.len().saturating_sub(signed.len()),
        difference: Quantiles::of_errors(signed.iter().copied()),
        median_signed_ns: Quantiles::of(signed).p50_ns,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::parse_log;
    use lab::agent::parse_line;

    fn line(seq: u64, sent: i64, age: i64) -> String {
        format!(
            r#"{{"type":"message","seq":{seq},"msg_type":"8","sent_ns":{sent},"arrived_ns":{},"received_ns":{},
            "handed_off_ns":{},"age_ns":{age},"matrix":{{"in_flight":{{"network":10}},"queued":{{"lock_wait":{}}}}}}}"#,
            sent + 10,
            sent + age,
            sent + age,
            age - 10
        )
    }

    #[test]
    fn joins_by_sequence_number_and_ignores_unknown_lines() {
        let sent = 1_772_341_199_123_456_000;
        let lines = [
            line(2, sent, 1_000),
            r#"{"type":"interval","anything":[1,2]}"#.to_owned(),
            line(3, sent, 5_000),
            line(9, sent, 7_000),
            r#"{"type":"summary"}"#.to_owned(),
        ];
        let messages: Vec<MessageLine> = lines
            .iter()
            .filter_map(|line| parse_line(line).expect("JSON"))
            .collect();
        let log = parse_log(&format!(
            "1 20260301-04:59:59.123456 {} 5\n2 20260301-04:59:59.123456 {} 6\n3 \
             20260301-04:59:59.123456 {} 7\n",
            sent + 1,
            sent + 900,
            sent + 5_300
        ))
        .expect("a log");
        let joined = join(&log, &messages);
        assert_eq!(
            (joined.joined, joined.only_application, joined.only_agent),
            (2, 1, 1)
        );
        assert_eq!(
            joined.difference,
            Quantiles {
                p50_ns: 100,
                p99_ns: 300,
                max_ns: 300
            }
        );
        assert_eq!(joined.median_signed_ns, -300);
        assert_eq!(log[1].lag_ns(), 900);
    }
}
