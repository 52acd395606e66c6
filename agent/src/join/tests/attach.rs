//! An agent that comes into a session under way: only what was before it is unknown.

use agent_common::{OpenReason, ReaderHistory, SocketOpened, StateChange, ThreadState};

use super::script::{Script, TID};
use crate::{
    domain::{Part, Stage},
    events::Event,
};

impl Script {
    /// The agent comes now, and with it the counters of the thread begin.
    fn attach(&mut self) {
        self.ns = [0; agent_common::STATE_COUNT];
        self.handle(&Event::SocketOpened(SocketOpened {
            head: self.head(),
            at_ns: self.at,
            family: 2,
            local_address: [127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            rcv_nxt: Self::sequence(self.arrived),
            copied_seq: Self::sequence(self.read),
            tgid: 60,
            reason: OpenReason::Present as u32,
            offered: 65_536,
            min_usable: 1_000,
            ..SocketOpened::default()
        }));
    }

    /// The thread, tracked since `began_ns`, becomes the reader; of its changes of state only the
    /// end of the last sleep is retained.
    fn becomes_reader(&mut self, began_ns: u64, state: ThreadState, ended_ns: u64) {
        let mut history = ReaderHistory {
            head: self.head(),
            began_ns,
            tid: TID,
            ..ReaderHistory::default()
        };
        history.changes[0] = StateChange::new(ended_ns, state as u32, 0);
        history.next = 1;
        self.handle(&Event::ReaderHistory(history));
    }
}

#[test]
fn what_was_in_the_queue_when_the_agent_came_waits_in_it_from_then_on() {
    let mut script = Script::unopened();
    script.send(1, "");
    let sent = script.at;
    script.pass(ThreadState::LockWait, 2_000);
    script.arrived = script.stream.len();
    script.pass(ThreadState::LockWait, 3_000);
    script.attach();
    let attached = script.at;
    script.pass(ThreadState::LockWait, 7_000);
    let woken = script.at;
    script.pass(ThreadState::OnCpu, 40);
    script.becomes_reader(attached, ThreadState::LockWait, woken);
    script.read(65_536);
    script.pass(ThreadState::OnCpu, 100);
    script.hand_off();
    let message = &script.messages[0];
    assert_eq!(message.arrived_ns, None);
    let matrix = message.split.matrix();
    assert_eq!(
        matrix.get(Stage::InFlight, Part::Unknown),
        (attached - sent).cast_signed()
    );
    assert_eq!(matrix.part(Part::Unknown), (attached - sent).cast_signed());
    assert_eq!(matrix.get(Stage::Queued, Part::LockWait), 7_000);
    assert_eq!(matrix.get(Stage::Queued, Part::OnCpu), 40);
    assert_eq!(matrix.get(Stage::InApp, Part::OnCpu), 100);
}

#[test]
fn a_later_read_of_the_same_backlog_is_no_less_exact() {
    let mut script = Script::unopened();
    script.send(1, "");
    let first = script.stream.len();
    script.send(2, "");
    let sent = script.at;
    script.arrived = script.stream.len();
    script.pass(ThreadState::Blocked, 500);
    script.attach();
    let attached = script.at;
    script.pass(ThreadState::Blocked, 60);
    script.becomes_reader(attached, ThreadState::Blocked, script.at);
    script.read(first);
    script.pass(ThreadState::Blocked, 900);
    script.read(65_536);
    script.pass(ThreadState::OnCpu, 5);
    script.hand_off();
    let matrix = script.messages[1].split.matrix();
    assert_eq!(matrix.part(Part::Unknown), (attached - sent).cast_signed());
    assert_eq!(matrix.get(Stage::Queued, Part::Blocked), 960);
}

#[test]
fn what_arrived_after_the_agent_and_before_the_first_read_is_split_by_the_reader_s_counters() {
    let mut script = Script::unopened();
    script.attach();
    let attached = script.at;
    // The probes do not know the reader yet.
    script.tid = 0;
    script.pass(ThreadState::Blocked, 1_000);
    script.send(1, "");
    script.arrive(usize::MAX / 2);
    script.pass(ThreadState::Blocked, 3_000);
    let woken = script.at;
    script.tid = TID;
    script.pass(ThreadState::OnCpu, 10);
    // The changes before are forgotten: the time is split by the counters.
    script.becomes_reader(attached, ThreadState::Blocked, woken);
    script.read(65_536);
    script.hand_off();
    let matrix = script.messages[0].split.matrix();
    assert_eq!(matrix.part(Part::Unknown), 0);
    assert_eq!(matrix.get(Stage::Queued, Part::Blocked), 3_000);
    assert_eq!(matrix.get(Stage::Queued, Part::OnCpu), 10);
}
