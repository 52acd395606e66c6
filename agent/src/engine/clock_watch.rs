//! Steps of the wall clock, noticed at once: a step must be placed between the messages before and
//! after it.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    ptr,
};

use tokio::io::unix::AsyncFd;

use crate::{clock::RunClocks, readiness::readiness};

/// Notices that the wall clock was set.
#[derive(Debug)]
pub(super) struct ClockWatch {
    timer: AsyncFd<OwnedFd>,
}

impl ClockWatch {
    /// For the clock of `source`: the kernel ends a timer on the wall clock early when that is set;
    /// a simulated step has a timer of its own.
    pub(super) fn new(source: &RunClocks) -> io::Result<Self> {
        let (clock, flags, until) = match source {
            RunClocks::System(_) => (
                libc::CLOCK_REALTIME,
                libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET,
                libc::timespec {
                    tv_sec: i64::MAX,
                    tv_nsec: 0,
                },
            ),
            RunClocks::Stepped(step) => (
                libc::CLOCK_MONOTONIC,
                libc::TFD_TIMER_ABSTIME,
                libc::timespec {
                    tv_sec: (step.step_at_ns / 1_000_000_000) as i64,
                    tv_nsec: (step.step_at_ns % 1_000_000_000) as libc::c_long,
                },
            ),
        };
        // SAFETY: no pointers.
        let fd = unsafe { libc::timerfd_create(clock, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a descriptor just opened, owned by nobody else.
        let timer = unsafe { OwnedFd::from_raw_fd(fd) };
        let once = libc::itimerspec {
            it_interval: libc::timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: until,
        };
        // SAFETY: a valid itimerspec; the old value is not asked for.
        let set = unsafe { libc::timerfd_settime(fd, flags, &raw const once, ptr::null_mut()) };
        if set < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            timer: readiness(timer)?,
        })
    }

    /// Until the wall clock is set.
    pub(super) async fn set(&self) {
        match self.timer.readable().await {
            Ok(mut guard) => {
                let mut ticks = [0_u8; 8];
                // Makes the timer wait for the next time. It ends with ECANCELED when the clock was
                // set. SAFETY: a buffer of the length given, of an open descriptor.
                unsafe {
                    libc::read(
                        self.timer.as_raw_fd(),
                        ticks.as_mut_ptr().cast(),
                        ticks.len(),
                    );
                }
                guard.clear_ready();
            }
            // The runtime is ending.
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::{SteppedClocks, SystemClocks, TimeSource as _};

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime")
            .block_on(test);
    }

    #[test]
    fn a_simulated_step_is_reported_once_and_not_early() {
        run(async {
            let at = SystemClocks.monotonic() + 20_000_000;
            let step = RunClocks::Stepped(SteppedClocks {
                step_at_ns: at,
                step_by_ns: 1,
            });
            let clock_set = ClockWatch::new(&step).expect("a timer");
            clock_set.set().await;
            assert!(SystemClocks.monotonic() >= at);
            let again = tokio::time::timeout(Duration::from_millis(50), clock_set.set()).await;
            assert!(again.is_err());
        });
    }

    #[test]
    fn a_clock_that_is_not_set_is_silent() {
        run(async {
            let clock_set = ClockWatch::new(&RunClocks::System(SystemClocks)).expect("a timer");
            let set = tokio::time::timeout(Duration::from_millis(50), clock_set.set()).await;
            assert!(set.is_err());
        });
    }
}
