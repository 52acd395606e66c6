//! Blocked: a slow log sink, a disk, a database, a sleep.

use std::time::Duration;

use anyhow::Result;

use crate::lab::database::Database;
use crate::verify::compare::{self, Case};
use crate::verify::observe::victim;
use crate::verify::{Context, Experiment, Row};

pub(super) const BLOCKED: Experiment = Experiment {
    name: "blocked",
    about: "a full pipe drained at a known pace, fsync, a database round trip, a sleep",
    run: blocked,
};

const FSYNC: &str = "fsync";

/// A fast disk.
const SHORT: &str = "less than a millisecond a call in several sleeps, each ended by an interrupt on an idle CPU, whose \
    rest the agent counts as waiting for the CPU and the truth as asleep";

fn blocked(context: &Context<'_>) -> Result<Vec<Row>> {
    let database = Database::start(Duration::from_millis(2))?;
    let port = database.port().to_string();
    let run = |(case, rate, options): (&str, f64, &[&str])| {
        let run = victim(context, rate, 3.0, options)?;
        let row = compare::row(
            &run,
            Case {
                experiment: BLOCKED.name,
                case,
                truth: "the victim's clock around the call, less its CPU time and run_delay there",
                part: "blocked",
            },
        );
        Ok(if case == FSYNC {
            row.with_bar(compare::OTHER_PARTS, 5.0, SHORT)
                .with_bar("total", 5.0, SHORT)
        } else {
            row
        })
    };
    let database = ["--inject", "db", "--database", &port];
    let polled = ["--read", "poll+recv", "--inject", "db", "--database", &port];
    context
        .cases([
            (
                "pipe, 4.5 ms",
                240.0,
                &["--inject", "pipe", "--hold-us", "4500"][..],
            ),
            (FSYNC, 100.0, &["--inject", "fsync"]),
            ("database, 2 ms", 200.0, &database),
            ("database, poll", 200.0, &polled),
            (
                "sleep, 4 ms",
                150.0,
                &["--inject", "sleep", "--hold-us", "4000"],
            ),
        ])
        .map(run)
        .collect()
}
