//! From records of waits to the charges and the aftermath of messages.

use agent_common::{RunQueueWait, SleepEnded, ThreadState};

use super::{Attribution, CulpritKey, CulpritResolver, LockReader};
use crate::domain::{
    Aftermath, Charge, Culprit, CulpritId, Lock, Matrix, Part, Split, Stage, ThreadName, Update,
    fixtures::{message, session},
};

/// Every culprit is the same quota.
struct SameCulprit;

impl LockReader for SameCulprit {}

impl CulpritResolver for SameCulprit {
    fn resolve(&mut self, _: &CulpritKey) -> Culprit {
        Culprit::Quota {
            cgroup: "/".to_owned(),
        }
    }
}

const TID: u32 = 412;

fn run_queue_wait(from: u64, to: u64, throttled: u64, after: ThreadState) -> RunQueueWait {
    RunQueueWait {
        tid: TID,
        from_ns: from,
        to_ns: to,
        throttled_ns: throttled,
        state_before: after as u32,
        ..RunQueueWait::default()
    }
}

fn slept(from: u64, to: u64, goes_on: u32) -> SleepEnded {
    SleepEnded {
        tid: TID,
        state: ThreadState::LockWait as u32,
        goes_on,
        from_ns: from,
        to_ns: to,
        releaser: 9,
        ..SleepEnded::default()
    }
}

/// The aftermath of a message that was received at `received`, `queue` after its arrival, and handed
/// off at `handed_off`.
fn aftermath(
    attribution: &Attribution,
    queue: u64,
    received: u64,
    handed_off: u64,
) -> (Aftermath, Aftermath) {
    let cells = [
        (Stage::Queued, Part::Unknown, queue as i64),
        (Stage::InApp, Part::Unknown, (handed_off - received) as i64),
    ];
    let mut message = message(&session(0), 1, &cells);
    message.handed_off_at = handed_off;
    attribution.charge(&mut message);
    (message.aftermath.queued, message.aftermath.in_app)
}

#[test]
fn the_aftermath_is_that_of_the_wait_before() {
    let mut attribution = Attribution::default();
    let emit = &mut |_| {};
    for record in [
        run_queue_wait(100, 130, 0, ThreadState::LockWait),
        run_queue_wait(200, 210, 0, ThreadState::Blocked),
        run_queue_wait(300, 350, 0, ThreadState::OnCpu),
        run_queue_wait(400, 490, 70, ThreadState::OnCpu),
        run_queue_wait(500, 590, 70, ThreadState::LockWait),
    ] {
        attribution.run_queue_wait_ended(&record, &mut SameCulprit, emit);
    }
    let whole = Aftermath {
        lock_wait_ns: 30,
        throttle_ns: 40,
        blocked_ns: 10,
        lock_retry_ns: 0,
    };
    assert_eq!(
        aftermath(&attribution, 0, 50, 1_000),
        (Aftermath::default(), whole)
    );
    assert_eq!(
        aftermath(&attribution, 950, 1_000, 1_000),
        (whole, Aftermath::default())
    );
    // The second half of the first one, none of the throttled ones.
    let (queued, in_app) = aftermath(&attribution, 85, 200, 350);
    assert_eq!(queued.lock_wait_ns, 15);
    assert_eq!((in_app.lock_wait_ns, in_app.blocked_ns), (0, 10));
    assert_eq!(in_app.throttle_ns, 0);
}

#[test]
fn cpu_time_between_the_sleeps_of_a_lock_wait_is_a_retry() {
    let mut attribution = Attribution::default();
    let emit = &mut |_| {};
    attribution.sleep_ended(&slept(100, 200, 1), &mut SameCulprit, emit);
    attribution.run_queue_wait_ended(
        &run_queue_wait(200, 230, 0, ThreadState::LockWait),
        &mut SameCulprit,
        emit,
    );
    attribution.sleep_ended(&slept(250, 350, 1), &mut SameCulprit, emit);
    attribution.sleep_ended(&slept(360, 400, 0), &mut SameCulprit, emit);
    // Another wait, long after.
    attribution.sleep_ended(&slept(700, 800, 0), &mut SameCulprit, emit);
    let (_, in_app) = aftermath(&attribution, 0, 50, 1_000);
    assert_eq!((in_app.lock_wait_ns, in_app.lock_retry_ns), (30, 20 + 10));
    attribution.thread_ended(TID);
    assert_eq!(
        aftermath(&attribution, 0, 50, 1_000).1,
        Aftermath::default()
    );
}

