//! Any update, whether or not its parts fit together.

use std::sync::Arc;

use proptest::prelude::*;

use super::moment;
use crate::domain::{
    Aftermath, Availability, CallObject, Capability, CgroupLevel, CgroupUse, Charge, Container,
    Culprit, CulpritId, DiscoveryCounts, ExclusionReason, Function, Health, HolderSample, InHand,
    KubeHealth, Lock, LockWaitTotals, Matrix, Moment, MsgType, OwnUse, OwnerEvidence, Part, Pod,
    ProbeCost, ProcessInfo, Qos, Queued, ReaderActivity, RunnerRelation, TapCounts, ThreadActivity,
    ThreadName, ThreadUse, Update, Wait, Waiting, WindowClosures,
    fixtures::{any_message, cells, session},
};

fn part() -> impl Strategy<Value = Part> {
    prop::sample::select(&Part::ALL[..])
}

fn thread() -> impl Strategy<Value = ThreadName> {
    (any::<u32>(), any::<u32>(), ".{0,15}").prop_map(|(tid, pid, comm)| ThreadName {
        tid,
        pid,
        comm,
    })
}

fn culprit() -> impl Strategy<Value = Culprit> {
    let lock = prop_oneof![
        Just(Lock::Gil),
        any::<u64>().prop_map(|address| Lock::Futex { address })
    ];
    let relation = prop::sample::select(
        &[
            RunnerRelation::SameProcess,
            RunnerRelation::SameCgroup,
            RunnerRelation::OtherCgroup,
            RunnerRelation::Kernel,
        ][..],
    );
    let object = prop_oneof![
        Just(CallObject::None),
        (any::<u64>(), prop::collection::vec(".{0,9}", 0..3))
            .prop_map(|(inode, others)| CallObject::Pipe { inode, others }),
        ".{0,20}".prop_map(|peer| CallObject::Socket { peer }),
        ".{0,20}".prop_map(|path| CallObject::File { path }),
        ".{0,20}".prop_map(CallObject::Other),
    ];
    prop_oneof![
        (lock, thread()).prop_map(|(lock, thread)| Culprit::Holder { lock, thread }),
        (thread(), ".{0,30}", relation).prop_map(|(thread, cgroup, relation)| Culprit::Runner {
            thread,
            cgroup,
            relation
        }),
        ".{0,30}".prop_map(|cgroup| Culprit::Quota { cgroup }),
        ("[a-z]{0,9}", object).prop_map(|(name, object)| Culprit::Call { name, object }),
    ]
}

prop_compose! {
    /// A message whose instants need not fit together.
    fn wild_message()(
        mut m in (0_u16..3).prop_flat_map(any_message),
        (tid, bytes) in any::<(u32, u32)>(),
        aftermath in any::<[u64; 5]>(),
        msg_type in prop::sample::select(vec!["8", "AE", "zz9Z", "0"]),
        at in prop::option::weighted(0.5, any::<[i64; 5]>()),
        ack_pending_ns in any::<u64>(),
        charges in prop::collection::vec(
            (part(), any::<u32>(), any::<u64>())
                .prop_map(|(part, id, ns)| Charge {
                    part,
                    culprit: CulpritId(id),
                    ns,
                    held_back_ns: ns / 2,
                }),
            0..4,
        ),
    ) -> Update {
        m.tid = tid;
        m.bytes = bytes;
        let [lock_wait_ns, throttle_ns, blocked_ns, ..] = aftermath;
        m.aftermath.queued = Aftermath {
            lock_wait_ns,
            throttle_ns,
            blocked_ns,
            lock_retry_ns: aftermath[3],
        };
        m.aftermath.in_app.blocked_ns = aftermath[4];
        m.msg_type = MsgType::new(msg_type.as_bytes()).expect("a message type");
        if let Some([sent, resolution, arrived, received, handed_off]) = at {
            m.sent.utc_ns = sent;
            m.sent.resolution_ns = resolution;
            m.arrived_ns = m.arrived_ns.map(|_| arrived);
            m.received_ns = received;
            m.handed_off_ns = handed_off;
            m.handed_off_at = sent as u64;
        }
        m.ack_pending_ns = ack_pending_ns;
        m.charges = charges;
        Update::Message(Box::new(m))
    }
}

