//! The lower bound against made-up readings, and against an account of every nanosecond.

use proptest::prelude::*;

use super::*;

/// A reading at `at`: arrived, acknowledged, segments sent and when the last.
fn observe(acks: &mut PendingAcks, at: u64, arrived: u64, acked: u64, segments: u32, sent_at: u64) {
    let reading = Acknowledged {
        sent_at_ns: sent_at,
        end_seq: acked as u32,
        segments,
    };
    acks.observe(at, arrived, acked, &reading);
}

/// Nothing pending at 0.
fn fresh() -> PendingAcks {
    let mut acks = PendingAcks::default();
    observe(&mut acks, 0, 100, 100, 7, 0);
    acks
}

#[test]
fn a_delayed_acknowledgement_is_pending_until_it_is_sent() {
    let mut acks = fresh();
    observe(&mut acks, 1_000, 200, 100, 7, 0);
    // The timer sent it at 41,000; the next message was waiting for that.
    observe(&mut acks, 41_020, 300, 200, 8, 41_000);
    assert_eq!(acks.pending_ns(0, 41_020), 40_000);
    assert_eq!(acks.pending_ns(1_500, 41_020), 39_500);
    assert_eq!(acks.pending_ns(1_500, 2_000), 500);
    // The acknowledgement of the message that came is pending in turn, up to the last reading.
    assert_eq!(acks.pending_ns(41_020, 50_000), 0);
    observe(&mut acks, 50_000, 400, 200, 8, 41_000);
    assert_eq!(acks.pending_ns(41_020, 50_000), 8_980);
    assert_eq!(acks.pending_ns(0, 60_000), 48_980);
}

#[test]
fn what_is_acknowledged_with_the_arrival_itself_was_pending_until_then() {
    let mut acks = fresh();
    observe(&mut acks, 1_000, 200, 100, 7, 0);
    // One segment only: nothing was sent before the one that acknowledges both.
    observe(&mut acks, 5_000, 300, 300, 8, 4_999);
    assert_eq!(acks.pending_ns(0, 5_000), 3_999);
}

#[test]
fn of_several_segments_the_first_acknowledged() {
    let mut acks = fresh();
    observe(&mut acks, 1_000, 200, 100, 7, 0);
    observe(&mut acks, 3_000, 300, 100, 7, 0);
    // Two were sent since 3,000, the last at 9,000: the first may have gone out at once.
    observe(&mut acks, 10_000, 400, 300, 9, 9_000);
    assert_eq!(acks.pending_ns(0, 10_000), 2_000);
}

#[test]
fn an_acknowledgement_at_once_was_never_pending() {
    let mut acks = fresh();
    for k in 1..100 {
        observe(&mut acks, k * 10, 100 + k, 100 + k, 7 + k as u32, k * 10);
    }
    assert_eq!(acks.pending_ns(0, 10_000), 0);
}

#[test]
fn without_the_instant_of_a_segment_the_readings_bound_it() {
    let mut acks = PendingAcks::default();
    observe(&mut acks, 0, 100, 100, 0, 0);
    observe(&mut acks, 1_000, 200, 100, 0, 0);
    observe(&mut acks, 3_000, 300, 100, 0, 0);
    observe(&mut acks, 9_000, 400, 300, 0, 0);
    assert_eq!(acks.pending_ns(0, 9_000), 2_000);
}

#[test]
fn the_time_of_a_loss_is_not_pending() {
    let mut acks = fresh();
    observe(&mut acks, 1_000, 200, 100, 7, 0);
    observe(&mut acks, 2_000, 300, 100, 7, 0);
    acks.events_lost();
    observe(&mut acks, 9_000, 400, 100, 7, 0);
    observe(&mut acks, 10_000, 500, 100, 7, 0);
    assert_eq!(acks.pending_ns(0, 10_000), 1_000 + 1_000);
}

#[test]
fn an_older_reading_changes_nothing() {
    let mut acks = fresh();
    observe(&mut acks, 1_000, 200, 100, 7, 0);
    observe(&mut acks, 2_000, 300, 200, 8, 1_500);
    observe(&mut acks, 2_001, 200, 100, 7, 0);
    observe(&mut acks, 3_000, 300, 300, 9, 2_500);
    assert_eq!(acks.pending_ns(0, 3_000), 500 + 500);
}

#[test]
fn stretches_that_no_message_needs_are_released() {
    let mut acks = fresh();
    for k in 0..(MAX_STRETCHES as u64 + 10) {
        let at = 100 + k * 100;
        observe(&mut acks, at, 200 + k, 100 + k, 7 + k as u32, at - 50);
    }
    assert_eq!(acks.ended.len(), MAX_STRETCHES);
    let end = 100 + (MAX_STRETCHES as u64 + 9) * 100;
    assert_eq!(acks.pending_ns(end - 1_000, end), 500);
    acks.release_until(end - 1_000);
    assert_eq!(acks.ended.len(), 10);
    assert_eq!(acks.pending_ns(end - 1_000, end), 500);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Against a nanosecond-by-nanosecond account: never more than was truly pending, and all
    /// of it where no two segments were sent between two events.
    #[test]
    fn never_more_than_was_pending(steps in prop::collection::vec((0u8..4, 1u64..20), 1..80)) {
        let (mut acks, mut at) = (fresh(), 0);
        let (mut arrived, mut acked, mut segments, mut sent_at) = (100, 100, 7u32, 0);
        let (mut truth, mut most, mut exact) = (Vec::new(), 0, true);
        for (what, wait) in steps {
            for _ in 0..wait {
                truth.push(arrived > acked);
            }
            at += wait;
            match what {
                // Bytes arrive, with a reading.
                0 => arrived += 10,
                // A receive call, with a reading.
                1 => {}
                // A segment is sent, without a reading.
                _ => {
                    acked = arrived;
                    segments += 1;
                    sent_at = at;
                    most += 1;
                    exact &= most < 2;
                    continue;
                }
            }
            most = 0;
            observe(&mut acks, at, arrived, acked, segments, sent_at);
        }
        observe(&mut acks, at, arrived, acked, segments, sent_at);
        for (from, to) in [(0, at), (at / 3, at), (at / 3, at * 2 / 3)] {
            let pending = truth[from as usize..to as usize].iter().filter(|&&p| p).count();
            let found = acks.pending_ns(from, to);
            prop_assert!(found <= pending as u64, "{} of {}", found, pending);
            if exact {
                prop_assert_eq!(found, pending as u64);
            }
        }
    }
}
