//! Every cause with its evidence and its words.

use std::sync::Arc;

use super::{MS, SECOND, evidence};
use crate::{
    domain::{
        CallObject, Culprit, Function, Lock, Part, RunnerRelation, Stage, ThreadActivity,
        ThreadName,
    },
    stats::{BlameRow, HolderSamples, WaitStats},
    verdict::{Cause, CpuLimit, CpuUse, Evidence, Verdict, diagnose},
    what_if::ReaderTime,
};

fn says(evidence: &Evidence, causes: &[Cause], words: &[&str]) -> Verdict {
    let verdict = diagnose(evidence);
    println!(
        "{:?} {}\n  {:?}",
        verdict.causes, verdict.sentence, verdict.evidence
    );
    assert_eq!(verdict.causes, causes, "{}", verdict.sentence);
    let said = format!("{} {}", verdict.sentence, verdict.advice);
    for word in words {
        assert!(said.contains(word), "{word}: {said}");
    }
    verdict
}

/// Charged with half of the part.
fn blamed(e: &Evidence, part: Part, culprit: Culprit) -> Vec<BlameRow> {
    vec![BlameRow {
        part,
        culprit: Some(Arc::new(culprit)),
        ns: e.figures.sums.part(part) / 2,
        held_back_ns: 0,
        waits: WaitStats {
            count: 100,
            ns: 500_000_000,
            longest_ns: 9_000_000,
            uninterruptible: 0,
            uninterruptible_ns: 0,
        },
        samples: HolderSamples::default(),
    }]
}

fn thread(comm: &str) -> ThreadName {
    ThreadName {
        tid: 77,
        pid: 70,
        comm: comm.to_owned(),
    }
}

fn holder(lock: Lock) -> Culprit {
    Culprit::Holder {
        lock,
        thread: thread("json-worker"),
    }
}

fn pod(cores: f64, used: f64, throttled_periods: u64) -> CpuUse {
    CpuUse {
        path: "/podX/app".to_owned(),
        cores: Some(used),
        limit: Some(CpuLimit {
            path: "/podX".to_owned(),
            quota_ns: (cores * 1e8) as u64,
            period_ns: 100_000_000,
            cores,
            used: Some(used),
            periods: 10,
            throttled_periods,
        }),
        request: None,
    }
}

#[test]
fn young_messages_are_healthy_whatever_they_waited_for() {
    let e = evidence(&[(Stage::Queued, Part::LockWait, 9 * MS)], 0.0);
    let verdict = says(&e, &[Cause::Healthy], &["p99 9.0"]);
    assert!(verdict.is_healthy());
    let e = evidence(&[(Stage::Queued, Part::LockWait, 11 * MS)], 0.0);
    assert!(!says(&e, &[Cause::StarvedByLock], &[]).is_healthy());
    // Young as yet, but for how long?
    let e = evidence(&[(Stage::Queued, Part::LockWait, MS / 10)], 0.009);
    says(&e, &[Cause::Healthy], &[]);
    let e = evidence(&[(Stage::Queued, Part::LockWait, MS / 10)], 0.5);
    says(&e, &[Cause::StarvedByLock], &[]);
}

#[test]
fn a_lock_is_named_with_its_holder_and_the_kinds_of_holds() {
    let mut e = evidence(
        &[
            (Stage::Queued, Part::LockWait, 900 * MS),
            (Stage::InApp, Part::OnCpu, 20 * MS),
        ],
        0.0,
    );
    says(
        &e,
        &[Cause::StarvedByLock],
        &["waits for a lock", "the holder is not known"],
    );
    e.cpu = Some(pod(2.5, 0.4, 0));
    e.blame = blamed(&e, Part::LockWait, holder(Lock::Futex { address: 64 }));
    let words = [
        "lock 0x40",
        "held for 50.0% of that time by json-worker/77",
        "100 waits",
        "Hold the lock for a shorter time",
        "More CPU will not help: the pod uses 0.4 of 2.5 cores.",
    ];
    says(&e, &[Cause::StarvedByLock], &words);
    e.blame = blamed(&e, Part::LockWait, holder(Lock::Gil));
    says(
        &e,
        &[Cause::StarvedByLock],
        &["the GIL", "0 uninterruptible holds", "setswitchinterval"],
    );
    e.blame[0].waits.uninterruptible = 2;
    e.blame[0].waits.uninterruptible_ns = 300_000_000;
    says(
        &e,
        &[Cause::StarvedByLock],
        &["2 uninterruptible holds, 98 hand-overs", "Split the calls"],
    );
    let activity = ThreadActivity {
        state: Part::OnCpu,
        call: None,
        function: Some(Function {
            name: "iterencode".to_owned(),
            location: "json/encoder.py:182".to_owned(),
        }),
    };
    e.blame[0].samples = HolderSamples {
        total: 40,
        activities: vec![(activity, 30)],
    };
    let words = ["on-cpu in iterencode (json/encoder.py:182) in 75.0% of 40 samples"];
    says(&e, &[Cause::StarvedByLock], &words);
    e.blame[0].samples.total = 80;
    assert!(!diagnose(&e).sentence.contains("iterencode"));
    e.cpu = Some(pod(0.4, 0.4, 0));
    assert!(!diagnose(&e).advice.contains("More CPU"));
}

