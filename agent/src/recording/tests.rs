//! What is recorded is read back, whatever it is and wherever the file ends.

use std::{fs, path::Path, sync::Arc};

use proptest::prelude::*;

use super::{writer::Writer, *};
use crate::domain::{
    Aftermath, Availability, CallObject, Capability, CgroupLevel, CgroupUse, Charge, Container,
    Culprit, CulpritId, DiscoveryCounts, ExclusionReason, Function, Health, HolderSample,
    KubeHealth, Lock, LockWaitTotals, Moment, OwnUse, Part, Pod, ProbeCost, ProcessInfo, Qos,
    RunnerRelation, Sink as _, Stage, TapCounts, ThreadActivity, ThreadName, ThreadUse, Update,
    Wait, WindowClosures,
    fixtures::{any_message, message, session},
};
use crate::pipeline::RecordingSink as _;

const LARGE: u64 = 1 << 30;

fn moment(n: u64) -> Moment {
    Moment {
        monotonic_ns: 5_000_000_000 + n,
        utc_ns: 1_700_000_000_000_000_000 + n as i64,
    }
}

fn header() -> Header {
    Header::new("pid 411", moment(0), std::time::Duration::from_secs(120))
}

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
                .prop_map(|(part, id, ns)| Charge { part, culprit: CulpritId(id), ns, held_back_ns: ns / 2 }),
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
        m.msg_type = crate::domain::MsgType::new(msg_type.as_bytes()).expect("a message type");
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

/// Any input.
fn any_update() -> impl Strategy<Value = Update> {
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
        1 => (any::<u32>(), culprit()).prop_map(|(id, c)| Update::Culprit(CulpritId(id), Arc::new(c))),
        1 => wait(),
        1 => cgroup(),
        1 => (thread(), any::<bool>(), any::<[u64; Part::ALL.len()]>())
            .prop_map(|(thread, tracked, ns)| {
                Update::ThreadUse(Box::new(ThreadUse { thread, tracked, ns }))
            }),
        1 => sample(),
        1 => process(),
        1 => any::<u32>().prop_map(Update::ProcessEnded),
        1 => any::<u32>().prop_map(|id| Update::CulpritRetired(CulpritId(id))),
        1 => (0..3_u16, any::<[u64; 7]>())
            .prop_map(|(n, parts)| Update::Window(session(n), WindowClosures { closed: 5, longest_ns: parts[0], parts })),
    ]
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

fn any_moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        (0_u64..1000).prop_map(moment),
        (any::<u64>(), any::<i64>()).prop_map(|(monotonic_ns, utc_ns)| Moment {
            monotonic_ns,
            utc_ns
        }),
    ]
}

fn record(path: &Path, max_size: u64, updates: &[(Moment, Update)]) -> Written {
    let mut writer = Writer::create(path, max_size, header()).expect("a file");
    for (now, update) in updates {
        writer.update(*now, update.clone()).expect("written");
    }
    writer.end(None).expect("written")
}

/// Inputs have no equality of their own; their text names every field.
fn text<'a>(updates: impl IntoIterator<Item = &'a (Moment, Update)>) -> Vec<String> {
    updates
        .into_iter()
        .map(|told| format!("{told:?}"))
        .collect()
}

