//! Run queue: rivals that never sleep, on the victim's CPU.

use anyhow::{Context as _, Result};

use crate::lab::bench::rival;
use crate::lab::cpu;
use crate::lab::runners::Runners;
use crate::verify::compare::{self, Case};
use crate::verify::observe::victim;
use crate::verify::{Context, Experiment, Row, blame};

pub(super) const RIVALS: Experiment = Experiment {
    name: "rivals",
    about: "busy processes of several niceness levels on the victim's CPU",
    run: rivals,
};

fn rivals(context: &Context<'_>) -> Result<Vec<Row>> {
    let cpu = *cpu::allowed().first().context("no CPU to run on")?;
    let run = |(case, rate, count, nice): (&str, f64, usize, i32)| {
        let rivals: Vec<_> = (0..count)
            .map(|_| rival(context.xtask, cpu, nice))
            .collect::<Result<_>>()?;
        let options = ["--work-us", "1000", "--cpu", &cpu.to_string()];
        let runners = Runners::of(&rivals, cpu)?;
        let run = victim(context, rate, 4.0, &options)?;
        let case = |truth| Case {
            experiment: RIVALS.name,
            case,
            truth,
            part: "run_queue",
        };
        let waited = compare::row(&run, case("run_delay of the thread's schedstat"));
        let blamed = blame::runners(
            &runners,
            &run,
            case("the rivals' pids, their schedstat, /proc/stat"),
        )?;
        Ok([waited, blamed])
    };
    let rows: Vec<_> = context
        .cases([
            ("2, nice 0", 120.0, 2, 0),
            ("1, nice -5", 100.0, 1, -5),
            ("4, nice 5", 200.0, 4, 5),
        ])
        .map(run)
        .collect::<Result<_>>()?;
    Ok(rows.concat())
}
