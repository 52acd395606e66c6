//! The causes in words.

use super::{
    cause::Cause,
    evidence::{CpuLimit, CpuUse, Evidence},
    rules::growing,
};
use crate::{
    model::{
        blame::{BlameRow, Waits},
        culprit::{Culprit, Kin},
        matrix::{Part, Stage},
    },
    units::{Share, Time, humanly, tame},
};

/// A limit of which at least this share is used is worth a word where it is not the cause.
const NEAR_LIMIT: f64 = 0.9;

/// What a quota should have above the bare need: work comes in bursts, a period is 100 ms.
const QUOTA_HEADROOM: f64 = 1.25;

/// A pending acknowledgement for this share of the network's time is likely to be what the venue
/// waited for.
const ACK_SHARE: f64 = 0.5;

/// The causes in a sentence each, with what to do.
pub(super) fn sentence(causes: &[Cause], evidence: &Evidence) -> String {
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

fn share(e: &Evidence, part: Part) -> Share {
    let sums = e.figures.sums_without_skew();
    Share {
        part: sums.part(part),
        whole: sums.total(),
    }
}

fn healthy(e: &Evidence) -> String {
    match &e.figures.age {
        Some(age) => format!("healthy: p99 {}.", Time::from(age.p99_ns)),
        None => "healthy: no fresh message.".to_owned(),
    }
}

fn network(e: &Evidence) -> String {
    let network = e.figures.sums_without_skew().part(Part::Network);
    let mean = network / i128::from(e.figures.messages.max(1));
    let ack = Share {
        part: i128::try_from(e.figures.ack_pending_ns).unwrap_or(i128::MAX),
        whole: network,
    };
    let mut text = format!(
        "messages arrive {} old on average ({} of the age): the network, a venue that sends late, or a \
         clock of the venue's that is behind ours; nothing in this process is the cause.",
        Time(mean),
        share(e, Part::Network)
    );
    if ack.ratio() >= ACK_SHARE {
        text.push_str(&format!(
            " For {ack} of that an acknowledgement of ours was pending: the venue should set TCP_NODELAY, \
             and this process read more often."
        ));
    }
    text
}

fn skew(e: &Evidence) -> String {
    format!(
        "the venue's clock is ahead of ours by {} at least, so ages are too small by that: compare both with \
         a reference (chronyc tracking).",
        Time::from(e.figures.skew.largest_ns)
    )
}

fn lock(e: &Evidence) -> String {
    let waits = share(e, Part::LockWait);
    let mut text = match e.worst(Part::LockWait) {
        Some(row) => match row.culprit.as_deref() {
            Some(Culprit::Holder { lock, thread }) => format!(
                "the ingest thread waits for {lock} ({waits} of the age), held for {} of that by {}{}",
                charged(e, row),
                tame(&thread.to_string()),
                held(row)
            ),
            _ => String::new(),
        },
        None => format!(
            "the ingest thread waits for a lock ({waits} of the age); the holder is not known."
        ),
    };
    text.push_str(&more_cpu(e));
    text
}

/// A culprit's share of its part.
fn charged(e: &Evidence, row: &BlameRow) -> Share {
    Share {
        part: row.ns,
        whole: e.figures.sums_without_skew().part(row.part),
    }
}

/// How a lock was held, and what helps.
fn held(row: &BlameRow) -> String {
    let Waits {
        count,
        ns,
        longest_ns,
        holds,
        ..
    } = row.waits;
    let each = if count == 0 {
        String::new()
    } else {
        format!(
            " ({count} waits of {} in all, the longest {}{})",
            Time(i128::from(ns)),
            Time(i128::from(longest_ns)),
            if row.is_gil() {
                format!("; {holds} of them long holds, {} hand-offs", count - holds)
            } else {
                String::new()
            }
        )
    };
    let remedy = if !row.is_gil() {
        "hold it for less, or not while the ingest thread needs it."
    } else if row.waits.mostly_holds() {
        "long holds: calls that do not give the GIL up when asked, so a shorter switch interval will not \
         help. Split these calls, or move them to a process of their own."
    } else {
        "hand-offs: every return of the GIL takes a switch interval. Give it up less often on the ingest \
         thread, lower sys.setswitchinterval, or move the other work to a process of its own."
    };
    format!("{each}: {remedy}")
}

/// That more CPU would not help, where that is known.
fn more_cpu(e: &Evidence) -> String {
    if e.more_cpu_helps() == Some(true) {
        return String::new();
    }
    let spare = |limit: &CpuLimit| limit.used.filter(|used| *used < NEAR_LIMIT * limit.cores);
    match &e.cpu {
        Some(CpuUse {
            limit: Some(limit), ..
        }) if let Some(used) = spare(limit) => format!(
            " More CPU will not help: the pod uses {used:.1} of {:.1} cores.",
            limit.cores
        ),
        _ if e.more_cpu_helps() == Some(false) => {
            " More CPU will not help: it hardly waits for a CPU.".to_owned()
        }
        _ => String::new(),
    }
}

fn throttle(e: &Evidence) -> String {
    let mut text = format!(
        "the CPU quota is used up ({} of the age)",
        share(e, Part::Throttle)
    );
    let limit = e.cpu.as_ref().and_then(|cpu| cpu.limit.as_ref());
    match (limit, e.worst(Part::Throttle)) {
        (Some(limit), _) if limit.throttled_periods > 0 => {
            text.push_str(&format!(
                ": {} allows {:.2} cores and was out of quota in {} of {} periods; about {:.2} would do.",
                tame(&limit.path),
                limit.cores,
                limit.throttled_periods,
                limit.periods,
                enough(limit.used.unwrap_or(0.0).max(limit.cores), e)
            ));
        }
        (_, Some(quota)) => text.push_str(&format!(
            " of {}: raise it (cpu.max, limits.cpu).",
            tame(&named(quota))
        )),
        _ => text.push_str(": raise the limit of its cgroup (cpu.max, limits.cpu)."),
    }
    text
}

/// How much quota would do: what was used at the pace of draining, at the pace of arrivals.
fn enough(cores: f64, e: &Evidence) -> f64 {
    cores * behind(e).unwrap_or(1.0).max(1.0) * QUOTA_HEADROOM
}

/// Messages that come in per message drained.
fn behind(e: &Evidence) -> Option<f64> {
    if growing(e) {
        // The age grows by 1 - drained / arriving.
        let slope = e.flow.age_slope.filter(|&slope| slope < 1.0)?;
        return Some(1.0 / (1.0 - slope));
    }
    let arrivals = e.flow.arrivals_per_s?;
    (e.flow.drained_per_s > 0.0).then(|| arrivals / e.flow.drained_per_s)
}

fn run_queue(e: &Evidence) -> String {
    let by = match e.worst(Part::RunQueue) {
        None => "others have the CPU; who is not known".to_owned(),
        Some(row) => {
            let whose = match row.culprit.as_deref() {
                Some(Culprit::Runner { kin, .. }) => match kin {
                    Kin::Own => ", a thread of the same process",
                    Kin::Cgroup => ", of the same pod",
                    Kin::Neighbour => ", a neighbour in another cgroup",
                    Kin::Kernel => ", a thread of the kernel",
                },
                _ => "",
            };
            format!(
                "{} has the CPU for {} of that{whose}",
                tame(&named(row)),
                charged(e, row)
            )
        }
    };
    format!(
        "the ingest thread is ready to run and waits for a CPU ({} of the age): {by}. Give it a CPU of its own \
         (cpuset, affinity), or a better nice value or weight.",
        share(e, Part::RunQueue)
    )
}

fn sink(e: &Evidence) -> String {
    let waits = share(e, Part::Blocked);
    let what = match e.worst(Part::Blocked) {
        None => " which is not known".to_owned(),
        Some(row) => format!(" ({} of that: {})", charged(e, row), tame(&named(row))),
    };
    let mut text = format!(
        "the ingest thread sleeps in a system call{what} ({waits} of the age): make what is behind it faster, or take \
         the call off the ingest thread (a queue and a thread of its own)."
    );
    text.push_str(&more_cpu(e));
    text
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
        each => format!(" {} of CPU a message", Time::from(each)),
    }
}

