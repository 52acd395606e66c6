//! Rivals on a victim's CPUs: their share of the CPU time, measured without the agent.

use anyhow::Result;

use crate::blame::{Blame, BlameEntry};
use crate::cpu;
use crate::sched::Schedstat;
use workspace::child::Guarded;

/// Rivals and the kernel's counters of them and their CPUs at a beginning.
#[derive(Debug)]
pub struct Rivals<'a> {
    rivals: &'a [Guarded],
    cpus: Vec<usize>,
    /// CPU time of each rival, and busy time of the CPUs, nanoseconds.
    before: (Vec<u64>, u64),
}

impl<'a> Rivals<'a> {
    /// Reads the counters at the beginning. Each rival has one thread.
    pub fn of(rivals: &'a [Guarded], cpus: &[usize]) -> Result<Self> {
        let before = (on_cpu(rivals)?, busy_ns(cpus)?);
        Ok(Self {
            rivals,
            cpus: cpus.to_vec(),
            before,
        })
    }

    /// Whether a row of blame charges one of them.
    pub fn are_charged_by(&self, row: &BlameEntry) -> bool {
        let is = |tid| self.rivals.iter().any(|rival| rival.pid() == tid);
        row.tid.is_some_and(is)
    }

    /// Returns the rivals' share, 0 to 1, of the busy time that is not the victim's; 1 when nothing
    /// else runs. `victim_ns` is the victim's CPU time.
    pub fn share(&self, victim_ns: u64) -> Result<f64> {
        let busy = (busy_ns(&self.cpus)? - self.before.1).saturating_sub(victim_ns);
        let ran: f64 = self.ran()?.iter().sum();
        Ok((ran / busy as f64).min(1.0))
    }

    /// Returns the largest deviation, in percentage points, of a rival's share of their charges
    /// from its share of their CPU time; NaN without charges.
    pub fn largest_share_error(&self, blame: &Blame) -> Result<f64> {
        let ran = self.ran()?;
        let charged =
            |rival: &Guarded| blame.charged("run_queue", |row| row.tid == Some(rival.pid())) as f64;
        let charged: Vec<f64> = self.rivals.iter().map(charged).collect();
        let (all_ran, all_charged) = (ran.iter().sum::<f64>(), charged.iter().sum::<f64>());
        let off = ran.iter().zip(&charged);
        let off = off.map(|(ran, charged)| 100.0 * (charged / all_charged - ran / all_ran).abs());
        Ok(off.fold(
            0.0,
            |worst: f64, off| if off <= worst { worst } else { off },
        ))
    }

    fn ran(&self) -> Result<Vec<f64>> {
        let now = on_cpu(self.rivals)?;
        let since = now.iter().zip(&self.before.0);
        Ok(since.map(|(now, before)| (now - before) as f64).collect())
    }
}

fn on_cpu(rivals: &[Guarded]) -> Result<Vec<u64>> {
    let read = |rival: &Guarded| Ok(Schedstat::of(rival.pid(), rival.pid())?.on_cpu_ns);
    rivals.iter().map(read).collect()
}

fn busy_ns(cpus: &[usize]) -> Result<u64> {
    cpus.iter().map(|&cpu| cpu::busy_ns(cpu)).sum()
}
