//! Rivals on CPUs of a victim's: how much of these they had, without the agent.

use anyhow::Result;

use crate::blame::{Blame, BlameEntry};
use crate::cpu;
use crate::sched::Schedstat;
use workspace::child::Guarded;

/// Rivals, and what the kernel says of them and of their CPUs since a beginning.
#[derive(Debug)]
pub struct Rivals<'a> {
    rivals: &'a [Guarded],
    cpus: Vec<usize>,
    /// What each has run, and how long the CPUs were busy, nanoseconds.
    before: (Vec<u64>, u64),
}

impl<'a> Rivals<'a> {
    /// The beginning. Rivals have one thread each.
    pub fn of(rivals: &'a [Guarded], cpus: &[usize]) -> Result<Self> {
        let before = (on_cpu(rivals)?, busy_ns(cpus)?);
        Ok(Self {
            rivals,
            cpus: cpus.to_vec(),
            before,
        })
    }

    /// Whether a row blames one of them.
    pub fn are(&self, row: &BlameEntry) -> bool {
        let is = |tid| self.rivals.iter().any(|rival| rival.pid() == tid);
        row.tid.is_some_and(is)
    }

    /// Their share, 0 to 1, of what others than the victim ran on those CPUs: on a machine where
    /// nothing else runs, all. `victim_ns`: what the victim has run there.
    pub fn share(&self, victim_ns: u64) -> Result<f64> {
        let busy = (busy_ns(&self.cpus)? - self.before.1).saturating_sub(victim_ns);
        let ran: f64 = self.ran()?.iter().sum();
        Ok((ran / busy as f64).min(1.0))
    }

    /// By how much, in points, the share of one of them in what they are charged with together is
    /// off from its share of what they ran together, at the most; no number when nobody is charged.
    pub fn unlike(&self, blame: &Blame) -> Result<f64> {
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