/// The timeouts of a wait of these sleeps, of which no release was observed.
fn timeouts(sleeps: &[(u64, u64)]) -> u32 {
    let mut attribution = Attribution::default();
    let mut waits = Vec::new();
    let &(_, end) = sleeps.last().expect("one");
    let closing = slept(end, end, 0);
    let all = sleeps.iter().map(|&(from, to)| slept(from, to, 1));
    for waited in all.chain([closing]) {
        attribution.sleep_ended(&waited, &mut SameCulprit, &mut |update| {
            if let Update::Wait(wait) = update {
                waits.push(wait.timeouts);
            }
        });
    }
    assert_eq!(waits.len(), 1);
    waits[0]
}

#[test]
fn an_unobserved_wake_up_is_no_timeout() {
    assert_eq!(timeouts(&[(0, 5_060)]), 1);
    assert_eq!(timeouts(&[(0, 5_060), (5_070, 10_080)]), 2);
    assert_eq!(timeouts(&[(0, 5_060), (5_070, 5_090)]), 1);
    // The first sleep was ended by a wake-up that no hook observed.
    assert_eq!(timeouts(&[(0, 30), (40, 5_100)]), 1);
    assert_eq!(timeouts(&[(0, 30), (40, 5_100), (5_110, 10_170)]), 2);
}

/// Resolves lock waits to threads without a name.
struct Nameless;

impl LockReader for Nameless {}

impl CulpritResolver for Nameless {
    fn resolve(&mut self, key: &CulpritKey) -> Culprit {
        let &CulpritKey::Holder { tid, address, .. } = key else {
            unreachable!("only lock waits here")
        };
        Culprit::Holder {
            lock: Lock::Futex { address },
            thread: ThreadName {
                tid,
                pid: 1,
                comm: String::new(),
            },
        }
    }
}

/// The reader waited for thread 5 until 200, for thread 7 until 400, and for thread 6 after
/// 600.
fn three_holders(tid: u32) -> Attribution {
    let mut attribution = Attribution::default();
    for (from, to, releaser) in [(100, 200, 5), (300, 400, 7), (600, 700, 6), (800, 900, 6)] {
        let record = SleepEnded {
            tid,
            tgid: 1,
            state: ThreadState::LockWait as u32,
            from_ns: from,
            to_ns: to,
            object: 64,
            releaser,
            releaser_tgid: 1,
            ..SleepEnded::default()
        };
        attribution.sleep_ended(&record, &mut Nameless, &mut |_| ());
    }
    attribution
}

/// The charges of a message handed off at 1000 with an age of 1000: in flight, and held back and
/// queued with these lock waits.
fn charged(held_back: i64, queued: i64, arrived: i64, held_back_from: u64) -> Vec<Charge> {
    let mut m = message(&session(0), 1, &[]);
    let mut matrix = Matrix::default();
    matrix.add(Stage::HeldBack, Part::LockWait, held_back);
    matrix.add(Stage::Queued, Part::LockWait, queued);
    matrix.add(Stage::InApp, Part::OnCpu, 1_000 - arrived - queued);
    matrix.add(Stage::InFlight, Part::Network, arrived - held_back);
    m.split = Split::new(1_000, matrix).expect("balanced");
    m.handed_off_at = 1_000;
    m.held_back_from = held_back_from;
    three_holders(m.tid).charge(&mut m);
    m.charges
}

fn charge(id: u32, ns: u64, held_back_ns: u64) -> Charge {
    Charge {
        part: Part::LockWait,
        culprit: CulpritId(id),
        ns,
        held_back_ns,
    }
}

#[test]
fn held_back_time_is_charged_to_the_holders_of_that_time() {
    // Arrived at 500: queued for thread 6, held back for threads 5 and 7.
    assert_eq!(
        charged(200, 200, 500, 0),
        [charge(3, 200, 0), charge(1, 100, 100), charge(2, 100, 100)]
    );
    // The window was open until 250.
    assert_eq!(
        charged(100, 200, 500, 250),
        [charge(3, 200, 0), charge(2, 100, 100)]
    );
    // Never more than the part has.
    assert_eq!(
        charged(100, 90, 500, 0),
        [charge(3, 90, 0), charge(1, 50, 50), charge(2, 50, 50)]
    );
    assert_eq!(charged(0, 200, 500, 500), [charge(3, 200, 0)]);
    // The same holder in both.
    assert_eq!(
        charged(300, 100, 750, 0),
        [
            charge(3, 200, 100),
            charge(1, 100, 100),
            charge(2, 100, 100)
        ]
    );
}
