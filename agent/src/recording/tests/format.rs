//! The bytes of every kind of record.

use std::sync::Arc;

use super::{
    super::{VERSION, codec},
    day, moment,
};
use crate::domain::{
    CallObject, CgroupLevel, CgroupUse, Container, Culprit, CulpritId, DiscoveryCounts,
    ExclusionReason, Function, Health, HolderSample, KubeHealth, LockWaitTotals, OwnUse, Part, Pod,
    ProcessInfo, RunnerRelation, TapCounts, ThreadActivity, ThreadName, ThreadUse, Update, Wait,
    WindowClosures,
    fixtures::{session, waiting},
};

/// Fails when a recorded type of the domain changes: raise [`VERSION`] then, and
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
        Update::Waiting(session(0), Box::new(waiting(10, 5, Part::LockWait))),
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
        (VERSION, sum),
        (7, 3_174_995_223),
        "{:02x?}",
        encoder.bytes()
    );
}
