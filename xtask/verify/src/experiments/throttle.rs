//! Throttle: a CPU quota, on the victim's cgroup or above it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::compare::{self, ComparedCase};
use crate::observe::{ObservedRun, observe};
use crate::{BarCheck, Context, Experiment, ResultRow, blame};
use lab::bench::{Bench, rival};
use lab::cgroup::Cgroup;
use lab::quantiles::Quantiles;
use lab::rivals::Rivals;
use lab::{cpu, venue};

pub(super) const QUOTA: Experiment = Experiment {
    name: "quota",
    about: "a CPU quota on the victim's cgroup, on its parent, shared with other threads, and with \
            rivals",
    run: quota,
};

/// Why the bar of a single message's throttling is wider than that of the sum.
const ORDER: &str = "a message that arrives while the thread is off the CPU: the kernel's accounts \
                     say how much of the gap was throttling, not which of it came first";
const PERIOD: Duration = Duration::from_millis(100);

fn quota(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let (cpu, other) = cpu::pair().context("needs two CPUs")?;
    let (pin, other) = (cpu.to_string(), other.to_string());
    // All of the backlog in the receive queue: what is held back is split less exactly.
    let alone = [
        "--work-us",
        "1000",
        "--cpu",
        &pin,
        "--receive-buffer",
        "8000000",
    ];
    let shared = [&alone[..], &["--burner-cpu", &other]].concat();
    let row = |name, part, of: &QuotaRun| {
        let row = compare::row(
            &of.run,
            ComparedCase {
                experiment: QUOTA.name,
                case: name,
                truth: "run_delay of the thread's schedstat, and throttled time of the cgroup's \
                        cpu.stat meanwhile",
                part,
            },
        );
        if part == compare::RUNNABLE {
            return row;
        }
        row.with_bar(compare::MEDIAN, 10_000.0, ORDER)
            .with_bar(compare::P99, 30_000.0, ORDER)
    };
    // 220 ms of work a second, and 200 of quota; with another thread beside it 500 of quota for
    // 1220.
    let own = run(context, 20, false, &alone)?;
    if context.quick {
        return Ok(vec![
            row("20 of 100 ms", "throttle", &own),
            blamed("20 of 100 ms", &own),
        ]);
    }
    let parent = run(context, 20, true, &alone)?;
    let threads = run(context, 50, false, &shared)?;
    let rivals = [rival(cpu, 0)?, rival(cpu, 0)?];
    let runners = Rivals::of(&rivals, &[cpu])?;
    let both = run(context, 20, false, &alone)?;
    let case = ComparedCase {
        experiment: QUOTA.name,
        case: "and 2 rivals",
        truth: "the rivals' pids, their schedstat, /proc/stat",
        part: "run_queue",
    };
    let of_rivals = blame::runners(&runners, &both.run, case)?;
    drop(rivals);
    Ok(vec![
        row("20 of 100 ms", "throttle", &own),
        row("20 of 100 ms", compare::RUNNABLE, &own),
        blamed("20 of 100 ms", &own),
        row("on the parent", "throttle", &parent),
        row("on the parent", compare::RUNNABLE, &parent),
        blamed("on the parent", &parent),
        row("shared by 2 threads", "throttle", &threads),
        row("shared by 2 threads", compare::RUNNABLE, &threads),
        blamed("shared by 2 threads", &threads),
        row("and 2 rivals", "throttle", &both),
        row("and 2 rivals", compare::RUNNABLE, &both),
        blamed("and 2 rivals", &both),
        of_rivals,
        of_cgroup("20 of 100 ms", &own),
        of_cgroup("and 2 rivals", &both),
    ])
}

/// A run, and the figures of the cgroup with the quota.
struct QuotaRun {
    run: ObservedRun,
    /// How long it was throttled, nanoseconds.
    throttled_ns: i64,
    /// Its path below the mount.
    path: String,
    /// Its quota in every period, as a number of CPUs.
    cores: f64,
}

fn run(context: &Context<'_>, quota_ms: u64, above: bool, options: &[&str]) -> Result<QuotaRun> {
    const RATE: f64 = 220.0;
    let group = Cgroup::with_quota(Duration::from_millis(quota_ms), PERIOD)?;
    let child = above.then(|| group.child("pod")).transpose()?;
    let venue = venue::VenueOptions::of(RATE, context.messages(RATE, 4.0));
    let cpu_stat = group.cpu_stat();
    let cpu_stat = cpu_stat.to_string_lossy();
    let options = [&["--marks", "--cpu-stat", &cpu_stat], options].concat();
    let bench = Bench::start(venue, &options)?;
    child.as_ref().unwrap_or(&group).add(bench.victim.pid())?;
    let run = observe(context, bench, &[])?;
    Ok(QuotaRun {
        run,
        throttled_ns: group.stat()?.throttled_ns.cast_signed(),
        path: group.below(),
        cores: quota_ms as f64 / PERIOD.as_millis() as f64,
    })
}

/// The level with the quota is blamed, and the verdict knows how much it allows.
fn blamed(case: &str, of: &QuotaRun) -> ResultRow {
    let named = |text: &str| text.ends_with(&of.path);
    let case = ComparedCase {
        experiment: QUOTA.name,
        case,
        truth: "the cgroup with the quota",
        part: "throttle",
    };
    let mut row = of.run.blamed(case, |row| {
        row.begins("the quota of /") && row.culprit.as_deref().is_some_and(named)
    });
    let sessions = of.run.summary["sessions"].as_array();
    let mut limits = sessions
        .into_iter()
        .flatten()
        .map(|s| &s["verdict"]["cpu"]["limit"]);
    let period = PERIOD.as_nanos() as f64;
    let reported = limits.any(|limit| {
        let quota = limit["quota_ns"].as_f64();
        limit["cgroup"] == of.path.as_str()
            && limit["period_ns"].as_f64() == Some(period)
            && quota.is_some_and(|quota| (quota - of.cores * period).abs() < 1.0)
    });
    row.checks.push(BarCheck::none(
        "verdicts without the quota",
        usize::from(!reported),
    ));
    row
}

/// The thread's throttled time, by the agent and by the cgroup. The victim is behind all the time,
/// so what it does between its reads is in one of them and nothing is in two.
fn of_cgroup(case: &str, of: &QuotaRun) -> ResultRow {
    let QuotaRun {
        run, throttled_ns, ..
    } = of;
    let reads: BTreeMap<i64, i64> = run
        .joined()
        .iter()
        .map(|m| (m.record.received_ns, m.found.cell("in_app", "throttle")))
        .collect();
    let found_ns = reads.values().sum();
    let mut row = ResultRow {
        experiment: QUOTA.name,
        case: format!("{case}, the thread"),
        truth: "throttled time of the cgroup's cpu.stat",
        quantity: "throttle",
        messages: run.messages.len(),
        truth_ns: *throttled_ns,
        found_ns,
        errors: Quantiles::default(),
        leak: None,
        unknown: run.unknown(),
        checks: Vec::new(),
        remarks: Vec::new(),
    };
    let off = 100.0 * (found_ns - throttled_ns).abs() as f64 / *throttled_ns as f64;
    row.checks
        .push(BarCheck::at_most("total", off, compare::MAX_TOTAL, "%"));
    row
}
