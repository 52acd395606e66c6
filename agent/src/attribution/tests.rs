//! From records of waits to what messages are told.

use agent_common::{RunQueueWait, SleepEnded, ThreadState};

use super::{Attribution, CulpritKey, CulpritResolver};
use crate::domain::Update;
use crate::domain::{
    Aftermath, Culprit, Part, Stage,
    fixtures::{message, session},
};

struct Nobody;

impl CulpritResolver for Nobody {
    fn resolve(&mut self, _: &CulpritKey) -> Culprit {
        Culprit::Quota {
            cgroup: "/".to_owned(),
        }
    }
}

const TID: u32 = 412;

fn queued(from: u64, to: u64, throttled: u64, after: ThreadState) -> RunQueueWait {
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

/// A message received at `received` and handed off at `handed_off`, `queue` after its arrival.
fn told(blame: &Attribution, queue: u64, received: u64, handed_off: u64) -> (Aftermath, Aftermath) {
    let cells = [
        (Stage::Queued, Part::Unknown, queue as i64),
        (Stage::InApp, Part::Unknown, (handed_off - received) as i64),
    ];
    let mut message = message(&session(0), 1, &cells);
    message.handed_off_at = handed_off;
    blame.charge(&mut message);
    (message.aftermath.queued, message.aftermath.in_app)
}

#[test]
fn what_a_wait_leaves_behind_is_known_by_what_went_before() {
    let mut blame = Attribution::default();
    let tell = &mut |_| {};
    for record in [
        queued(100, 130, 0, ThreadState::LockWait),
        queued(200, 210, 0, ThreadState::Blocked),
        queued(300, 350, 0, ThreadState::OnCpu),
        queued(400, 490, 70, ThreadState::OnCpu),
        queued(500, 590, 70, ThreadState::LockWait),
    ] {
        blame.run_queue_wait_ended(&record, &mut Nobody, tell);
    }
    let whole = Aftermath {
        lock_wait_ns: 30,
        throttle_ns: 40,
        blocked_ns: 10,
        lock_retry_ns: 0,
    };
    assert_eq!(told(&blame, 0, 50, 1_000), (Aftermath::default(), whole));
    assert_eq!(
        told(&blame, 950, 1_000, 1_000),
        (whole, Aftermath::default())
    );
    // Of the first one the second half, of the throttled ones none.
    let (queued, in_app) = told(&blame, 85, 200, 350);
    assert_eq!(queued.lock_wait_ns, 15);
    assert_eq!((in_app.lock_wait_ns, in_app.blocked_ns), (0, 10));
    assert_eq!(in_app.throttle_ns, 0);
}

#[test]
fn who_asks_again_for_a_lock_works_for_nothing() {
    let mut blame = Attribution::default();
    let tell = &mut |_| {};
    blame.sleep_ended(&slept(100, 200, 1), &mut Nobody, tell);
    blame.run_queue_wait_ended(
        &queued(200, 230, 0, ThreadState::LockWait),
        &mut Nobody,
        tell,
    );
    blame.sleep_ended(&slept(250, 350, 1), &mut Nobody, tell);
    blame.sleep_ended(&slept(360, 400, 0), &mut Nobody, tell);
    // Another wait, long after.
    blame.sleep_ended(&slept(700, 800, 0), &mut Nobody, tell);
    let (_, in_app) = told(&blame, 0, 50, 1_000);
    assert_eq!((in_app.lock_wait_ns, in_app.lock_retry_ns), (30, 20 + 10));
    blame.thread_ended(TID);
    assert_eq!(told(&blame, 0, 50, 1_000).1, Aftermath::default());
}

/// A wait's sleeps, each ended by its timer but the last, which is over without a release being
/// seen.
fn timeouts(sleeps: &[(u64, u64)]) -> u32 {
    let mut blame = Attribution::default();
    let mut told = Vec::new();
    let &(_, end) = sleeps.last().expect("one");
    let closing = slept(end, end, 0);
    let all = sleeps.iter().map(|&(from, to)| slept(from, to, 1));
    for waited in all.chain([closing]) {
        blame.sleep_ended(&waited, &mut Nobody, &mut |what| {
            if let Update::Wait(wait) = what {
                told.push(wait.timeouts);
            }
        });
    }
    assert_eq!(told.len(), 1);
    told[0]
}

#[test]
fn a_wake_up_that_was_not_seen_is_no_timeout() {
    assert_eq!(timeouts(&[(0, 5_060)]), 1);
    assert_eq!(timeouts(&[(0, 5_060), (5_070, 10_080)]), 2);
    assert_eq!(timeouts(&[(0, 5_060), (5_070, 5_090)]), 1);
    // The first one was ended by a wake-up nobody told of.
    assert_eq!(timeouts(&[(0, 30), (40, 5_100)]), 1);
    assert_eq!(timeouts(&[(0, 30), (40, 5_100), (5_110, 10_170)]), 2);
}