fn handler(e: &Evidence) -> String {
    format!(
        "the work itself takes that long ({} of the age on the CPU):{}; the thread keeps up, so a faster handler, not a \
         second one, makes messages younger.",
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
         CPU{}). Make the handler faster, or share the sessions among several threads.",
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

/// What the verdict rests on, one fact each.
pub(super) fn evidence(e: &Evidence) -> Vec<String> {
    let mut facts = Vec::new();
    let f = &e.figures;
    if let Some(age) = &f.age {
        facts.push(format!(
            "age p50 {} p99 {}",
            Time::from(age.p50_ns),
            Time::from(age.p99_ns)
        ));
    }
    for part in Part::ALL {
        let share = share(e, part);
        if share.ratio() >= 0.01 {
            facts.push(format!("{} {share}", humanly(part.name())));
        }
    }
    let sums = f.sums_without_skew();
    let held_back = Share {
        part: sums.stage(Stage::HeldBack),
        whole: sums.total(),
    };
    if held_back.ratio() >= 0.01 {
        facts.push(format!(
            "held back at the sender, because we did not read: {held_back}"
        ));
    }
    if f.skew.messages > 0 {
        facts.push(format!(
            "stamped ahead of our clock: {} of {} messages, by {} at most",
            f.skew.messages,
            f.messages,
            Time::from(f.skew.largest_ns)
        ));
    }
    if let Some(slope) = e.flow.age_slope {
        facts.push(format!("the age grows by {slope:.2} s/s"));
    }
    if let Some(cpu) = &e.cpu {
        facts.push(used(cpu));
    }
    for row in &e.blame {
        if let Some(culprit) = &row.culprit {
            facts.push(format!(
                "{}: {} {}",
                humanly(row.part.name()),
                tame(&culprit.to_string()),
                charged(e, row)
            ));
        }
    }
    facts
}

/// What is used of the CPU, and of the limit.
fn used(cpu: &CpuUse) -> String {
    let cores =
        |used: Option<f64>| used.map_or("not counted".to_owned(), |used| format!("{used:.2}"));
    match &cpu.limit {
        None if cpu.path == "/" => "CPU: no limit".to_owned(),
        None => format!(
            "CPU: {} cores ({}), no limit",
            cores(cpu.cores),
            tame(&cpu.path)
        ),
        Some(limit) => format!(
            "CPU: {} of {:.2} cores ({}), {} of {} periods throttled",
            cores(limit.used),
            limit.cores,
            tame(&limit.path),
            limit.throttled_periods,
            limit.periods
        ),
    }
}
