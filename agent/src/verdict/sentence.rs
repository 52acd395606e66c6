//! The causes in words.

use super::{
    cause::Cause,
    evidence::{CpuLimit, Evidence},
    measures::{arrivals_per_hand_off, cpu_per_message_ns, late_acks, share_of_age, share_of_part},
    thresholds::DOMINANT_SHARE,
};
use crate::{
    domain::{
        Culprit, OwnerEvidence, Part, RunnerRelation, Waiting,
        units::{HumanBytes, HumanDuration, HumanPercent, counted, human_name, sanitize},
    },
    stats::{BlameRow, WaitStats, WaitingNow},
};

/// One sentence per cause.
pub(super) fn sentence(causes: &[Cause], evidence: &Evidence) -> String {
    let each: Vec<_> = causes.iter().map(|&cause| one(cause, evidence)).collect();
    let causes = each.join(" Also ");
    match &evidence.stall {
        Some(stall) => stalled(stall) + &causes + &deadlock(stall),
        None => causes + &unobserved(evidence),
    }
}

/// That most of the age was not observed, and what the causes follow from instead.
fn unobserved(e: &Evidence) -> String {
    if !e.judges_by_waited() {
        return String::new();
    }
    let part = Part::ALL
        .into_iter()
        .max_by_key(|&part| e.waited.part(part))
        .unwrap_or(Part::Unknown);
    format!(
        " {} of the age was before the agent came; while messages waited the ingest thread was in \
         {} for {} of the time.",
        share_of_age(e, Part::Unknown),
        human_name(part.name()),
        e.waited.share(part)
    )
}

/// What waits, before the cause is said.
fn stalled(stall: &WaitingNow) -> String {
    let Waiting {
        in_hand, queued, ..
    } = &stall.waiting;
    let mut what = Vec::new();
    if in_hand.messages > 0 {
        what.push(format!("{} in hand", counted(in_hand.messages, "message")));
    }
    match queued.messages {
        Some(messages) if messages > 0 => what.push(format!("about {messages} queued")),
        None if queued.bytes > 0 => what.push(format!("{} queued", HumanBytes(queued.bytes))),
        _ => {}
    }
    format!(
        "nothing was handed off for {} with {}: ",
        HumanDuration(stall.waiting.without_hand_off_ns().into()),
        what.join(" and ")
    )
}

/// A cycle of lock owners in words; empty when there is none.
fn deadlock(stall: &WaitingNow) -> String {
    let reader = stall.waiting.reader.as_ref();
    let Some(threads) = reader
        .map(|reader| &reader.deadlock)
        .filter(|threads| !threads.is_empty())
    else {
        return String::new();
    };
    let names: Vec<_> = threads
        .iter()
        .map(|thread| sanitize(&thread.to_string()))
        .collect();
    format!(
        " It is a deadlock: {} never releases its lock while it waits for one of the ingest thread.",
        names.join(", which waits for ")
    )
}

fn one(cause: Cause, e: &Evidence) -> String {
    match cause {
        Cause::Healthy => healthy(e),
        Cause::NetworkOrVenueLate => network(e),
        Cause::ClockSkew => skew(e),
        Cause::StarvedByLock => lock(e),
        Cause::Throttled => throttle(e),
        Cause::RunQueuePressure => run_queue(e),
        Cause::SlowSink => sink(e),
        Cause::SlowHandler => handler(e),
        Cause::Overloaded => overloaded(e),
        Cause::Unknown => unknown(e),
    }
}

fn healthy(e: &Evidence) -> String {
    match &e.figures.age {
        Some(age) => format!("p99 {}.", HumanDuration::from(age.p99_ns)),
        None => "no fresh messages.".to_owned(),
    }
}

fn network(e: &Evidence) -> String {
    let network = e.figures.sums_without_skew().part(Part::Network);
    let mean = network / i128::from(e.figures.messages.max(1));
    let pending = late_acks(e).map_or_else(String::new, |share| {
        format!("; for {share} of that time an acknowledgement of ours was pending")
    });
    format!(
        "messages arrive {} old on average ({} of the age): the network is slow, the venue sends \
         late, or its clock is behind ours{pending}.",
        HumanDuration(mean),
        share_of_age(e, Part::Network)
    )
}

