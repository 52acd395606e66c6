//! All causes in turn on one session, under a quota and beside two rivals.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::compare::{self, ComparedCase};
use crate::observe::observe;
use crate::{Context, Experiment, ResultRow, blame};
use lab::bench::{Bench, rival};
use lab::blame::BlameEntry;
use lab::cgroup::Cgroup;
use lab::database::Database;
use lab::rivals::Rivals;
use lab::{cpu, process, venue};

pub(super) const EVERYTHING: Experiment = Experiment {
    name: "everything",
    about: "mutex, pipe, sleep, database and fsync in turn, with work, under a quota, beside two \
            rivals",
    run: everything,
};

const RATE: f64 = 60.0;
/// The throttled time of the cgroup from which on its quota must be blamed: the victim's reader
/// uses most of the quota.
const MIN_THROTTLED_NS: u64 = 20_000_000;
const PARTS: [&str; 4] = ["lock_wait", "blocked", compare::RUNNABLE, "on_cpu"];

fn everything(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let cpu = *cpu::allowed().first().context("no CPU to run on")?;
    let database = Database::start(Duration::from_millis(2))?;
    let (pin, port) = (cpu.to_string(), database.port().to_string());
    let group = Cgroup::with_quota(Duration::from_millis(10), Duration::from_millis(50))?;
    let cpu_stat = group.cpu_stat();
    let cpu_stat = cpu_stat.to_string_lossy();
    let rivals = [rival(cpu, 0)?, rival(cpu, 0)?];
    let venue = venue::VenueOptions::of(RATE, context.messages(RATE, 6.0));
    let options = [
        "--marks",
        "--inject",
        "mutex,pipe,sleep,db,fsync",
        "--hold-us",
        "3000",
        "--gap-us",
        "1000",
        "--work-us",
        "3000",
        "--cpu",
        &pin,
        "--database",
        &port,
        "--cpu-stat",
        &cpu_stat,
    ];
    let bench = Bench::start(venue, &options)?;
    let pid = bench.victim.pid();
    group.add(pid)?;
    let runners = Rivals::of(&rivals, &[cpu])?;
    let holder = process::thread(pid, "rival")?;
    let pipe = process::pipes(pid)?;
    let pipe = pipe.first().context("the victim has no pipe")?;
    let file = bench.log().with_extension("synced");
    let calls = [
        format!("write on pipe {pipe}"),
        "clock_nanosleep".to_owned(),
        "poll".to_owned(),
        format!("fsync on {}", file.display()),
    ];
    let run = observe(context, bench, &[])?;
    let row = |part| {
        let case = ComparedCase {
            experiment: EVERYTHING.name,
            case: "in turn",
            truth: "the victim's own account",
            part,
        };
        let row = compare::row(&run, case).alone();
        if part == compare::RUNNABLE {
            row.with_bar(
                "total",
                5.0,
                "the kernel's run_delay begins when a thread is put on a run queue, here it is \
                 runnable from its wake-up on, some microseconds earlier; a message wakes it \
                 several times",
            )
        } else {
            row
        }
    };
    let case = |part| ComparedCase {
        experiment: EVERYTHING.name,
        case: "in turn",
        truth: "the thread, the calls, the rivals and the cgroup, by /proc",
        part,
    };
    let blamed = |part, is: &dyn Fn(&BlameEntry) -> bool| run.blamed(case(part), is);
    let mut rows = PARTS.map(row).to_vec();
    // In a second's run the quota may suffice; by cpu.stat, not by the agent.
    if group.stat()?.throttled_ns >= MIN_THROTTLED_NS {
        rows.push(blamed("throttle", &|row| row.ends(&group.below())));
    }
    rows.extend([
        blamed("lock_wait", &|row| row.tid == Some(holder)),
        blamed("blocked", &|row| {
            row.culprit
                .as_ref()
                .is_some_and(|call| calls.contains(call))
        }),
        blame::runners(&runners, &run, case("run_queue"))?,
    ]);
    Ok(rows)
}
