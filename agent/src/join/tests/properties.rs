//! Any order of events.

use agent_common::ThreadState;
use proptest::prelude::*;

use super::script::{Script, UTC};
use crate::domain::{Part, Stage};

#[derive(Clone, Debug)]
enum Move {
    Pass(u8, u64),
    Send,
    Arrive(usize),
    Read(usize),
    HandOff,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        (0u8..5, 1u64..1_000_000).prop_map(|(s, ns)| Move::Pass(s, ns)),
        Just(Move::Send),
        (1usize..900).prop_map(Move::Arrive),
        (1usize..900).prop_map(Move::Read),
        Just(Move::HandOff),
    ];
    prop::collection::vec(one, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever the order of things: every message once, in order, nothing unknown, and the moments
    /// are the ones at which its last byte arrived, was read and was handed off.
    #[test]
    fn any_schedule_is_exact(moves in moves()) {
        const STATE: [ThreadState; 5] = [
            ThreadState::OnCpu, ThreadState::RunQueue, ThreadState::Throttle, ThreadState::LockWait,
            ThreadState::Blocked,
        ];
        let mut script = Script::new();
        // End of each message, its sending, and when its last byte arrived and was read.
        let mut sent: Vec<(usize, u64)> = Vec::new();
        let (mut arrived, mut read) = (Vec::new(), Vec::new());
        for step in moves.into_iter().chain([
            Move::Pass(3, 77), Move::Arrive(1 << 20), Move::Read(1 << 20), Move::HandOff,
        ]) {
            match step {
                Move::Pass(state, ns) => script.pass(STATE[usize::from(state)], ns),
                Move::Send => {
                    script.send(sent.len() as u64 + 1, "");
                    sent.push((script.stream.len(), script.at));
                }
                Move::Arrive(n) => script.arrive(n),
                Move::Read(n) => script.read(n),
                Move::HandOff => script.hand_off(),
            }
            while sent.get(arrived.len()).is_some_and(|m| m.0 <= script.arrived) {
                arrived.push(script.at);
            }
            while sent.get(read.len()).is_some_and(|m| m.0 <= script.read) {
                read.push(script.at);
            }
        }
        prop_assert_eq!(script.messages.len(), sent.len());
        for (i, message) in script.messages.iter().enumerate() {
            prop_assert_eq!(message.seq, i as u64 + 1);
            prop_assert_eq!(message.arrived_ns, Some(arrived[i] as i64 + UTC));
            prop_assert_eq!(message.received_ns, read[i] as i64 + UTC);
            let matrix = message.split.matrix();
            prop_assert_eq!(matrix.part(Part::Unknown), 0);
            prop_assert_eq!(matrix.stage(Stage::InFlight), (arrived[i] - sent[i].1) as i64);
            prop_assert_eq!(matrix.stage(Stage::Queued), (read[i] - arrived[i]) as i64);
            prop_assert_eq!(matrix.total(), message.handed_off_ns - sent[i].1 as i64 - UTC);
        }
    }
}
