//! Where something was lost or not observed, that time is unknown, and no other.

use agent_common::{BytesReceived, RecordHead, Snapshot, ThreadExited, ThreadState, receive_flags};

use super::script::{SOCKET, Script, TID, one};
use crate::{
    domain::{HandOff, Part, Stage},
    events::{Event, Slices},
};

#[test]
fn a_lost_arrival_is_unknown_and_only_that() {
    let mut script = Script::new();
    script.send(1, "");
    script.pass(ThreadState::Blocked, 500);
    // The record of the first message's arrival found the ring full.
    script.arrived = script.stream.len();
    script.lost += 1;
    script.pass(ThreadState::Blocked, 100);
    script.send(2, "");
    script.pass(ThreadState::Blocked, 100);
    script.arrive(usize::MAX / 2);
    script.pass(ThreadState::OnCpu, 10);
    script.read(65_536);
    script.send(3, "");
    script.arrive(usize::MAX / 2);
    script.hand_off();
    script.pass(ThreadState::OnCpu, 10);
    script.read(65_536);
    script.hand_off();
    let unknown: Vec<_> = (0..3)
        .map(|i| script.cell(i, Stage::InFlight, Part::Unknown))
        .collect();
    // The first two share the arrival after the loss; it is used for neither.
    assert_eq!(unknown, [710, 110, 0]);
    assert!(script.messages[0].arrived_ns.is_none());
    assert_eq!(script.cell(0, Stage::InApp, Part::Unknown), 0);
}

#[test]
fn a_lost_hand_off_is_not_taken_from_the_next() {
    let mut script = Script::new();
    script.send(1, "");
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.pass(ThreadState::OnCpu, 50);
    script.lost += 1;
    script.pass(ThreadState::Blocked, 10_000);
    script.hand_off();
    assert_eq!(script.messages[0].hand_off, HandOff::Unobserved);
    assert_eq!(script.cell(0, Stage::InApp, Part::Unknown), 10_050);
    // What comes after is whole again.
    one(&mut script);
    assert_eq!(script.cell(1, Stage::InApp, Part::LockWait), 4_000);
    assert_eq!(script.messages[1].hand_off, HandOff::Wait);
}

#[test]
fn a_thread_that_ends_with_pending_messages() {
    let mut script = Script::new();
    script.send(1, "");
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.pass(ThreadState::OnCpu, 50);
    script.handle(&Event::ThreadExited(ThreadExited {
        head: RecordHead::default(),
        last: script.now(),
        tid: TID,
        tgid: 60,
    }));
    assert_eq!(script.messages[0].hand_off, HandOff::Never);
    assert_eq!(script.cell(0, Stage::InApp, Part::OnCpu), 50);
}

#[test]
fn a_thread_whose_last_counters_are_not_known() {
    let mut script = Script::new();
    script.send(1, "");
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.pass(ThreadState::OnCpu, 50);
    script.handle(&Event::ThreadExited(ThreadExited {
        head: RecordHead::default(),
        last: Snapshot {
            at_ns: script.at,
            ..Snapshot::default()
        },
        tid: TID,
        tgid: 60,
    }));
    assert_eq!(script.messages[0].hand_off, HandOff::Unobserved);
    assert_eq!(script.cell(0, Stage::InApp, Part::Unknown), 50);
}

/// The thread receives from another socket while messages of this one are pending.
fn read_elsewhere(script: &mut Script) {
    let recv = BytesReceived {
        head: RecordHead {
            socket_id: SOCKET + 1,
            ..script.head()
        },
        reader: script.now(),
        flags: receive_flags::OTHERS_PENDING,
        ..BytesReceived::default()
    };
    script.handle(&Event::BytesReceived(recv, Slices::behind(&[], &recv)));
}

#[test]
fn a_wait_that_may_have_been_missed_leaves_the_time_in_app_unknown() {
    let mut script = Script::new();
    for observed in [false, true] {
        if observed {
            script.sockets.syscall_entries_observed_from(script.at);
        }
        script.send(1, "");
        script.arrive(usize::MAX / 2);
        script.pass(ThreadState::OnCpu, 10);
        script.read(65_536);
        script.pass(ThreadState::OnCpu, 50);
        read_elsewhere(&mut script);
        script.pass(ThreadState::OnCpu, 70);
        script.hand_off();
    }
    assert_eq!(script.messages[0].hand_off, HandOff::Unobserved);
    assert_eq!(script.cell(0, Stage::InApp, Part::Unknown), 120);
    assert_eq!(script.cell(0, Stage::Queued, Part::OnCpu), 10);
    assert_eq!(script.messages[1].hand_off, HandOff::Wait);
    assert_eq!(script.cell(1, Stage::InApp, Part::OnCpu), 120);
}

#[test]
fn a_lost_hand_off_flag_makes_the_time_in_app_unknown() {
    let mut script = Script::new();
    script.send(1, "");
    script.arrive(usize::MAX / 2);
    script.read_flagged(65_536, receive_flags::HAND_OFF_LOST);
    script.pass(ThreadState::Blocked, 1_000);
    one(&mut script);
    assert_eq!(script.messages[0].hand_off, HandOff::Unobserved);
    assert_eq!(script.cell(0, Stage::InApp, Part::Unknown), 1_640);
    assert_eq!(script.messages[1].hand_off, HandOff::Wait);
}

#[test]
fn bytes_that_could_not_be_read_lose_their_messages_only() {
    let mut script = Script::new();
    script.send(1, "");
    script.arrive(usize::MAX / 2);
    script.read_flagged(65_536, receive_flags::BYTES_MISSING);
    script.hand_off();
    one(&mut script);
    assert_eq!(script.messages.len(), 1);
    assert_eq!(script.cell(0, Stage::InApp, Part::LockWait), 4_000);
}

#[test]
fn a_receive_that_was_not_observed_leaves_the_time_in_the_queue_unknown() {
    let mut script = Script::new();
    script.send(1, "");
    script.arrive(usize::MAX / 2);
    // All but the trailer is read, then the record of the read that brought it is lost.
    script.read(script.stream.len() - 3);
    script.lost += 1;
    script.read = script.stream.len();
    script.pass(ThreadState::Blocked, 1_000);
    script.send(2, "");
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.pass(ThreadState::OnCpu, 5);
    script.hand_off();
    assert_eq!(script.messages.len(), 2);
    assert_eq!(script.cell(0, Stage::Queued, Part::Unknown), 1_000);
    assert_eq!(script.cell(0, Stage::Queued, Part::Blocked), 0);
}

#[test]
fn a_header_that_was_not_handed_over_whole_is_counted() {
    let mut script = Script::new();
    one(&mut script);
    // What little is copied of a burst ends before tag 122 of a resend.
    script.send(2, "43=Y\x01122=19700101-01:00:00.500000000\x01");
    script.arrive(usize::MAX / 2);
    script.read_cut(65_536, 0, 90);
    script.hand_off();
    one(&mut script);
    let seqs: Vec<_> = script.messages.iter().map(|m| m.seq).collect();
    assert_eq!(seqs, [1, 1]);
    assert_eq!(script.incomplete, 1);
}
