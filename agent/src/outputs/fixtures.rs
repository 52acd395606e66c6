//! Models, and what they are filled with, for the tests of all outputs.

use std::{sync::Arc, time::Duration};

use crate::{
    domain::{
        Availability, CallObject, Capability, CgroupLevel, CgroupUse, Charge, Container, Culprit,
        CulpritId, Function, HolderSample, InHand, Lock, Message, Moment, OwnerEvidence, Part, Pod,
        ProbeCost, ProcessInfo, Qos, Queued, SentBetween, SessionId, Split, Stage, TapCounts,
        ThreadActivity, ThreadName, ThreadUse, Update, Wait,
        fixtures::{message, session, waiting},
    },
    model::{Interval, Model},
};

/// A byte stream with one of every fault.
pub(crate) const FAULTY_STREAM: TapCounts = TapCounts {
    garbled: 1,
    skipped_bytes: 250,
    lost_bytes: 4096,
    incomplete_headers: 2,
};

/// The instant so many seconds after the start, which is 1970.
pub(crate) fn at(seconds: u64) -> Moment {
    Moment {
        monotonic_ns: seconds * 1_000_000_000,
        utc_ns: (seconds * 1_000_000_000).cast_signed(),
    }
}

/// The interval up to now, as if it had lasted a second.
pub(crate) fn one_second(model: &mut Model) -> Interval {
    let mut interval = model.interval_now();
    interval.length = Duration::from_secs(1);
    interval
}

/// The message stamped in whole seconds, its stamp narrowed to lie so many milliseconds after it.
pub(crate) fn narrowed(mut m: Message, between_ms: [i64; 2]) -> Message {
    let [earliest_ns, latest_ns] = between_ms.map(|ms| m.sent.utc_ns + ms * 1_000_000);
    m.sent.resolution_ns = 1_000_000_000;
    m.sent_between = Some(SentBetween {
        earliest_ns,
        latest_ns,
    });
    m
}

/// The process of the fixtures' sessions in a container of a pod, both named by the API.
pub(crate) fn process_in_pod() -> ProcessInfo {
    ProcessInfo {
        pid: 411,
        inner_pid: 7,
        comm: "oms".to_owned(),
        container: Some(Container {
            id: "09d185410c4e25236cc24717f881589b".to_owned(),
            runtime: Some("containerd".to_owned()),
            name: Some("engine".to_owned()),
        }),
        pod: Some(Pod {
            uid: "03f3f104-9d5a".to_owned(),
            namespace: Some("trading".to_owned()),
            name: Some("oms-0".to_owned()),
            qos: Some(Qos::Burstable),
        }),
        cpu_request_millis: Some(250),
        cpu_limit_millis: Some(2_000),
        ..ProcessInfo::default()
    }
}

/// A capability that is observed.
pub(crate) fn observed(name: &str, hook: &str) -> Capability {
    Capability {
        name: name.to_owned(),
        availability: Availability::Observed(hook.to_owned()),
    }
}

/// A capability that is not.
pub(crate) fn unavailable(name: &str, why: &str) -> Capability {
    Capability {
        name: name.to_owned(),
        availability: Availability::Unavailable(why.to_owned()),
    }
}

/// What the probe of context switches cost.
pub(crate) fn switch_cost(runs: u64, run_time_ns: u64) -> ProbeCost {
    ProbeCost {
        name: "sched_switch".to_owned(),
        runs,
        run_time_ns,
    }
}

fn thread(tid: u32, comm: &str) -> ThreadName {
    ThreadName {
        tid,
        pid: 411,
        comm: comm.to_owned(),
    }
}

fn wait(id: u32, ms: u64, timeouts: u32) -> Update {
    Update::Wait(Wait {
        tid: 412,
        part: Part::LockWait,
        culprit: CulpritId(id),
        from_ns: 0,
        to_ns: ms * 1_000_000,
        ns: ms * 1_000_000,
        timeouts,
    })
}

/// The same message so much later.
fn later(m: &mut Message, ns: i64) {
    m.sent.utc_ns += ns;
    m.arrived_ns = m.arrived_ns.map(|at| at + ns);
    m.received_ns += ns;
    m.handed_off_ns += ns;
    m.handed_off_at = m.handed_off_at.wrapping_add_signed(ns);
}

/// Twelve seconds of the incident: ages rise, the thread waits for a lock, the CPU limit is far. Most
/// of what a message waits for is the messages before it, of which each needs 400 us of CPU once it
/// has been received.
pub(crate) fn incident() -> Model {
    let mut model = Model::at_zero();
    // A name that would clear a terminal.
    let holders = [(1, thread(413, "worker\x1b[2J")), (2, thread(414, "idle"))];
    for (id, thread) in holders {
        let culprit = Culprit::Holder {
            lock: Lock::Gil,
            thread,
        };
        model.apply(at(0), &Update::Culprit(CulpritId(id), culprit.into()));
    }
    for second in 1..=12_u64 {
        incident_second(&mut model, second);
        model.take_interval(at(second));
    }
    model
}