#[test]
fn throttling_is_explained_by_the_limit_and_advises_a_higher_one() {
    let mut e = evidence(&[(Stage::Queued, Part::Throttle, 500 * MS)], 0.5);
    says(&e, &[Cause::Throttled], &["Raise the limit of its cgroup"]);
    e.cpu = Some(pod(0.2, 0.2, 10));
    e.reader_time = ReaderTime::of(&[(Part::OnCpu, 50 * MS)]);
    // Two arrive for each one handed off, and a quarter more: 0.2 x 2 x 1.25.
    let words = [
        "/podX allows 0.20 cores",
        "20.0ms in 100ms",
        "10 of 10 periods",
        "0.20 cores were used, 0.05 of them by the ingest thread",
        "about 0.50 cores would be enough",
    ];
    says(&e, &[Cause::Throttled], &words);
}

#[test]
fn threads_that_ran_on_the_cpu_are_named() {
    let mut e = evidence(&[(Stage::InApp, Part::RunQueue, 50 * MS)], 0.0);
    says(
        &e,
        &[Cause::RunQueuePressure],
        &["which threads ran meanwhile is not known"],
    );
    let runner = Culprit::Runner {
        thread: thread("spin"),
        cgroup: "/podY".to_owned(),
        relation: RunnerRelation::OtherCgroup,
    };
    e.blame = blamed(&e, Part::RunQueue, runner);
    says(
        &e,
        &[Cause::RunQueuePressure],
        &["spin/77 ran on it for 50.0% of that time, of another cgroup"],
    );
    // Above its request it has the CPU only while no other container wants it.
    let mut cpu = pod(4.0, 0.9, 0);
    cpu.request = Some(0.25);
    e.cpu = Some(cpu.clone());
    says(
        &e,
        &[Cause::RunQueuePressure],
        &["requests 0.25 CPUs (requests.cpu) and uses 0.90"],
    );
    cpu.request = Some(1.0);
    e.cpu = Some(cpu);
    assert!(!diagnose(&e).advice.contains("requests.cpu"));
}

#[test]
fn a_sink_is_named_by_call_and_object() {
    let mut e = evidence(&[(Stage::InApp, Part::Blocked, 50 * MS)], 0.0);
    says(&e, &[Cause::SlowSink], &["which one is not known"]);
    let object = CallObject::Pipe {
        inode: 17,
        others: vec!["drain/9".to_owned()],
    };
    let call = Culprit::Call {
        name: "write".to_owned(),
        object,
    };
    e.blame = blamed(&e, Part::Blocked, call);
    let words = ["for 50.0% of that time in write on a pipe to drain/9"];
    says(&e, &[Cause::SlowSink], &words);
}

#[test]
fn work_is_slow_while_it_keeps_up_and_too_much_when_it_does_not() {
    let e = evidence(&[(Stage::InApp, Part::OnCpu, 50 * MS)], 0.0);
    says(&e, &[Cause::SlowHandler], &["the thread keeps up"]);
    let e = evidence(&[(Stage::Queued, Part::OnCpu, 50 * MS)], 0.2);
    says(
        &e,
        &[Cause::Overloaded],
        &["1.25 messages arrive for each one handed off"],
    );
}

#[test]
fn the_network_and_the_venues_clock_are_distinguished_from_the_reader() {
    let mut e = evidence(&[(Stage::InFlight, Part::Network, 40 * MS)], 0.0);
    says(&e, &[Cause::NetworkOrVenueLate], &["40.0ms old on average"]);
    e.figures.ack_pending_ns = 3_900 * MS as u128;
    says(
        &e,
        &[Cause::NetworkOrVenueLate],
        &["an acknowledgement of ours was pending"],
    );
    let e = evidence(
        &[
            (Stage::InFlight, Part::Network, -250 * MS),
            (Stage::InApp, Part::OnCpu, MS),
        ],
        0.0,
    );
    says(&e, &[Cause::ClockSkew], &["ahead of ours by 250ms"]);
}

#[test]
fn whole_second_stamps_are_no_late_venue() {
    let mut e = evidence(&[(Stage::InFlight, Part::Network, 600 * MS)], 0.0);
    e.figures.coarse_ns = SECOND;
    says(&e, &[Cause::Healthy], &[]);
}

#[test]
fn ties_are_named_and_many_small_causes_are_not() {
    let lock = (Stage::Queued, Part::LockWait, 100 * MS);
    let e = evidence(&[lock, (Stage::Queued, Part::Throttle, 92 * MS)], 0.0);
    says(
        &e,
        &[Cause::StarvedByLock, Cause::Throttled],
        &["waits for a lock", "Also the CPU quota"],
    );
    let e = evidence(&[lock, (Stage::Queued, Part::Throttle, 88 * MS)], 0.0);
    says(&e, &[Cause::StarvedByLock], &[]);
    let e = evidence(&[lock, (Stage::Queued, Part::Unknown, 150 * MS)], 0.0);
    says(
        &e,
        &[Cause::Unknown],
        &["60.0% of the age was not observed"],
    );
    let crowd = [
        Part::LockWait,
        Part::Throttle,
        Part::RunQueue,
        Part::Blocked,
        Part::OnCpu,
    ];
    let crowd = crowd.map(|part| (Stage::InApp, part, 20 * MS));
    says(
        &evidence(&crowd, 0.0),
        &[Cause::Unknown],
        &["no single cause"],
    );
}