fn read(reader: Reader) -> Vec<(Moment, Update)> {
    reader.map(|told| told.expect("whole")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn what_was_told_is_told_again(
        updates in prop::collection::vec((any_moment(), any_update()), 0..60),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r");
        record(&path, LARGE, &updates);
        let mut reader = Reader::open(&path).expect("a recording");
        prop_assert_eq!(reader.header(), &header());
        let found: Vec<_> = reader.by_ref().map(|told| told.expect("whole")).collect();
        prop_assert_eq!(text(&found), text(&updates));
        let until = updates.last().map_or(moment(0), |(now, _)| *now);
        prop_assert_eq!((reader.until(), reader.lost()), (until, 0));
    }

    #[test]
    fn what_the_recorder_is_told_is_told_again(
        updates in prop::collection::vec((any_moment(), any_update()), 0..60),
        hand_over_every in 1_usize..20,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r");
        let mut recorder = Recorder::start(&path, LARGE, header()).expect("a file");
        for (n, (now, update)) in updates.iter().enumerate() {
            recorder.publish(*now, update.clone());
            if n % hand_over_every == 0 {
                recorder.flush();
            }
        }
        let written = recorder.close().expect("written");
        prop_assert_eq!((written.updates, written.lost), (updates.len() as u64, 0));
        let found = read(Reader::open(&path).expect("a recording"));
        prop_assert_eq!(text(&found), text(&updates));
    }

    #[test]
    fn a_file_cut_anywhere_is_read_up_to_its_last_whole_frame(
        updates in prop::collection::vec((any_moment(), any_update()), 1..40),
        flush_every in 1_usize..10,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r");
        let mut writer = Writer::create(&path, LARGE, header()).expect("a file");
        // How many updates a file of so many bytes holds.
        let mut whole = vec![(0, 0)];
        for (n, (now, update)) in updates.iter().enumerate() {
            writer.update(*now, update.clone()).expect("written");
            if (n + 1) % flush_every == 0 {
                writer.flush().expect("written");
                whole.push((fs::metadata(&path).expect("a file").len() as usize, n + 1));
            }
        }
        writer.end(None).expect("written");
        let bytes = fs::read(&path).expect("a file");
        let all = text(&updates);
        for cut in 0..bytes.len() {
            let Ok(reader) = Reader::new(std::io::Cursor::new(bytes[..cut].to_vec())) else {
                continue;
            };
            let (told, errors): (Vec<_>, Vec<_>) = reader.partition(Result::is_ok);
            prop_assert!(matches!(errors[..], [Err(ReadError::Truncated { .. })]), "{:?}", errors);
            let expected = whole.iter().rev().find(|(size, _)| *size <= cut).map_or(0, |w| w.1);
            let told: Vec<_> = told.into_iter().flatten().collect();
            prop_assert_eq!(text(&told), &all[..expected]);
        }
    }

    #[test]
    fn a_damaged_file_is_told_and_never_panics(
        updates in prop::collection::vec((any_moment(), any_update()), 1..40),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r");
        record(&path, LARGE, &updates);
        let whole = fs::read(&path).expect("a file");
        let mut bytes = whole.clone();
        for (at, byte) in damage {
            *at.get_mut(&mut bytes) = byte;
        }
        let read = Reader::new(std::io::Cursor::new(bytes.clone()))
            .map(|reader| reader.filter(Result::is_err).count());
        if bytes != whole {
            prop_assert!(!matches!(read, Ok(0)));
        }
    }

    #[test]
    fn records_of_any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut decoder = codec::Decoder::new(moment(0));
        let mut rest = &bytes[..];
        while !rest.is_empty() && decoder.next(&mut rest).is_some() {}
    }
}

/// Messages like a day's, their ages growing and falling.
fn day(count: u64) -> Vec<(Moment, Update)> {
    let (a, b) = (session(0), session(1));
    let noise = |n: u64| {
        let mixed = (n ^ (n << 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 44) as i64
    };
    (0..count)
        .map(|n| {
            let cells = [
                (Stage::InFlight, Part::Network, 40_000 + noise(n)),
                (Stage::Queued, Part::LockWait, 3_000_000 + 9 * noise(n + 1)),
                (Stage::Queued, Part::RunQueue, 50_000 + noise(n + 2)),
                (Stage::InApp, Part::OnCpu, 20_000 + noise(n + 3)),
            ];
            let mut m = message(if n % 3 == 0 { &a } else { &b }, n, &cells);
            m.charges = vec![Charge {
                part: Part::LockWait,
                culprit: CulpritId(1),
                ns: 2_900_000,
                held_back_ns: 0,
            }];
            (moment(n * 20_000_000), Update::Message(Box::new(m)))
        })
        .collect()
}

#[test]
fn a_message_takes_few_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = record(&folder.path().join("r"), LARGE, &day(10_000));
    let each = written.bytes as f64 / written.messages as f64;
    assert!(each < 45.0, "{each} bytes a message");
}

