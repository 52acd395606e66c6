//! Every wait of a message is in its stage and part.

use agent_common::{
    CloseReason, MAX_SLICE_BYTES, ReaderHistory, SocketClosed, StateChange, ThreadState,
};

use super::script::{Script, TID, UTC, one};
use crate::{
    domain::{ExclusionReason, HandOff, Part, Stage},
    events::Event,
};

#[test]
fn every_wait_is_in_its_cell() {
    let mut script = Script::new();
    one(&mut script);
    assert_eq!(script.messages.len(), 1);
    assert_eq!(script.messages[0].split.age_ns(), 500 + 40 + 4_920);
    for (stage, part, ns) in [
        (Stage::InFlight, Part::Network, 500),
        (Stage::Queued, Part::Blocked, 7),
        (Stage::Queued, Part::RunQueue, 30),
        (Stage::Queued, Part::OnCpu, 3),
        (Stage::InApp, Part::OnCpu, 20),
        (Stage::InApp, Part::LockWait, 4_000),
        (Stage::InApp, Part::Throttle, 900),
    ] {
        assert_eq!(script.cell(0, stage, part), ns, "{stage:?} {part:?}");
    }
    assert_eq!(script.messages[0].hand_off, HandOff::Wait);
}

#[test]
fn a_message_waits_for_the_thread_that_receives_it() {
    let mut script = Script::new();
    one(&mut script);
    script.pass(ThreadState::LockWait, 1_000);
    script.send(2, "");
    script.pass(ThreadState::LockWait, 500);
    script.arrive(usize::MAX / 2);
    // Another thread has slept since long ago; it is woken and reads.
    let woken = script.at + 40;
    let mut history = ReaderHistory {
        head: script.head(),
        tid: TID + 1,
        next: 3,
        ..ReaderHistory::default()
    };
    history.changes[0] = StateChange::new(script.at - 9_000, ThreadState::Unknown as u32, 0);
    history.changes[1] = StateChange::new(woken, ThreadState::Blocked as u32, 0);
    history.changes[2] = StateChange::new(woken + 7, ThreadState::RunQueue as u32, 0);
    script.tid = TID + 1;
    script.ns = [100, 7, 0, 0, 9_040, 0];
    script.at = woken + 12;
    script.handle(&Event::ReaderHistory(history));
    script.read(65_536);
    script.pass(ThreadState::OnCpu, 3);
    script.hand_off();
    assert_eq!(script.messages[1].tid, TID + 1);
    for (part, ns) in [
        (Part::Blocked, 40),
        (Part::RunQueue, 7),
        (Part::OnCpu, 5),
        (Part::Unknown, 0),
    ] {
        assert_eq!(script.cell(1, Stage::Queued, part), ns, "{part:?}");
    }
    assert_eq!(script.cell(1, Stage::InApp, Part::OnCpu), 3);
}

#[test]
fn a_venue_ahead_of_us_is_skew() {
    let mut script = Script::new();
    script.at += 9_000;
    script.send(1, "");
    script.at -= 9_000;
    script.arrive(usize::MAX / 2);
    script.pass(ThreadState::OnCpu, 10);
    script.read(65_536);
    script.hand_off();
    assert_eq!(script.cell(0, Stage::InFlight, Part::Network), -9_000);
    assert_eq!(script.messages[0].split.skew_ns(), 9_000);
    assert_eq!(script.messages[0].split.age_ns(), 10 - 9_000);
}

#[test]
fn a_pending_acknowledgement_is_reported_beside_the_matrix() {
    let mut script = Script::new();
    script.send(1, "");
    script.pass(ThreadState::Blocked, 500);
    script.arrive(usize::MAX / 2);
    script.pass(ThreadState::Blocked, 1_000);
    // The second message and a resend wait at the venue for the acknowledgement of the first.
    script.send(2, "");
    script.send(3, "43=Y\x01122=19700101-01:00:00.500000000\x01");
    script.pass(ThreadState::Blocked, 39_000);
    script.acknowledge();
    script.pass(ThreadState::Blocked, 20);
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.hand_off();
    let pending: Vec<_> = script.messages.iter().map(|m| m.ack_pending_ns).collect();
    assert_eq!(pending, [0, 39_000, 0]);
    assert_eq!(script.cell(1, Stage::InFlight, Part::Network), 39_020);
}

