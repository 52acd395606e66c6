//! The causes in words.

use super::{
    advice::behind,
    cause::Cause,
    evidence::{CpuLimit, Evidence},
};
use crate::{
    domain::{
        Culprit, Part, RunnerRelation,
        units::{HumanDuration, HumanPercent, human_name, sanitize},
    },
    stats::{BlameRow, WaitStats},
};

/// A pending acknowledgement for this share of the network's time is likely to be what the venue
/// waited for.
const ACK_SHARE: f64 = 0.5;

/// The causes in a sentence each.
pub(crate) fn sentence(causes: &[Cause], evidence: &Evidence) -> String {
    let each: Vec<_> = causes.iter().map(|&cause| one(cause, evidence)).collect();
    each.join(" Also ")
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

/// A part's share of the age.
pub(crate) fn share(e: &Evidence, part: Part) -> HumanPercent {
    let sums = e.figures.sums_without_skew();
    HumanPercent {
        part: sums.part(part),
        whole: sums.total(),
    }
}

fn healthy(e: &Evidence) -> String {
    match &e.figures.age {
        Some(age) => format!("p99 {}.", HumanDuration::from(age.p99_ns)),
        None => "no fresh message.".to_owned(),
    }
}

fn network(e: &Evidence) -> String {
    let network = e.figures.sums_without_skew().part(Part::Network);
    let mean = network / i128::from(e.figures.messages.max(1));
    let pending = late_acks(e).map_or_else(String::new, |share| {
        format!("; for {share} of that an acknowledgement of ours was pending")
    });
    format!(
        "messages arrive {} old on average ({} of the age): the network, a venue that sends late, or a \
         clock of the venue's that is behind ours{pending}.",
        HumanDuration(mean),
        share(e, Part::Network)
    )
}

/// The share of the network's time in which an acknowledgement of ours was pending, where the venue
/// seems to have waited for it.
pub(crate) fn late_acks(e: &Evidence) -> Option<HumanPercent> {
    let pending = HumanPercent {
        part: i128::try_from(e.figures.ack_pending_ns).unwrap_or(i128::MAX),
        whole: e.figures.sums_without_skew().part(Part::Network),
    };
    (pending.ratio() >= ACK_SHARE).then_some(pending)
}

fn skew(e: &Evidence) -> String {
    format!(
        "the venue's clock is ahead of ours by {} at least, so ages are too small by that.",
        HumanDuration::from(e.figures.skew.largest_ns)
    )
}

fn lock(e: &Evidence) -> String {
    let waits = share(e, Part::LockWait);
    let known = e.worst(Part::LockWait);
    match known.and_then(|row| Some((row, row.culprit.as_deref()?))) {
        Some((row, Culprit::Holder { lock, thread })) => format!(
            "the ingest thread waits for {lock} ({waits} of the age), held for {} of that by {}{}.",
            charged(e, row),
            sanitize(&thread.to_string()),
            held(row)
        ),
        _ => format!(
            "the ingest thread waits for a lock ({waits} of the age); the holder is not known."
        ),
    }
}

/// A culprit's share of its part.
pub(crate) fn charged(e: &Evidence, row: &BlameRow) -> HumanPercent {
    HumanPercent {
        part: row.ns,
        whole: e.figures.sums_without_skew().part(row.part),
    }
}

/// How a lock was held.
fn held(row: &BlameRow) -> String {
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
    let how = if row.is_gil() {
        format!(
            "; {uninterruptible} long holds, {} hand-offs",
            count - uninterruptible
        )
    } else {
        String::new()
    };
    format!(
        ": {count} waits of {} in all, the longest {}{how}{}",
        HumanDuration(i128::from(ns)),
        HumanDuration(i128::from(longest_ns)),
        seen(row)
    )
}

/// Where the holder was seen most often, if that is half of the time or more.
fn seen(row: &BlameRow) -> String {
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
        "; {} in {share} of {} samples",
        sanitize(&what),
        row.samples.total
    )
}