#[test]
fn the_oldest_segment_goes_first_and_each_can_be_read_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r");
    let max_size = 2 << 20;
    let culprit = Culprit::Quota {
        cgroup: "/pod".to_owned(),
    };
    let facts = LockWaitTotals {
        lock_waits: 3,
        longest_lock_wait_ns: 5,
    };
    let mut updates = vec![
        (moment(0), Update::Culprit(CulpritId(1), Arc::new(culprit))),
        (moment(0), Update::LockWaits(session(0), facts)),
        (moment(0), Update::Health(Box::default())),
    ];
    let told_again = updates.len();
    updates.extend(day(120_000));
    let written = record(&path, max_size, &updates);
    assert!(written.dropped_segments > 0, "{written}");
    let room: u64 = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|file| file.expect("a file").metadata().expect("a file").len())
        .sum();
    assert!(room <= max_size, "{room}");
    assert!(room > max_size / 2, "{room}");

    let reader = Reader::open(&path).expect("a recording");
    assert_eq!(reader.header().segment, written.dropped_segments);
    let from = reader.header().from;
    let found = text(&read(reader));
    // What is repeated is there once, the rest is what was told last.
    let (repeated, rest) = found.split_at(told_again);
    let all = text(&updates);
    assert_eq!(rest, &all[all.len() - rest.len()..]);
    assert!(repeated[0].contains("/pod") && repeated[0].contains(&from.utc_ns.to_string()));
    assert!(repeated[1].contains("lock_waits: 3"), "{}", repeated[1]);
    assert!(repeated[2].contains("Health"), "{}", repeated[2]);

    for n in 1..SEGMENTS {
        let alone = text(&read(
            Reader::open(&segment_path(&path, n)).expect("a segment"),
        ));
        assert!(alone[0].contains("/pod"), "{}", alone[0]);
        let at = all
            .iter()
            .position(|t| *t == alone[told_again])
            .expect("told");
        assert_eq!(alone[told_again..], all[at..at + alone.len() - told_again]);
    }

    // A new recording of that name takes the place of all of them.
    record(&path, max_size, &updates[..10]);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    let found = read(Reader::open(&path).expect("a recording"));
    assert_eq!(text(&found), all[..10]);
}

#[test]
fn what_is_no_recording_is_told_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r");
    fs::write(&path, "price list").expect("written");
    assert!(matches!(Reader::open(&path), Err(ReadError::NotARecording)));
    let refused = Writer::create(&path, LARGE, header());
    assert!(
        matches!(refused, Err(WriteError::Foreign(_))),
        "{refused:?}"
    );
    assert_eq!(fs::read(&path).expect("there"), b"price list");

    let device = Writer::create(Path::new("/dev/null"), LARGE, header());
    assert!(matches!(device, Err(WriteError::Foreign(_))), "{device:?}");

    record(&folder.path().join("s"), LARGE, &day(3));
    let mut bytes = fs::read(folder.path().join("s")).expect("there");
    bytes[8] = 99;
    let other = Reader::new(std::io::Cursor::new(bytes));
    assert!(matches!(other, Err(ReadError::Version(99))), "{other:?}");
    let missing = Reader::open(&folder.path().join("t"));
    assert!(matches!(missing, Err(ReadError::Io(_))), "{missing:?}");
}