fn skew(e: &Evidence) -> String {
    format!(
        "the venue's clock is ahead of ours by {} or more, which makes the ages too small.",
        HumanDuration::from(e.figures.skew.largest_ns)
    )
}

fn lock(e: &Evidence) -> String {
    let waits = share_of_age(e, Part::LockWait);
    let worst = e.worst(Part::LockWait);
    if let Some(stall) = &e.stall {
        return format!(
            "the ingest thread waits for a lock ({waits} of the age){}.",
            owner(stall)
        );
    }
    match worst.and_then(|row| Some((row, row.culprit.as_deref()?))) {
        Some((row, Culprit::Holder { lock, thread })) => format!(
            "the ingest thread waits for {lock} ({waits} of the age), held for {} of that time by \
             {}{}.",
            share_of_part(e, row),
            sanitize(&thread.to_string()),
            holds(row)
        ),
        _ => format!(
            "the ingest thread waits for a lock ({waits} of the age); the holder is not known."
        ),
    }
}

/// Which lock a stalled reader waits for now, and who owns it as far as that is known.
fn owner(stall: &WaitingNow) -> String {
    let evidence = stall.waiting.reader.as_ref().map(|reader| reader.owner);
    match (stall.culprit.as_deref(), evidence) {
        (Some(Culprit::Holder { lock, thread }), Some(OwnerEvidence::Lock)) => {
            format!(": {lock}, owned by {}", sanitize(&thread.to_string()))
        }
        (Some(Culprit::Holder { lock, thread }), Some(OwnerEvidence::LastRelease)) => {
            format!(
                ": {lock}, last released by {}",
                sanitize(&thread.to_string())
            )
        }
        (Some(Culprit::Holder { lock, .. }), _) => format!(": {lock}, whose owner is not known"),
        _ => String::new(),
    }
}

/// How the lock was held.
fn holds(row: &BlameRow) -> String {
    let WaitStats {
        count,
        ns,
        longest_ns,
        uninterruptible,
        ..
    } = row.waits;
    if count == 0 {
        return String::new();
    }
    let kinds = if row.is_gil() {
        format!(
            "; {}, {}",
            counted(uninterruptible, "uninterruptible hold"),
            counted(count - uninterruptible, "hand-over")
        )
    } else {
        String::new()
    };
    format!(
        ": {}, {} in total, the longest {}{kinds}{}",
        counted(count, "wait"),
        HumanDuration(i128::from(ns)),
        HumanDuration(i128::from(longest_ns)),
        usual_activity(row)
    )
}

/// What the holder was doing in most samples, if that is at least half of them.
fn usual_activity(row: &BlameRow) -> String {
    let Some((activity, samples)) = row.samples.activities.first() else {
        return String::new();
    };
    if samples * 2 < row.samples.total {
        return String::new();
    }
    let share = HumanPercent {
        part: i128::from(*samples),
        whole: i128::from(row.samples.total),
    };
    let state = human_name(activity.state.name());
    let what = match (&activity.function, &activity.call) {
        (Some(function), _) => format!("{state} in {function}"),
        (None, Some(call)) => format!("{state} in {call}"),
        (None, None) => state,
    };
    format!(
        "; {} in {share} of {}",
        sanitize(&what),
        counted(row.samples.total, "sample")
    )
}

fn throttle(e: &Evidence) -> String {
    let limit = e.cpu.as_ref().and_then(|cpu| cpu.limit.as_ref());
    let which = match (limit, e.worst(Part::Throttle)) {
        (Some(limit), _) if limit.throttled_periods > 0 => format!(
            ": {} allows {:.2} cores ({} in {}) and ran out of quota in {} of {}{}",
            sanitize(&limit.path),
            limit.cores,
            HumanDuration(i128::from(limit.quota_ns)),
            HumanDuration(i128::from(limit.period_ns)),
            limit.throttled_periods,
            counted(limit.periods, "period"),
            own_use(limit, e)
        ),
        (_, Some(row)) => format!(", that of {}", sanitize(&name(row))),
        _ => String::new(),
    };
    format!(
        "the CPU quota is used up ({} of the age){which}.",
        share_of_age(e, Part::Throttle)
    )
}

