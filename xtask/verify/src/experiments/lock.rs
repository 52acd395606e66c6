//! Lock-wait: another thread of the victim holds a mutex for known times.

use anyhow::Result;

use crate::compare::{self, ComparedCase};
use crate::observe::{bench, observe};
use crate::{Context, Experiment, ResultRow};
use lab::process;

pub(super) const MUTEX: Experiment = Experiment {
    name: "mutex",
    about: "a rival thread holds a mutex for 4 ms of every 5, and for 20 ms of every 25",
    run: mutex,
};

fn mutex(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let run = |(case, rate, hold, gap): (&str, f64, &str, &str)| {
        let options = ["--inject", "mutex", "--hold-us", hold, "--gap-us", gap];
        let bench = bench(context, rate, 4.0, &options)?;
        let rival = process::thread(bench.victim.pid(), "rival")?;
        let run = observe(context, bench, &[])?;
        let case = |truth| ComparedCase {
            experiment: MUTEX.name,
            case,
            truth,
            part: "lock_wait",
        };
        let waited = compare::row(
            &run,
            case("the victim's clock around the lock, less its CPU time and run_delay there"),
        );
        let blamed = run.blamed(case("the rival thread, by /proc"), |row| {
            row.tid == Some(rival) && row.begins("lock 0x")
        });
        Ok([waited, blamed])
    };
    let rows: Vec<_> = context
        .cases([
            ("held 4 ms of 5", 100.0, "4000", "1000"),
            ("held 20 ms of 25", 50.0, "20000", "5000"),
        ])
        .map(run)
        .collect::<Result<_>>()?;
    Ok(rows.concat())
}
