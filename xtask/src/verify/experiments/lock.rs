//! Lock-wait: another thread of the victim holds a mutex for known times.

use anyhow::Result;

use crate::verify::compare::{self, Case};
use crate::verify::observe::victim;
use crate::verify::{Context, Experiment, Row};

pub(super) const MUTEX: Experiment = Experiment {
    name: "mutex",
    about: "a rival thread holds a mutex for 4 ms of every 5, and for 20 ms of every 25",
    run: mutex,
};

fn mutex(context: &Context<'_>) -> Result<Vec<Row>> {
    let run = |(case, rate, hold, gap): (&str, f64, &str, &str)| {
        let options = ["--inject", "mutex", "--hold-us", hold, "--gap-us", gap];
        let run = victim(context, rate, 4.0, &options)?;
        Ok(compare::row(
            &run,
            Case {
                experiment: MUTEX.name,
                case,
                truth: "the victim's clock around the lock, less its CPU time and run_delay there",
                part: "lock_wait",
            },
        ))
    };
    context
        .cases([
            ("held 4 ms of 5", 100.0, "4000", "1000"),
            ("held 20 ms of 25", 50.0, "20000", "5000"),
        ])
        .map(run)
        .collect()
}
