//! What waits now, while it waits.

use agent_common::{SampledActivity, SocketClosed, SocketSampled, ThreadState};

use super::script::{Script, TID, one};
use crate::{
    domain::{HandOff, Part, SleepObject, Stage, Waiting},
    events::Event,
};

impl Script {
    /// The socket is sampled while the thread is in `state`.
    fn sample(&mut self, state: ThreadState) -> Option<Waiting> {
        let before = self.waiting.len();
        self.handle(&Event::SocketSampled(SocketSampled {
            head: self.head(),
            reader: self.now(),
            activity: SampledActivity {
                since_ns: self.at - 10,
                object: 0x7f00,
                syscall_arg: 5,
                state: state as u32,
                tgid: 60,
            },
            rcv_nxt: Self::sequence(self.arrived),
            copied_seq: Self::sequence(self.read),
            offered: 60_000,
            min_usable: 1_000,
        }));
        (self.waiting.len() > before).then(|| self.waiting[before].clone())
    }

    fn waits(&mut self, state: ThreadState) -> Waiting {
        self.sample(state).expect("something waits")
    }
}

/// A session on which a message was handed off.
fn session() -> Script {
    let mut script = Script::new();
    one(&mut script);
    script
}

#[test]
fn nothing_is_said_where_nothing_waits() {
    let mut script = Script::new();
    // No session yet.
    script.send(1, "");
    script.arrive(usize::MAX / 2);
    assert_eq!(script.sample(ThreadState::Blocked), None);
    let mut script = session();
    assert_eq!(script.sample(ThreadState::Blocked), None);
}

#[test]
fn unread_bytes_wait_since_the_first_of_them_arrived() {
    let mut script = session();
    let handed_off = script.at;
    script.send(2, "");
    script.pass(ThreadState::LockWait, 50);
    script.arrive(100);
    let arrived = script.at;
    script.pass(ThreadState::LockWait, 1_000);
    script.arrive(usize::MAX / 2);
    script.send(3, "");
    script.arrive(usize::MAX / 2);
    script.pass(ThreadState::RunQueue, 200);
    let unread = script.stream.len() - script.read;
    let waiting = script.waits(ThreadState::RunQueue);
    assert_eq!(waiting.queued.bytes, unread as u64);
    assert_eq!(waiting.queued.messages, Some(2));
    assert_eq!(waiting.queued.since_ns, Some(arrived));
    assert_eq!(waiting.in_hand.messages, 0);
    assert_eq!(waiting.age_ns(), 1_200);
    assert!(waiting.is_lower_bound);
    let cell = |part| waiting.split.matrix().get(Stage::Queued, part);
    assert_eq!((cell(Part::LockWait), cell(Part::RunQueue)), (1_000, 200));
    assert_eq!(waiting.waits_since_ns, Some(arrived));
    assert_eq!(waiting.last_hand_off_ns, Some(handed_off));
}

#[test]
fn a_message_in_hand_is_as_old_as_its_stamp_says() {
    let mut script = session();
    script.send(2, "");
    let sent = script.at;
    script.pass(ThreadState::Blocked, 500);
    script.arrive(usize::MAX / 2);
    script.pass(ThreadState::RunQueue, 30);
    script.read(65_536);
    let received = script.at;
    script.pass(ThreadState::Blocked, 7_000);
    let waiting = script.waits(ThreadState::Blocked);
    assert_eq!(waiting.in_hand.messages, 1);
    assert!(waiting.in_hand.bytes > 200);
    assert_eq!(waiting.queued.bytes, 0);
    assert_eq!(waiting.age_ns(), (script.at - sent).cast_signed());
    assert!(!waiting.is_lower_bound);
    let matrix = waiting.split.matrix();
    assert_eq!(matrix.get(Stage::InFlight, Part::Network), 500);
    assert_eq!(matrix.get(Stage::Queued, Part::RunQueue), 30);
    assert_eq!(matrix.get(Stage::InApp, Part::Blocked), 7_000);
    assert_eq!(matrix.total(), waiting.age_ns());
    assert_eq!(waiting.waits_since_ns, Some(received));
    let reader = waiting.reader.expect("tracked");
    assert_eq!(
        (reader.tid, reader.pid, reader.state),
        (TID, 60, Part::Blocked)
    );
    let call = SleepObject::Call {
        pid: 60,
        number: 0x7f00,
        argument: 5,
    };
    assert_eq!(reader.sleep, Some(call));
    // Sampling changes nothing of the message.
    script.hand_off();
    assert_eq!(script.messages[1].split, waiting.split);
    assert_eq!(script.messages[1].hand_off, HandOff::Wait);
}