/// How much of the quota the ingest thread used itself.
fn own_use(limit: &CpuLimit, e: &Evidence) -> String {
    let own = e.reader_time.part(Part::OnCpu) as f64 / 1e9 / e.length.as_secs_f64().max(1e-9);
    limit.used.map_or_else(String::new, |used| {
        format!("; {used:.2} cores were used, {own:.2} of them by the ingest thread")
    })
}

fn run_queue(e: &Evidence) -> String {
    let by = match e.worst(Part::RunQueue) {
        None => "which threads ran meanwhile is not known".to_owned(),
        Some(row) => {
            let relation = match row.culprit.as_deref() {
                Some(Culprit::Runner { relation, .. }) => match relation {
                    RunnerRelation::SameProcess => ", a thread of the same process",
                    RunnerRelation::SameCgroup => ", of the same pod",
                    RunnerRelation::OtherCgroup => ", of another cgroup",
                    RunnerRelation::Kernel => ", a kernel thread",
                },
                _ => "",
            };
            format!(
                "{} ran on it for {} of that time{relation}",
                sanitize(&name(row)),
                share_of_part(e, row)
            )
        }
    };
    format!(
        "the ingest thread is runnable and waits for a CPU ({} of the age): {by}.",
        share_of_age(e, Part::RunQueue)
    )
}

fn sink(e: &Evidence) -> String {
    if let Some(stall) = &e.stall {
        let share = share_of_age(e, Part::Blocked);
        return match stall.culprit.as_deref() {
            Some(Culprit::Call { name, object }) if is_stop(name) => {
                format!("the ingest thread is {name}{object} ({share} of the age).")
            }
            Some(call @ Culprit::Call { .. }) => format!(
                "the ingest thread sleeps in system calls ({share} of the age), now in {}.",
                sanitize(&call.to_string())
            ),
            _ => format!("the ingest thread sleeps in system calls ({share} of the age)."),
        };
    }
    let call = match e.worst(Part::Blocked) {
        None => "; which one is not known".to_owned(),
        Some(row) => format!(
            ", for {} of that time in {}",
            share_of_part(e, row),
            sanitize(&name(row))
        ),
    };
    format!(
        "the ingest thread sleeps in system calls ({} of the age){call}.",
        share_of_age(e, Part::Blocked)
    )
}

/// Whether a sleep of this name is one that no call asked for: a stop by a signal or a debugger, or
/// the freezer of cgroups.
fn is_stop(name: &str) -> bool {
    name.starts_with("stopped ") || name.starts_with("frozen ")
}

/// The thread, cgroup or call, without what the sentence around it says.
fn name(row: &BlameRow) -> String {
    match row.culprit.as_deref() {
        None => "others".to_owned(),
        Some(Culprit::Holder { thread, .. } | Culprit::Runner { thread, .. }) => thread.to_string(),
        Some(Culprit::Quota { cgroup }) => cgroup.clone(),
        Some(call @ Culprit::Call { .. }) => call.to_string(),
    }
}

fn handler(e: &Evidence) -> String {
    let each = match cpu_per_message_ns(e) {
        Some(ns) => format!("{} of CPU time per message", HumanDuration::from(ns)),
        None => "the CPU time per message is not known".to_owned(),
    };
    format!(
        "the processing itself takes that long ({} of the age on the CPU): {each}; the thread keeps \
         up.",
        share_of_age(e, Part::OnCpu),
    )
}

fn overloaded(e: &Evidence) -> String {
    let ratio = arrivals_per_hand_off(e).map_or_else(String::new, |ratio| {
        format!(" {ratio:.2} messages arrive for each one handed off,")
    });
    let each = cpu_per_message_ns(e).map_or_else(String::new, |ns| {
        format!(", {} of CPU time per message", HumanDuration::from(ns))
    });
    format!(
        "messages arrive faster than one thread can process them:{ratio} and it runs all the time \
         ({} of the age on the CPU{each}).",
        share_of_age(e, Part::OnCpu),
    )
}

fn unknown(e: &Evidence) -> String {
    if e.silent_when_behind {
        return "nothing was handed off after messages that were old: the ingest thread is stuck, \
                or the venue has gone silent."
            .to_owned();
    }
    let unknown = share_of_age(e, Part::Unknown);
    if unknown.ratio() > DOMINANT_SHARE {
        format!("{unknown} of the age was not observed, so no cause is named.")
    } else {
        "the ages have no single cause: no part of them is worth acting on by itself.".to_owned()
    }
}
