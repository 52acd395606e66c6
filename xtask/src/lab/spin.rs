//! `xtask spin`: a rival that never sleeps, pinned to one CPU.

use anyhow::Result;

use crate::lab::{child, cpu};

/// Options of the hidden subcommand.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The CPU to burn.
    #[arg(long)]
    pub cpu: usize,
    /// Its nice value.
    #[arg(long, default_value_t = 0)]
    pub nice: i32,
}

/// Burns the CPU until the process is ended; it ends with its parent.
pub fn run(options: &Options) -> Result<()> {
    child::die_with_parent();
    cpu::nice(options.nice)?;
    burn(options.cpu)
}

/// Burns a CPU with the calling thread, for ever.
pub(super) fn burn(cpu: usize) -> Result<()> {
    cpu::pin(cpu)?;
    let mut counter = 0_u64;
    loop {
        counter = std::hint::black_box(counter.wrapping_add(1));
    }
}
