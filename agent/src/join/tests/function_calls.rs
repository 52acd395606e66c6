//! Hand-offs by the calls of a function: every message gets its own call, or none.

use agent_common::{FunctionCalled, RecordHead, ThreadState};

use super::script::Script;
use crate::{
    domain::{ExclusionReason, HandOff, Message},
    events::Event,
};

impl Script {
    /// The function returns, 100 ns later.
    pub(super) fn call(&mut self) {
        self.pass(ThreadState::OnCpu, 100);
        self.handle(&Event::FunctionCalled(FunctionCalled {
            head: RecordHead {
                kind: 0,
                lost: 0,
                socket_id: 0,
            },
            caller: self.now(),
        }));
    }

    /// One read of messages of these types and numbers (`8 17`, with `dup` behind it a resend),
    /// then so many calls, then the hand-off.
    pub(super) fn read_and_call(&mut self, messages: &[&str], calls: usize) {
        self.receive(messages);
        for _ in 0..calls {
            self.call();
        }
        self.pass(ThreadState::OnCpu, 1_000);
        self.hand_off();
    }

    pub(super) fn receive(&mut self, messages: &[&str]) {
        for message in messages {
            let mut words = message.split(' ');
            let msg_type = words.next().expect("a type");
            let seq = words.next().and_then(|n| n.parse().ok()).expect("a number");
            let extra = match words.next() {
                Some("dup") => "43=Y\x01122=19700101-01:00:00.500000000\x01",
                Some("dup-without-122") => "43=Y\x01",
                _ => "",
            };
            self.send_as(msg_type, seq, extra);
        }
        self.arrive(usize::MAX / 2);
        self.read(1 << 20);
    }

    /// For every message its number, and how long after the end of its read it was handed off when
    /// that was by a call of the function.
    pub(super) fn called(&self) -> Vec<(u64, Option<i64>)> {
        let call = |m: &Message| {
            (m.hand_off == HandOff::Function).then_some(m.handed_off_ns - m.received_ns)
        };
        self.messages.iter().map(|m| (m.seq, call(m))).collect()
    }
}

#[test]
fn every_message_gets_its_own_call() {
    let mut script = Script::by_function();
    script.read_and_call(&["8 1", "8 2", "8 3"], 3);
    // The session layer handles the Heartbeat itself.
    script.read_and_call(&["8 4", "0 5", "8 6"], 2);
    let calls = [(1, 100), (2, 200), (3, 300), (4, 100), (6, 200)];
    let called: Vec<_> = script.called();
    for (seq, after) in calls {
        assert!(called.contains(&(seq, Some(after))), "{seq}: {called:?}");
    }
    assert!(called.contains(&(5, None)), "{called:?}");
    assert_eq!(script.messages[4].hand_off, HandOff::Wait);
    assert_eq!(script.sockets.unmatched_hand_offs(), 0);
}

#[test]
fn a_function_that_is_called_for_all_messages() {
    let mut script = Script::by_function();
    script.read_and_call(&["8 1", "0 2", "8 3"], 3);
    assert_eq!(
        script.called(),
        [(1, Some(100)), (2, Some(200)), (3, Some(300))]
    );
}

#[test]
fn a_message_in_two_reads_is_called_after_the_second() {
    let mut script = Script::by_function();
    script.send(1, "");
    script.send(2, "");
    script.arrive(usize::MAX / 2);
    script.read(script.stream.len() - 10);
    script.call();
    script.pass(ThreadState::OnCpu, 50);
    script.read(1 << 20);
    script.call();
    script.hand_off();
    assert_eq!(script.called(), [(1, Some(100)), (2, Some(100))]);
}

/// The engine's calls when message 2 is lost, as QuickFIX makes them: what comes after it is held back
/// until it has been sent again.
#[test]
fn after_a_gap_no_message_gets_the_call_of_another() {
    let mut script = Script::by_function();
    script.read_and_call(&["8 1", "8 3"], 1);
    script.read_and_call(&["8 4", "8 5"], 0);
    // Now 2 is passed on, and with it 3, 4 and 5: as many calls as messages, of which only the
    // first is of one of them.
    script.read_and_call(&["8 2 dup", "4 3 dup", "8 6", "8 7"], 4);
    assert!(script.called().iter().all(|(_, call)| call.is_none()));
    assert_eq!(script.sockets.unmatched_hand_offs(), 8);
    // In step again.
    script.read_and_call(&["8 8", "8 9"], 2);
    assert_eq!(script.called()[8..], [(8, Some(100)), (9, Some(200))]);
    assert_eq!(script.sockets.unmatched_hand_offs(), 8);
}

#[test]
fn a_gap_is_filled_in_the_read_that_shows_it() {
    let mut script = Script::by_function();
    // 3 waits for 2: the first call is of the second message, the second of the first.
    script.read_and_call(&["8 3", "8 2 dup"], 2);
    script.read_and_call(&["8 5", "8 4"], 2);
    assert!(script.called().iter().all(|(_, call)| call.is_none()));
    assert_eq!(script.sockets.unmatched_hand_offs(), 4);
}

#[test]
fn a_message_the_engine_rejects_has_no_call() {
    let mut script = Script::by_function();
    script.read_and_call(&["8 1", "8 2", "8 3", "0 4"], 2);
    assert!(script.called().iter().all(|(_, call)| call.is_none()));
    assert_eq!(script.sockets.unmatched_hand_offs(), 4);
}

#[test]
fn an_application_that_does_not_mind_a_gap_keeps_its_calls() {
    let mut script = Script::by_function();
    script.read_and_call(&["8 1", "8 2"], 2);
    script.read_and_call(&["8 7", "8 8"], 2);
    assert_eq!(script.called()[2..], [(7, Some(100)), (8, Some(200))]);
}

#[test]
fn a_message_without_an_age_has_calls_too() {
    let mut script = Script::by_function();
    // The call is of the resend, and the new message waits: one call, one message with an age.
    script.read_and_call(&["8 2 dup-without-122", "8 9"], 1);
    assert_eq!(script.excluded, [ExclusionReason::ResendWithoutOrigTime]);
    assert_eq!(
        (script.called(), script.sockets.unmatched_hand_offs()),
        (vec![(9, None)], 1)
    );
    // On its own it says nothing of the next read.
    script.read_and_call(&["8 10 dup-without-122"], 1);
    script.read_and_call(&["8 11"], 1);
    assert_eq!(script.called()[1], (11, Some(100)));
}

#[test]
fn what_the_function_is_called_for_does_not_change() {
    let mut script = Script::by_function();
    script.read_and_call(&["0 1", "8 2"], 1);
    // Two calls for a Heartbeat and a message: one is of something that was not observed.
    script.read_and_call(&["0 3", "8 4"], 2);
    assert_eq!(
        script.called(),
        [(1, None), (2, Some(100)), (3, None), (4, None)]
    );
    assert_eq!(script.sockets.unmatched_hand_offs(), 2);
}

/// One engine thread serves two sessions: it reads the first, works it off, reads the second.
#[test]
fn a_call_belongs_to_the_socket_read_last() {
    let mut script = Script::by_function();
    script.switch_sockets();
    script.open();
    script.receive(&["8 1", "8 2"]);
    script.call();
    script.call();
    script.switch_sockets();
    script.receive(&["8 1"]);
    script.call();
    script.hand_off();
    script.switch_sockets();
    script.hand_off();
    assert_eq!(
        script.called(),
        [(1, Some(100)), (1, Some(100)), (2, Some(200))]
    );
    assert_eq!(script.sockets.unmatched_hand_offs(), 0);
}