fn health() -> impl Strategy<Value = Update> {
    (any::<[u64; 5]>(), any::<bool>(), ".{0,9}").prop_map(|(n, chosen, text)| {
        let mut health = Health::default();
        health.set_lost("arrival_record", n[0]);
        health.set_lost("malformed_record", n[1]);
        health.set_anomaly("clock_steps", n[2]);
        health.ring_high_water_bytes = n[3];
        health.kube = chosen.then(|| KubeHealth {
            up: n[0] % 2 == 0,
            pods: n[1],
            errors: vec![(text.clone(), n[2])],
        });
        health.own = chosen.then_some(OwnUse {
            resident_bytes: n[0],
            cpu_ns: n[1],
            open_fds: n[2],
            max_fds: chosen.then_some(n[3]),
        });
        health.discovery = chosen.then_some(DiscoveryCounts {
            fix: n[2],
            other: n[3],
            not_selected: n[4],
        });
        health.probes = vec![ProbeCost {
            name: text.clone(),
            runs: n[4],
            run_time_ns: n[3],
        }];
        health.capabilities = vec![Capability {
            name: text.clone(),
            availability: if chosen {
                Availability::Observed(text)
            } else {
                Availability::Unavailable(text)
            },
        }];
        Update::Health(Box::new(health))
    })
}

fn cgroup() -> impl Strategy<Value = Update> {
    let level = (".{0,20}", prop::option::of(any::<u64>()), any::<[u64; 5]>()).prop_map(
        |(path, quota_ns, n)| CgroupLevel {
            path,
            quota_ns,
            period_ns: n[0],
            usage_ns: (n[1] % 5 > 0).then_some(n[1]),
            periods: n[2],
            throttled_periods: n[3],
            throttled_ns: n[4],
        },
    );
    (any::<u32>(), prop::collection::vec(level, 0..3))
        .prop_map(|(pid, levels)| Update::Cgroup(Box::new(CgroupUse { pid, levels })))
}

fn wait() -> impl Strategy<Value = Update> {
    (any::<[u64; 3]>(), any::<[u32; 3]>(), part()).prop_map(|(ns, n, part)| {
        Update::Wait(Wait {
            tid: n[0],
            part,
            culprit: CulpritId(n[1]),
            from_ns: ns[0],
            to_ns: ns[1],
            ns: ns[2],
            timeouts: n[2],
        })
    })
}

/// Any update.
pub(super) fn any_update() -> impl Strategy<Value = Update> {
    let id = || (0_u16..3).prop_map(session);
    prop_oneof![
        6 => wild_message(),
        1 => (id(), prop::sample::select(&ExclusionReason::ALL[..]))
            .prop_map(|(id, why)| Update::Excluded(id, why)),
        1 => (id(), any::<[u64; 4]>()).prop_map(|(id, n)| Update::Tap(id, TapCounts {
            garbled: n[0],
            skipped_bytes: n[1],
            lost_bytes: n[2],
            incomplete_headers: n[3],
        })),
        1 => (id(), any::<u64>(), any::<u64>()).prop_map(|(id, lock_waits, longest)| {
            Update::LockWaits(id, LockWaitTotals { lock_waits, longest_lock_wait_ns: longest })
        }),
        1 => id().prop_map(Update::SessionEnded),
        1 => health(),
        1 => (any::<u32>(), culprit())
            .prop_map(|(id, c)| Update::Culprit(CulpritId(id), Arc::new(c))),
        1 => wait(),
        1 => cgroup(),
        1 => (thread(), any::<bool>(), any::<[u64; Part::ALL.len()]>())
            .prop_map(|(thread, tracked, ns)| {
                Update::ThreadUse(Box::new(ThreadUse { thread, tracked, ns }))
            }),
        1 => sample(),
        2 => waiting(),
        1 => process(),
        1 => any::<u32>().prop_map(Update::ProcessEnded),
        1 => any::<u32>().prop_map(|id| Update::CulpritRetired(CulpritId(id))),
        1 => (0..3_u16, any::<[u64; 7]>())
            .prop_map(|(n, parts)| {
                let closures = WindowClosures { closed: 5, longest_ns: parts[0], parts };
                Update::Window(session(n), closures)
            }),
    ]
}

