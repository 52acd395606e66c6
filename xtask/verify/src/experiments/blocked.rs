//! Blocked: a slow log sink, a disk, a database, a sleep.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::compare::{self, ComparedCase};
use crate::observe::{bench, observe};
use crate::{Context, Experiment, ResultRow};
use lab::bench::Bench;
use lab::database::Database;
use lab::process;

pub(super) const BLOCKED: Experiment = Experiment {
    name: "blocked",
    about: "a full pipe drained at a known pace by a thread or a process, fsync, database round \
            trips, a sleep",
    run: blocked,
};

const SINK: &str = "pipe to a process, 4.5 ms";
const PIPE: &str = "pipe, 4.5 ms";
const FSYNC: &str = "fsync";
const QUERY: &str = "database, recv";
const SLEEP: &str = "sleep, 4 ms";

/// A fast disk.
const SHORT: &str = "less than a millisecond a call in several sleeps, each ended by an interrupt \
                     on an idle CPU, whose rest the agent counts as waiting for the CPU and the \
                     truth as asleep";

fn blocked(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let database = Database::start(Duration::from_millis(2))?;
    let port = database.port().to_string();
    let run = |(case, rate, options): (&str, f64, &[&str])| {
        let bench = bench(context, rate, 3.0, options)?;
        let call = expected(case, &bench, &port)?;
        let run = observe(context, bench, &[])?;
        let of = |truth| ComparedCase {
            experiment: BLOCKED.name,
            case,
            truth,
            part: "blocked",
        };
        let truth = "the victim's clock around the call, less its CPU time and run_delay there";
        let row = compare::row(&run, of(truth));
        let row = if case == FSYNC {
            row.with_bar(compare::OTHER_PARTS, 5.0, SHORT)
                .with_bar("total", 5.0, SHORT)
        } else {
            row
        };
        let truth =
            "the call, and the object behind its descriptor, by /proc and the database's port";
        let blamed = run.blamed(of(truth), |row| row.culprit.as_ref() == Some(&call));
        Ok([row, blamed])
    };
    let database = ["--inject", "db", "--database", &port];
    let query = ["--inject", "query", "--database", &port];
    let polled = ["--read", "poll+recv", "--inject", "db", "--database", &port];
    let rows: Vec<_> = context
        .cases([
            (SINK, 240.0, &["--inject", "sink", "--hold-us", "4500"][..]),
            (PIPE, 240.0, &["--inject", "pipe", "--hold-us", "4500"]),
            (FSYNC, 100.0, &["--inject", "fsync"]),
            (QUERY, 200.0, &query),
            ("database, 2 ms", 200.0, &database),
            ("database, poll", 200.0, &polled),
            (SLEEP, 150.0, &["--inject", "sleep", "--hold-us", "4000"]),
        ])
        .map(run)
        .collect::<Result<_>>()?;
    Ok(rows.concat())
}

/// What the victim sleeps in, in the agent's words.
fn expected(case: &str, bench: &Bench, database: &str) -> Result<String> {
    let pid = bench.victim.pid();
    Ok(match case {
        SINK => {
            let children = process::children(pid)?;
            let sink = children.first().context("the victim has no sink")?;
            format!("write on a pipe to {}/{sink}", process::comm(*sink)?)
        }
        PIPE => {
            let pipes = process::pipes(pid)?;
            format!(
                "write on pipe {}",
                pipes.first().context("the victim has no pipe")?
            )
        }
        FSYNC => format!(
            "fsync on {}",
            bench.log().with_extension("synced").display()
        ),
        QUERY => format!("recvfrom on a socket to 127.0.0.1:{database}"),
        SLEEP => "clock_nanosleep".to_owned(),
        // Which descriptors are polled is in the process's memory.
        _ => "poll".to_owned(),
    })
}
