//! Sessions and messages for tests.

use std::sync::Arc;

use proptest::prelude::*;

use crate::domain::{
    HandOff, InHand, Matrix, Message, MessageAftermath, MsgType, OwnerEvidence, Part, Queued,
    ReaderActivity, SentBetween, SentTime, SessionId, Split, Stage, Waiting,
};

/// Session number `n`: each has ports of its own.
pub(crate) fn session(n: u16) -> Arc<SessionId> {
    Arc::new(SessionId {
        sender: "VENUE".to_owned(),
        target: "DROP".to_owned(),
        local: ([127, 0, 0, 1], 5002 + n).into(),
        remote: ([127, 0, 0, 1], 40112 + n).into(),
        pid: 411,
    })
}

/// A message whose age is the sum of the cells.
pub(crate) fn message(session: &Arc<SessionId>, seq: u64, cells: &[(Stage, Part, i64)]) -> Message {
    let mut matrix = Matrix::default();
    for &(stage, part, ns) in cells {
        matrix.add(stage, part, ns);
    }
    let sent_ns = 1_700_000_000_000_000_000;
    let age_ns = matrix.total();
    let in_app = matrix.stage(Stage::InApp);
    let handed_off_ns = sent_ns + age_ns;
    Message {
        session: Arc::clone(session),
        tid: 412,
        seq,
        msg_type: MsgType::new(b"8").expect("8 is a message type"),
        bytes: 250,
        poss_dup: false,
        sent: SentTime {
            utc_ns: sent_ns,
            resolution_ns: 1_000_000,
        },
        sent_between: None,
        arrived_ns: Some(handed_off_ns - in_app - matrix.stage(Stage::Queued)),
        received_ns: handed_off_ns - in_app,
        handed_off_ns,
        handed_off_at: handed_off_ns as u64,
        held_back_from: 0,
        hand_off: HandOff::Wait,
        ack_pending_ns: 0,
        split: Split::new(age_ns, matrix).expect("the age is the sum"),
        charges: Vec::new(),
        aftermath: MessageAftermath::default(),
    }
}

/// Thirteen messages in hand and 5,580 queued since `for_ns` ago, their reader in `state` all the
/// time, as of `at_ns`.
pub(crate) fn waiting(at_ns: u64, for_ns: u64, state: Part) -> Waiting {
    let since_ns = at_ns - for_ns;
    let mut matrix = Matrix::default();
    matrix.add(Stage::InFlight, Part::Network, 300_000);
    matrix.add(Stage::InApp, state, for_ns.cast_signed());
    Waiting {
        at_ns,
        in_hand: InHand {
            messages: 13,
            bytes: 5_200,
        },
        queued: Queued {
            bytes: 2_311_000,
            messages: Some(5_580),
            since_ns: Some(since_ns + 1_000_000),
        },
        window_closed_since_ns: Some(at_ns - for_ns / 2),
        split: matrix.try_into().expect("balanced"),
        is_lower_bound: false,
        waits_since_ns: Some(since_ns),
        last_hand_off_ns: Some(since_ns),
        reader: Some(ReaderActivity {
            tid: 412,
            pid: 411,
            state,
            since_ns,
            sleep: None,
            culprit: None,
            owner: OwnerEvidence::None,
            deadlock: Vec::new(),
        }),
        waited_ns: [0; Part::ALL.len()],
    }
}

/// Cells of any matrix that a split accepts, some with skew.
pub(crate) fn cells() -> impl Strategy<Value = Vec<(Stage, Part, i64)>> {
    let waits = prop::collection::vec(
        (
            prop::sample::select(&Stage::ALL[1..]),
            prop::sample::select(&Part::ALL[1..]),
            prop_oneof![Just(0), 0_i64..1_000, 0_i64..100_000_000_000],
        ),
        0..6,
    );
    (prop_oneof![-5_000_000_i64..0, 0_i64..60_000_000_000], waits).prop_map(|(network, mut all)| {
        all.push((Stage::InFlight, Part::Network, network));
        all
    })
}

prop_compose! {
    /// Any message of session `n`.
    pub(crate) fn any_message(n: u16)(
        cells in cells(),
        seq in any::<u64>(),
        poss_dup in prop::bool::weighted(0.2),
        arrived in any::<bool>(),
        narrowed in prop::option::of((0_i64..1_000_000_000, 0_i64..1_000_000_000)),
        resolution_ns in prop::sample::select(&[1_i64, 1_000, 1_000_000, 1_000_000_000]),
        hand_off in prop::sample::select(
            &[HandOff::Wait, HandOff::Receive, HandOff::Function, HandOff::Unobserved]
        ),
    ) -> Message {
        let mut m = message(&session(n), seq, &cells);
        m.poss_dup = poss_dup;
        m.sent.resolution_ns = resolution_ns;
        // Within the second, in order.
        m.sent_between = narrowed
            .filter(|_| resolution_ns == 1_000_000_000 && !poss_dup)
            .map(|(a, b)| SentBetween {
                earliest_ns: m.sent.utc_ns + a.min(b),
                latest_ns: m.sent.utc_ns + a.max(b),
            });
        m.hand_off = hand_off;
        if !arrived {
            m.arrived_ns = None;
        }
        m
    }
}
