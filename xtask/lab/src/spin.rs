//! `victims spin`: a rival that never sleeps, pinned to one CPU.
//!
//! One that wakes is in futex(2) most of the time, as if it released locks: whatever an interrupt
//! does on top of it is not its doing.

use std::sync::atomic::AtomicU32;

use anyhow::Result;

use workspace::child;

use crate::cpu;

/// SpinOptions of the hidden subcommand.
#[derive(Clone, Debug, clap::Args)]
pub struct SpinOptions {
    /// The CPU to burn.
    #[arg(long)]
    pub cpu: usize,
    /// Its nice value.
    #[arg(long, default_value_t = 0)]
    pub nice: i32,
    /// It releases a lock that nobody waits for, again and again.
    #[arg(long)]
    pub wake: bool,
}

/// Burns the CPU until the process is ended; it ends with its parent.
pub fn run(options: &SpinOptions) -> Result<()> {
    child::die_with_parent();
    cpu::nice(options.nice)?;
    if options.wake {
        wake(options.cpu)
    } else {
        burn(options.cpu)
    }
}

/// Burns a CPU with wake-ups of nobody, for ever.
fn wake(cpu: usize) -> Result<()> {
    cpu::pin(cpu)?;
    let lock = AtomicU32::new(0);
    loop {
        // SAFETY: FUTEX_WAKE takes an address, which is ours, and the number of threads to wake.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                lock.as_ptr(),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                1,
            );
        }
    }
}

/// Burns a CPU with the calling thread, for ever.
pub(super) fn burn(cpu: usize) -> Result<()> {
    cpu::pin(cpu)?;
    let mut counter = 0_u64;
    loop {
        counter = std::hint::black_box(counter.wrapping_add(1));
    }
}