/// The updates of one second of the incident.
pub(crate) fn incident_second(model: &mut Model, second: u64) {
    for seq in 0..45_u64 {
        // Within a second ages grow half as fast as the time goes.
        let behind = (44 - seq).cast_signed() * 1_000_000;
        let age = second.cast_signed() * 1_000_000_000 - behind;
        let cells = [
            (Stage::InFlight, Part::Network, 100_000),
            (Stage::HeldBack, Part::LockWait, age / 2),
            (Stage::Queued, Part::LockWait, age * 3 / 10),
            (Stage::Queued, Part::OnCpu, age / 5 - 400_000),
            (Stage::InApp, Part::OnCpu, 400_000),
        ];
        let mut m = message(&session(0), second * 45 + seq, &cells);
        m.charges = [(1, 7), (2, 1)]
            .map(|(id, tenths)| Charge {
                part: Part::LockWait,
                culprit: CulpritId(id),
                ns: age.unsigned_abs() * tenths / 10,
                held_back_ns: 0,
            })
            .into();
        later(&mut m, second.cast_signed() * 1_000_000_000 - behind);
        model.apply(at(second), &Update::Message(Box::new(m)));
    }
    for waited in [wait(1, 18, 3), wait(1, 6, 1), wait(2, 5, 0)] {
        model.apply(at(second), &waited);
    }
    let quick = [(Stage::Queued, Part::RunQueue, 40_000)];
    model.observe(&message(&session(1), second, &quick));
    for (tid, comm, on_cpu, lock) in [(412, "ingest", 20, 980), (413, "worker", 900, 0)] {
        let sample = ThreadUse {
            thread: thread(tid, comm),
            tracked: tid == 412,
            ns: [0, on_cpu, 0, 0, lock, 1000 - on_cpu - lock, 0].map(|ms| ms * second),
        };
        model.apply(at(second), &Update::ThreadUse(Box::new(sample)));
    }
    let level = CgroupLevel {
        path: "/kubepods/pod7".to_owned(),
        quota_ns: Some(250_000_000),
        period_ns: 100_000_000,
        usage_ns: Some(second * 400_000_000),
        periods: second * 10,
        throttled_periods: 3,
        throttled_ns: 50_000_000,
    };
    let sample = CgroupUse {
        pid: 411,
        levels: vec![level],
    };
    model.apply(at(second), &Update::Cgroup(Box::new(sample)));
}

/// Twelve seconds of three sessions: one quick, one whose reader hangs in a call to its database
/// from the third second on, and one that has had nothing to read since its first message.
pub(crate) fn stalled() -> Model {
    stalled_on(
        Part::Blocked,
        Culprit::Call {
            name: "recvfrom".to_owned(),
            object: CallObject::Socket {
                peer: "10.0.0.7:5432".to_owned(),
            },
        },
        &[],
    )
}

/// The same with a reader in another state; the threads are those of a deadlock.
pub(crate) fn stalled_on(state: Part, culprit: Culprit, deadlock: &[ThreadName]) -> Model {
    const S: u64 = 1_000_000_000;
    let mut model = Model::at_zero();
    let id = CulpritId(1);
    model.apply(at(0), &Update::Culprit(id, culprit.into()));
    let quick = [
        (Stage::InFlight, Part::Network, 300_000),
        (Stage::InApp, Part::OnCpu, 100_000),
    ];
    for n in 0..3 {
        let first = message(&session(n), 1, &quick);
        model.apply(at(0), &Update::Message(Box::new(first)));
    }
    for second in 1..=12 {
        let busy = if second <= 3 { 2 } else { 1 };
        for n in 0..busy {
            for seq in 0..45 {
                let mut m = message(&session(n), second * 45 + seq, &quick);
                later(&mut m, (second * S + seq * S / 45).cast_signed());
                model.apply(at(second), &Update::Message(Box::new(m)));
            }
        }
        let mut quiet = waiting(second * S, 0, Part::Blocked);
        quiet.in_hand = InHand::default();
        quiet.queued = Queued::default();
        quiet.split = Split::default();
        quiet.window_closed_since_ns = None;
        quiet.waits_since_ns = None;
        quiet.last_hand_off_ns = Some(0);
        model.apply(at(second), &Update::Waiting(session(2), Box::new(quiet)));
        if second > 3 {
            let mut now = waiting(second * S, (second - 3) * S, state);
            if let Some(reader) = &mut now.reader {
                reader.culprit = Some(id);
                reader.owner = OwnerEvidence::Lock;
                reader.deadlock = deadlock.to_vec();
            }
            model.apply(at(second), &Update::Waiting(session(1), Box::new(now)));
        }
        model.take_interval(at(second));
    }
    model
}

/// Samples of the worker of the incident while its lock was waited for.
pub(crate) fn incident_samples(model: &mut Model) {
    let encode = Function {
        name: "JSONEncoder.iterencode".to_owned(),
        location: "json/encoder.py:205".to_owned(),
    };
    let activities = [
        (8, Part::OnCpu, None, Some(encode)),
        (1, Part::Blocked, Some("write".to_owned()), None),
        (1, Part::RunQueue, None, None),
    ];
    for (times, state, call, function) in activities {
        for _ in 0..times {
            let sample = HolderSample {
                at_ns: 0,
                waiter: 412,
                culprit: CulpritId(1),
                activity: ThreadActivity {
                    state,
                    call: call.clone(),
                    function: function.clone(),
                },
            };
            model.apply(at(0), &Update::HolderSample(Box::new(sample)));
        }
    }
}

/// One second of a session in which every message has the same cells.
pub(crate) fn steady_second(
    model: &mut Model,
    session: &Arc<SessionId>,
    messages: u64,
    cells: &[(Stage, Part, i64)],
) {
    for seq in 0..messages {
        let mut m = message(session, seq + 1, cells);
        later(&mut m, (seq * 1_000_000_000 / messages).cast_signed());
        model.apply(at(1), &Update::Message(Box::new(m)));
    }
}
