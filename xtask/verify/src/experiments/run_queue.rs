//! Run queue: rivals that never sleep, on the victim's CPU or on both it is moved between.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::compare::{self, ComparedCase};
use crate::observe::{bench, observe};
use crate::{Context, Experiment, ResultRow, blame};
use lab::bench::rival;
use lab::cpu::{self, Mover};
use lab::rivals::Rivals;

pub(super) const RIVALS: Experiment = Experiment {
    name: "rivals",
    about: "busy processes of several niceness levels on the victim's CPU",
    run: rivals,
};

/// A turn of the scheduler's: of the waits, many are moved.
const TURN: Duration = Duration::from_millis(4);

fn rivals(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let allowed = cpu::allowed();
    let one = allowed.get(..1).context("no CPU to run on")?;
    let run = |(case, rate, count, nice, cpus): (&str, f64, usize, i32, &[usize])| {
        let rivals: Vec<_> = cpus
            .iter()
            .flat_map(|&cpu| (0..count).map(move |_| rival(cpu, nice)))
            .collect::<Result<_>>()?;
        let options = ["--work-us", "1000", "--cpu", &cpus[0].to_string()];
        let runners = Rivals::of(&rivals, cpus)?;
        let bench = bench(context, rate, 4.0, &options)?;
        let moved = cpus.len() > 1;
        let _mover = moved
            .then(|| Mover::of(bench.victim.pid(), cpus, TURN))
            .transpose()?;
        let run = observe(context, bench, &[])?;
        let case = |truth| ComparedCase {
            experiment: RIVALS.name,
            case,
            truth,
            part: "run_queue",
        };
        let mut waited = compare::row(&run, case("run_delay of the thread's schedstat"));
        if moved {
            waited = waited.with_bar(
                "total",
                5.0,
                "between two run queues the kernel's run_delay stands still",
            );
        }
        let blamed = blame::runners(
            &runners,
            &run,
            case("the rivals' pids, their schedstat, /proc/stat"),
        )?;
        Ok([waited, blamed])
    };
    let rows: Vec<_> = context
        .cases([
            ("2, nice 0", 120.0, 2, 0, one),
            ("1, nice -5", 100.0, 1, -5, one),
            ("4, nice 5", 200.0, 4, 5, one),
            (
                "2 a CPU, moved",
                120.0,
                2,
                0,
                &allowed[..allowed.len().min(2)],
            ),
        ])
        .map(run)
        .collect::<Result<_>>()?;
    Ok(rows.concat())
}
