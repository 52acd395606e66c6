//! On-cpu: a handler that works.

use anyhow::Result;

use crate::compare::{self, ComparedCase};
use crate::observe::victim;
use crate::{Context, Experiment, ResultRow, blame};

pub(super) const WORK: Experiment = Experiment {
    name: "work",
    about: "2.5 ms of CPU time per message",
    run: work,
};

fn work(context: &Context<'_>) -> Result<Vec<ResultRow>> {
    let run = victim(context, 200.0, 4.0, &["--work-us", "2500"])?;
    let case = ComparedCase {
        experiment: WORK.name,
        case: "2.5 ms",
        truth: "CLOCK_THREAD_CPUTIME_ID",
        part: "on_cpu",
    };
    let blamed = blame::without_culprit(&run.blame, run.messages.len(), case);
    Ok(vec![compare::row(&run, case), blamed])
}
