//! `victims spin`: a rival that never sleeps, pinned to one CPU.
//!
//! With `--wake` it is in futex(2) most of the time, as if it released locks: wake-ups by
//! interrupts on top of it must not be charged to it.

use std::sync::atomic::AtomicU32;

use anyhow::Result;

use workspace::child;

use crate::cpu;

/// The options of `victims spin`.
#[derive(Clone, Debug, clap::Args)]
pub struct SpinOptions {
    /// The CPU to keep busy.
    #[arg(long)]
    pub cpu: usize,
    /// Its nice value.
    #[arg(long, default_value_t = 0)]
    pub nice: i32,
    /// Release a lock that nobody waits for, in a loop.
    #[arg(long)]
    pub wake: bool,
}

/// Keeps the CPU busy until the process is ended; it ends with its parent.
pub fn run(options: &SpinOptions) -> Result<()> {
    child::die_with_parent();
    cpu::nice(options.nice)?;
    if options.wake {
        wake(options.cpu)
    } else {
        burn(options.cpu)
    }
}

/// Keeps a CPU busy with futex wake-ups of nobody; does not return.
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

/// Keeps a CPU busy; does not return.
pub(super) fn burn(cpu: usize) -> Result<()> {
    cpu::pin(cpu)?;
    let mut counter = 0_u64;
    loop {
        counter = std::hint::black_box(counter.wrapping_add(1));
    }
}