fn throttle(e: &Evidence) -> String {
    let limit = e.cpu.as_ref().and_then(|cpu| cpu.limit.as_ref());
    let which = match (limit, e.worst(Part::Throttle)) {
        (Some(limit), _) if limit.throttled_periods > 0 => format!(
            ": {} allows {:.2} cores ({} in {}) and was out of quota in {} of {} periods{}",
            sanitize(&limit.path),
            limit.cores,
            HumanDuration(i128::from(limit.quota_ns)),
            HumanDuration(i128::from(limit.period_ns)),
            limit.throttled_periods,
            limit.periods,
            others(limit, e)
        ),
        (_, Some(row)) => format!(", that of {}", sanitize(&named(row))),
        _ => String::new(),
    };
    format!(
        "the CPU quota is used up ({} of the age){which}.",
        share(e, Part::Throttle)
    )
}

/// Who used the quota: the ingest thread, or others of the pod.
fn others(limit: &CpuLimit, e: &Evidence) -> String {
    let own = e.spent.part(Part::OnCpu) as f64 / 1e9 / e.length.as_secs_f64().max(1e-9);
    limit.used.map_or_else(String::new, |used| {
        format!("; of {used:.2} cores used the ingest thread had {own:.2}")
    })
}

fn run_queue(e: &Evidence) -> String {
    let by = match e.worst(Part::RunQueue) {
        None => "others have the CPU; who is not known".to_owned(),
        Some(row) => {
            let whose = match row.culprit.as_deref() {
                Some(Culprit::Runner { relation, .. }) => match relation {
                    RunnerRelation::SameProcess => ", a thread of the same process",
                    RunnerRelation::SameCgroup => ", of the same pod",
                    RunnerRelation::OtherCgroup => ", a neighbour in another cgroup",
                    RunnerRelation::Kernel => ", a thread of the kernel",
                },
                _ => "",
            };
            format!(
                "{} has the CPU for {} of that{whose}",
                sanitize(&named(row)),
                charged(e, row)
            )
        }
    };
    format!(
        "the ingest thread is ready to run and waits for a CPU ({} of the age): {by}.",
        share(e, Part::RunQueue)
    )
}

fn sink(e: &Evidence) -> String {
    let waits = share(e, Part::Blocked);
    let what = match e.worst(Part::Blocked) {
        None => " which is not known".to_owned(),
        Some(row) => format!(" ({} of that: {})", charged(e, row), sanitize(&named(row))),
    };
    format!("the ingest thread sleeps in a system call{what} ({waits} of the age).")
}

/// Thread, cgroup or call, without what the sentence around it says.
fn named(row: &BlameRow) -> String {
    match row.culprit.as_deref() {
        None => "others".to_owned(),
        Some(Culprit::Holder { thread, .. } | Culprit::Runner { thread, .. }) => thread.to_string(),
        Some(Culprit::Quota { cgroup }) => cgroup.clone(),
        Some(call @ Culprit::Call { .. }) => call.to_string(),
    }
}

/// CPU time per message, where it is known.
fn per_message(e: &Evidence) -> String {
    let messages = i64::try_from(e.figures.messages).unwrap_or(i64::MAX).max(1);
    match e.spent.part(Part::OnCpu) / messages {
        0 => String::new(),
        each => format!(" {} of CPU a message", HumanDuration::from(each)),
    }
}

fn handler(e: &Evidence) -> String {
    format!(
        "the work itself takes that long ({} of the age on the CPU):{}; the thread keeps up.",
        share(e, Part::OnCpu),
        match per_message(e) {
            each if each.is_empty() => " how much per message is not known".to_owned(),
            each => each,
        }
    )
}

fn overloaded(e: &Evidence) -> String {
    let ratio = behind(e).map_or_else(String::new, |ratio| {
        format!(" {ratio:.2} messages come in for each that is worked off,")
    });
    format!(
        "more comes in than one thread can work off:{ratio} and it is running all the time ({} of the age on the \
         CPU{}).",
        share(e, Part::OnCpu),
        match per_message(e) {
            each if each.is_empty() => each,
            each => format!(",{each}"),
        }
    )
}

fn unknown(e: &Evidence) -> String {
    if e.stalled {
        return "nothing was handed off, after messages that were old: the ingest thread is stuck, or the venue \
                went silent."
            .to_owned();
    }
    let unseen = share(e, Part::Unknown);
    if unseen.ratio() > super::DOMINANT {
        format!("{unseen} of the age was not observed, so no cause is named.")
    } else {
        "the ages have no single cause: no part has a share worth acting on by itself.".to_owned()
    }
}