#[test]
fn held_back_time_is_not_explained_by_an_acknowledgement() {
    let mut script = Script::new();
    script.send(1, "");
    script.arrive_offering(usize::MAX / 2, 10);
    script.send(2, "");
    script.pass(ThreadState::Blocked, 30_000);
    script.acknowledge();
    script.pass(ThreadState::LockWait, 70_000);
    script.read(65_536);
    script.pass(ThreadState::OnCpu, 400);
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.hand_off();
    assert_eq!(script.cell(1, Stage::HeldBack, Part::LockWait), 70_000);
    assert_eq!(script.cell(1, Stage::InFlight, Part::Network), 400);
    assert_eq!(script.messages[1].ack_pending_ns, 0);
}

#[test]
fn whole_seconds_are_narrowed() {
    let mut script = Script::new();
    let mut sent = Vec::new();
    for seq in 1..=1_200 {
        sent.push(script.at as i64 + UTC);
        script.send_whole_second(seq);
        script.pass(ThreadState::Blocked, 300_000);
        script.arrive(usize::MAX / 2);
        script.pass(ThreadState::OnCpu, 20_000);
        script.read(65_536);
        script.pass(ThreadState::LockWait, 2_000_000);
        script.hand_off();
        script.pass(ThreadState::Blocked, 7_680_000);
    }
    assert_eq!(script.messages.len(), sent.len());
    for (message, sent) in script.messages.iter().zip(sent).skip(1_000) {
        let (min, max) = message.age_narrowed().expect("narrowed after 10 s");
        let age = message.handed_off_ns - sent;
        assert!(min <= age && age <= max, "{min}..{max}, {age}");
        assert!(max - min < 100_000_000, "{min}..{max}");
        assert!(message.split.age_ns() - 1_000_000_000 <= min && max <= message.split.age_ns());
    }
}

#[test]
fn the_header_budget_follows_the_headers() {
    let mut script = Script::new();
    assert_eq!(script.sockets.header_budget_bytes(), MAX_SLICE_BYTES);
    script.send(1, "50=0123456789\x01");
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.hand_off();
    // Up to the tag after the header, and room for what makes a resend of it.
    let text = String::from_utf8(script.stream.clone()).expect("ASCII");
    let header = text.find("55=").expect("the first field of the body") + 5;
    let resend = "43=Y|122=20260101-00:00:00.000000000000|".len();
    assert_eq!(script.sockets.header_budget_bytes(), header + resend + 8);
    script.send(
        2,
        &format!(
            "43=Y\x01122=19700101-01:00:00.5\x0150={}\x01",
            "x".repeat(60)
        ),
    );
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    let longer = script.sockets.header_budget_bytes();
    assert!(longer > header + 60 && longer < MAX_SLICE_BYTES, "{longer}");
    script.hand_off();
    script.send(3, "");
    script.arrive(usize::MAX / 2);
    script.read_cut(65_536, 0, 40);
    one(&mut script);
    assert_eq!(script.sockets.header_budget_bytes(), MAX_SLICE_BYTES);
}

#[test]
fn resends_count_from_the_original_time_or_not_at_all() {
    let mut script = Script::new();
    script.send(1, "43=Y\x01122=19700101-01:00:00.500000000\x01");
    script.send(2, "43=Y\x01");
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.hand_off();
    assert_eq!(script.messages.len(), 1);
    assert!(script.messages[0].poss_dup);
    assert_eq!(script.messages[0].split.age_ns(), 500_000_000);
    assert_eq!(script.excluded, [ExclusionReason::ResendWithoutOrigTime]);
}

#[test]
fn a_closed_socket_ends_its_session_once() {
    let mut script = Script::new();
    one(&mut script);
    let closed = SocketClosed {
        head: script.head(),
        reader: script.now(),
        reason: CloseReason::Destroyed as u32,
        reserved: 0,
    };
    script.handle(&Event::SocketClosed(closed));
    script.handle(&Event::SocketClosed(closed));
    assert_eq!(script.ended, 1);
}