#[test]
fn the_end_of_waiting_is_said_once() {
    let mut script = session();
    script.send(2, "");
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.pass(ThreadState::OnCpu, 100);
    assert!(!script.waits(ThreadState::OnCpu).is_empty());
    script.hand_off();
    let none = script.waits(ThreadState::Blocked);
    assert!(none.is_empty());
    assert_eq!(none.age_ns(), 0);
    assert_eq!(none.last_hand_off_ns, Some(script.at));
    assert_eq!(script.sample(ThreadState::Blocked), None);
}

#[test]
fn the_beginning_of_a_message_waits_for_its_rest_and_not_for_the_reader() {
    let mut script = session();
    script.send(2, "");
    script.arrive(script.stream.len() - script.read - 20);
    script.read(65_536);
    script.hand_off();
    script.pass(ThreadState::Blocked, 1_000_000);
    assert_eq!(script.sample(ThreadState::Blocked), None);
}

#[test]
fn what_the_reader_does_while_something_waits_is_summed_from_sample_to_sample() {
    let mut script = session();
    script.send(2, "");
    script.arrive(usize::MAX / 2);
    script.pass(ThreadState::LockWait, 100);
    let first = script.waits(ThreadState::LockWait);
    assert_eq!(first.waited_ns.iter().sum::<u64>(), 0);
    script.pass(ThreadState::LockWait, 300);
    script.pass(ThreadState::OnCpu, 50);
    let second = script.waits(ThreadState::OnCpu);
    assert_eq!(second.waited_ns[Part::LockWait as usize], 300);
    assert_eq!(second.waited_ns[Part::OnCpu as usize], 50);
}

#[test]
fn a_closed_window_is_said_beside_the_age() {
    let mut script = session();
    script.send(2, "");
    script.arrive_offering(usize::MAX / 2, 10);
    let closed = script.at;
    script.pass(ThreadState::Blocked, 100);
    let waiting = script.waits(ThreadState::Blocked);
    assert_eq!(waiting.window_closed_since_ns, Some(closed));
    assert_eq!(waiting.age_ns(), 100);
}

#[test]
fn what_is_in_hand_when_the_socket_closes_is_never_handed_off() {
    let mut script = session();
    script.send(2, "");
    script.arrive(usize::MAX / 2);
    script.read(65_536);
    script.pass(ThreadState::LockWait, 9_000);
    script.handle(&Event::SocketClosed(SocketClosed {
        head: script.head(),
        reader: script.now(),
        reason: 0,
        reserved: 0,
    }));
    assert_eq!(script.messages[1].hand_off, HandOff::Never);
    assert_eq!(script.cell(1, Stage::InApp, Part::LockWait), 9_000);
    assert_eq!(script.ended, 1);
}

#[test]
fn a_call_of_the_function_is_a_hand_off_while_its_batch_goes_on() {
    let mut script = Script::by_function();
    script.read_and_call(&["8 1"], 1);
    script.receive(&["8 2", "8 3", "8 4"]);
    script.pass(ThreadState::Blocked, 900_000_000);
    script.call();
    let called = script.at;
    script.pass(ThreadState::Blocked, 300_000_000);
    let waiting = script.waits(ThreadState::Blocked);
    assert_eq!(waiting.in_hand.messages, 2);
    assert_eq!(waiting.last_hand_off_ns, Some(called));
    assert!(!waiting.is_stalled(0), "{waiting:?}");
}
