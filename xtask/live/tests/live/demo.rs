//! The demo: the incident and its cure.

use demo::DemoMode;
use lab::blame::BlameEntry;
use lab::cpu;
use lab::gil_waits::WaitTotals;
use lab::rivals::Rivals;
use live::{agent_binary, one_at_a_time, rival, waker};
use tag52::verdict::HEALTHY_NS;
use workspace::child::Guarded;

fn demonstrate(mode: DemoMode, seconds: u64) -> (demo::DemoSummary, demo::AgentSummary) {
    let options = demo::DemoOptions {
        mode,
        seconds,
        ..demo::DemoOptions::default()
    };
    let summary = demo::run(&options, Some(&agent_binary()), |_| {}).expect("the demo runs");
    let agent = summary.agent.clone().expect("the agent's summary");
    assert_eq!(agent.inexact, 0);
    (summary, agent)
}

fn is_processor(row: &BlameEntry) -> bool {
    row.comm.as_deref() == Some("processor")
}

/// The demo's processor holds the GIL, mostly in calls of a C encoder that do not yield; by time,
/// not by its waiter's wake-ups, which a timer does on top of whoever runs.
fn processor_is_blamed(incident: &demo::AgentSummary) {
    let share = (incident.charges).share("lock_wait", is_processor);
    assert!(share > 0.9, "{:?}", incident.blame);
}

/// Of the ingest thread's waits those that outlasted a request to yield are as many as by the
/// application's own log.
fn holds_are_distinguished_from_hand_overs(
    summary: &demo::DemoSummary,
    incident: &demo::AgentSummary,
) {
    let found = WaitTotals::of(
        incident
            .charges
            .rows("lock_wait")
            .filter(|row| is_processor(row)),
    );
    let truth = &summary.account.gil;
    for share in truth.share_errors(&found) {
        assert!(share.passes(), "{share:?}: {found:?} beside {truth:?}");
    }
}

#[test]
fn bystanders_are_blamed_for_no_lock() {
    let _guard = one_at_a_time();
    // The ingest thread's timed waits are ended by a timer on top of whoever happens to run: some
    // only compute, some are in futex(2), as if they released a lock.
    let crowd = |cpu| -> Vec<Guarded> {
        let wakers = (0..2).map(|_| waker(cpu));
        (0..3).map(|_| rival(cpu)).chain(wakers).collect()
    };
    let (cpu, other) = cpu::pair().expect("two CPUs");
    let (near, far) = (crowd(cpu), crowd(other));
    let runners = Rivals::of(&near, &[cpu]).expect("their accounts");
    let distant = Rivals::of(&far, &[other]).expect("their accounts");
    let (summary, incident) = demonstrate(DemoMode::Thread, 8);
    processor_is_blamed(&incident);
    let blame = &incident.charges;
    let of_all = |row: &BlameEntry| runners.are_charged_by(row) || distant.are_charged_by(row);
    assert_eq!(blame.charged("lock_wait", of_all), 0, "{blame:?}");
    // For its CPU, which they had, they are.
    let ingest = summary.account.schedstat;
    let theirs = runners.share(ingest.on_cpu_ns).expect("/proc/stat");
    assert_eq!(
        blame.charged("run_queue", |row| distant.are_charged_by(row)),
        0
    );
    let waited = blame
        .rows("run_queue")
        .filter(|row| runners.are_charged_by(row));
    let waited: u64 = waited.map(|row| row.waits_ns).sum();
    // Each wait once: how many messages waited with it is chance. Where other programs had the CPU
    // for long, the bystanders may be among those that are not named.
    let alone = theirs > 0.8;
    let named: u64 = blame.rows("run_queue").map(|row| row.waits_ns).sum();
    assert!(
        !alone || waited as f64 > (theirs - 0.25) * named as f64,
        "{waited} of {named} ns blamed on them, who had {theirs} of the CPU: {blame:?}"
    );
    let ratio = waited as f64 / ingest.run_delay_ns as f64;
    let least = if alone { 0.4 } else { 0.0 };
    assert!(
        (least..1.05).contains(&ratio),
        "it waited {waited} ns for them, by the kernel's account {ingest:?}"
    );
}

#[test]
fn the_demo_distinguishes_the_incident_from_the_cure() {
    let _guard = one_at_a_time();
    let (summary, incident) = demonstrate(DemoMode::Thread, 12);
    assert_eq!(incident.dominant.as_deref(), Some("lock_wait"));
    // What other load on the machine does to the two threads is run queue.
    let share = |part| incident.parts[part].share;
    assert!(
        share("lock_wait") >= 0.9 * (1.0 - share("run_queue")),
        "{:?}",
        incident.parts
    );
    processor_is_blamed(&incident);
    holds_are_distinguished_from_hand_overs(&summary, &incident);
    let verdict = incident.verdict.as_ref().expect("a verdict");
    assert_eq!(verdict.causes[0], "starved_by_lock", "{verdict:?}");
    for words in [
        "the GIL",
        "of that time by processor/",
        "uninterruptible holds",
    ] {
        assert!(verdict.sentence.contains(words), "{words}: {verdict:?}");
    }
    let share = verdict.sentence.split("held for ").nth(1);
    let share = share.and_then(|rest| rest.split('%').next());
    let share = share.and_then(|share| share.trim_start_matches('>').parse::<f64>().ok());
    assert!(share.is_some_and(|share| share > 90.0), "{verdict:?}");
    let grown = incident.age_last_ns - incident.age_first_ns;
    assert!(grown > 1_000_000_000, "the age grew by {grown} ns only");
    let age = summary.app_lag.p50_ns;
    let difference = incident.join.difference;
    assert!(
        incident.join.joined * 10 >= summary.handed_off * 9,
        "{:?}",
        incident.join
    );
    assert!(
        difference.p50_ns * 100 < age && difference.p99_ns * 10 < age,
        "{difference:?}, lag {age} ns"
    );

    let (summary, cure) = demonstrate(DemoMode::Process, 6);
    assert!(cure.parts["lock_wait"].share < 0.05, "{:?}", cure.parts);
    let verdict = cure.verdict.as_ref().expect("a verdict");
    assert_ne!(verdict.causes[0], "starved_by_lock", "{verdict:?}");
    // On a machine so busy that even the cure's messages are old they are not healthy.
    if summary.app_lag.p99_ns * 5 < HEALTHY_NS * 4 {
        assert_eq!(verdict.causes, ["healthy"], "{verdict:?}");
    }
    assert!(
        cure.age.p50_ns * 10 < incident.age.p50_ns,
        "{:?} beside {:?}",
        cure.age,
        incident.age
    );
    assert!(
        cure.join.joined * 10 >= summary.handed_off * 9,
        "{:?}",
        cure.join
    );
}