#[test]
fn intervals_and_the_end_are_told_and_losses_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r");
    let mut recorder = Recorder::start(&path, LARGE, header()).expect("a file");
    for (now, input) in day(5000) {
        recorder.publish(now, input);
    }
    recorder.publish(moment(1), Update::IntervalEnded);
    recorder.end(moment(2));
    let written = recorder.close().expect("written");
    assert_eq!((written.messages, written.lost), (5000, 0));
    let mut reader = Reader::open(&path).expect("a recording");
    let mut told = Vec::new();
    for next in reader.by_ref() {
        told.push(next.expect("whole"));
    }
    assert_eq!(told.len(), 5001);
    assert!(matches!(told[5000], (now, Update::IntervalEnded) if now == moment(1)));
    assert_eq!(reader.until(), moment(2));

    let mut writer = Writer::create(&path, LARGE, header()).expect("a file");
    writer.lost(7).expect("written");
    writer.end(Some(moment(9))).expect("written");
    let mut reader = Reader::open(&path).expect("a recording");
    assert!(reader.next().is_none());
    assert_eq!((reader.lost(), reader.until()), (7, moment(9)));
}

/// Breaks when a type of the model that is recorded changes: raise [`segment::VERSION`] then, and
/// put the new sum here.
#[test]
fn the_format_is_the_one_of_its_version() {
    let mut encoder = codec::Encoder::new(moment(0));
    let mut health = Health::default();
    health.set_lost("arrival_record", 3);
    health.kube = Some(KubeHealth::default());
    health.discovery = Some(DiscoveryCounts::default());
    health.own = Some(OwnUse::default());
    let thread = ThreadName {
        tid: 1,
        pid: 2,
        comm: "c".to_owned(),
    };
    let updates = [
        day(1).remove(0).1,
        Update::Excluded(session(0), ExclusionReason::Unbalanced),
        Update::Tap(session(0), TapCounts::default()),
        Update::LockWaits(session(0), LockWaitTotals::default()),
        Update::Window(session(0), WindowClosures::default()),
        Update::SessionEnded(session(0)),
        Update::Health(Box::new(health)),
        Update::Culprit(
            CulpritId(1),
            Arc::new(Culprit::Runner {
                thread: thread.clone(),
                cgroup: "/".to_owned(),
                relation: RunnerRelation::Kernel,
            }),
        ),
        Update::Culprit(
            CulpritId(2),
            Arc::new(Culprit::Call {
                name: "write".to_owned(),
                object: CallObject::Other("o".to_owned()),
            }),
        ),
        Update::Wait(Wait {
            tid: 1,
            part: Part::Unknown,
            culprit: CulpritId(2),
            from_ns: 1,
            to_ns: 5,
            ns: 2,
            timeouts: 3,
        }),
        Update::Cgroup(Box::new(CgroupUse {
            pid: 1,
            levels: vec![CgroupLevel::default()],
        })),
        Update::Process(Box::new(ProcessInfo {
            pid: 1,
            inner_pid: 2,
            comm: "c".to_owned(),
            container: Some(Container::default()),
            pod: Some(Pod::default()),
            cpu_request_millis: Some(250),
            cpu_request_between: Some((1, 2)),
            cpu_limit_millis: Some(500),
        })),
        Update::ProcessEnded(1),
        Update::CulpritRetired(CulpritId(1)),
        Update::HolderSample(Box::new(HolderSample {
            at_ns: 9,
            waiter: 1,
            culprit: CulpritId(1),
            activity: ThreadActivity {
                state: Part::RunQueue,
                call: None,
                function: Some(Function {
                    name: "f".to_owned(),
                    location: "a.py:1".to_owned(),
                }),
            },
        })),
        Update::ThreadUse(Box::new(ThreadUse {
            thread,
            tracked: true,
            ns: [1, 2, 3, 4, 5, 6, 7],
        })),
    ];
    for update in &updates {
        encoder.update(update).expect("encoded");
    }
    let sum = crc32fast::hash(encoder.bytes());
    assert_eq!(
        (segment::VERSION, sum),
        (6, 2_906_458_546),
        "{:02x?}",
        encoder.bytes()
    );
}
