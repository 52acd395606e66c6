//! Where time is read from: the machine's clocks, or those with a simulated step.

/// A pair of clocks: one that never steps, and the wall clock.
pub(crate) trait TimeSource {
    /// `CLOCK_MONOTONIC`, ns.
    fn monotonic(&mut self) -> u64;
    /// `CLOCK_REALTIME`, ns since 1970 UTC.
    fn realtime(&mut self) -> i64;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClocks;

fn read(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a valid pointer to a timespec; these two clocks always exist.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

impl TimeSource for SystemClocks {
    fn monotonic(&mut self) -> u64 {
        read(libc::CLOCK_MONOTONIC) as u64
    }

    fn realtime(&mut self) -> i64 {
        read(libc::CLOCK_REALTIME)
    }
}

/// The machine's clocks with a step of the wall clock that only this process observes: a test hook
/// (`--simulate-clock-step`), with which the accuracy lab shows that a step is survived without
/// touching the machine's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SteppedClocks {
    /// When the wall clock steps, `CLOCK_MONOTONIC` ns.
    pub(crate) step_at_ns: u64,
    /// How far it steps, ns.
    pub(crate) step_by_ns: i64,
}

impl TimeSource for SteppedClocks {
    fn monotonic(&mut self) -> u64 {
        SystemClocks.monotonic()
    }

    fn realtime(&mut self) -> i64 {
        let stepped = SystemClocks.monotonic() >= self.step_at_ns;
        SystemClocks.realtime() + if stepped { self.step_by_ns } else { 0 }
    }
}

/// The clocks of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RunClocks {
    /// The machine's clocks.
    System(SystemClocks),
    /// The machine's clocks with a simulated step.
    Stepped(SteppedClocks),
}

impl TimeSource for RunClocks {
    fn monotonic(&mut self) -> u64 {
        match self {
            Self::System(source) => source.monotonic(),
            Self::Stepped(source) => source.monotonic(),
        }
    }

    fn realtime(&mut self) -> i64 {
        match self {
            Self::System(source) => source.realtime(),
            Self::Stepped(source) => source.realtime(),
        }
    }
}