prop_compose! {
    /// What waits, with instants and amounts that need not fit together. What the reader sleeps in
    /// is not recorded.
    fn waiting()(
        n in 0_u16..3,
        cells in cells(),
        (amounts, instants) in any::<([u64; 3], [u64; 2])>(),
        optional in any::<[Option<u64>; 5]>(),
        is_lower_bound in any::<bool>(),
        waited_ns in any::<[u64; Part::ALL.len()]>(),
        reader in prop::option::of(reader()),
    ) -> Update {
        let mut matrix = Matrix::default();
        for (stage, part, ns) in cells {
            matrix.add(stage, part, ns);
        }
        Update::Waiting(session(n), Box::new(Waiting {
            at_ns: instants[0],
            in_hand: InHand { messages: amounts[0], bytes: amounts[1] },
            queued: Queued { bytes: amounts[2], messages: optional[0], since_ns: optional[1] },
            window_closed_since_ns: optional[2],
            split: matrix.try_into().expect("balanced"),
            is_lower_bound,
            waits_since_ns: optional[3],
            last_hand_off_ns: optional[4],
            reader: reader.map(|reader| ReaderActivity { since_ns: instants[1], ..reader }),
            waited_ns,
        }))
    }
}

fn reader() -> impl Strategy<Value = ReaderActivity> {
    let owner = prop::sample::select(
        &[
            OwnerEvidence::None,
            OwnerEvidence::Lock,
            OwnerEvidence::LastRelease,
        ][..],
    );
    let culprit = prop::option::of(any::<u32>().prop_map(CulpritId));
    let deadlock = prop::collection::vec(thread(), 0..3);
    (any::<[u32; 2]>(), part(), culprit, owner, deadlock).prop_map(
        |([tid, pid], state, culprit, owner, deadlock)| ReaderActivity {
            tid,
            pid,
            state,
            since_ns: 0,
            sleep: None,
            culprit,
            owner,
            deadlock,
        },
    )
}

fn process() -> impl Strategy<Value = Update> {
    let text = || ".{0,20}";
    let named = || prop::option::of(text());
    let container =
        (text(), named(), named()).prop_map(|(id, runtime, name)| Container { id, runtime, name });
    let qos = prop::option::of(prop_oneof![
        Just(Qos::Guaranteed),
        Just(Qos::Burstable),
        Just(Qos::BestEffort)
    ]);
    let pod = (text(), named(), named(), qos).prop_map(|(uid, namespace, name, qos)| Pod {
        uid,
        namespace,
        name,
        qos,
    });
    (
        any::<[u32; 2]>(),
        text(),
        prop::option::of(container),
        prop::option::of(pod),
        any::<(Option<u64>, Option<(u64, u64)>, Option<u64>)>(),
    )
        .prop_map(|(pids, comm, container, pod, cpu)| {
            Update::Process(Box::new(ProcessInfo {
                pid: pids[0],
                inner_pid: pids[1],
                comm,
                container,
                pod,
                cpu_request_millis: cpu.0,
                cpu_request_between: cpu.1,
                cpu_limit_millis: cpu.2,
            }))
        })
}

fn sample() -> impl Strategy<Value = Update> {
    let text = || prop::option::of(".{0,20}");
    (any::<u64>(), 0..9_u32, text(), text()).prop_map(|(at_ns, id, call, name)| {
        let place = "a.py:7".to_owned();
        Update::HolderSample(Box::new(HolderSample {
            at_ns,
            waiter: 7,
            culprit: CulpritId(id),
            activity: ThreadActivity {
                state: Part::OnCpu,
                call,
                function: name.map(|name| Function {
                    name,
                    location: place,
                }),
            },
        }))
    })
}

pub(super) fn any_moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        (0_u64..1000).prop_map(moment),
        (any::<u64>(), any::<i64>()).prop_map(|(monotonic_ns, utc_ns)| Moment {
            monotonic_ns,
            utc_ns
        }),
    ]
}
