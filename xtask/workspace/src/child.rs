//! Child processes that never outlive what started them.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Makes the calling process get SIGKILL when the thread that started it ends.
pub fn die_with_parent() {
    // SAFETY: PR_SET_PDEATHSIG takes one integer and only concerns the calling process.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
    }
}

/// A child in a process group of its own (a Ctrl-C on the terminal does not reach it), killed when
/// dropped and when the thread that started it ends.
#[derive(Debug)]
pub struct Guarded {
    child: Child,
    name: String,
}

impl Guarded {
    /// Starts `command`; `name` is for messages.
    pub fn spawn(command: &mut Command, name: &str) -> Result<Self> {
        // SAFETY: between fork and exec only prctl(2) is called, which is async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                die_with_parent();
                Ok(())
            });
        }
        Self::start(command.process_group(0), name)
    }

    /// The same for one that takes the terminal: it stays in our process group, and gets
    /// SIGTERM when we end, so that it can give the terminal back.
    pub fn spawn_in_foreground(command: &mut Command, name: &str) -> Result<Self> {
        // SAFETY: between fork and exec only prctl(2) is called, which is async-signal-safe, with
        // one integer, and only concerns the calling process.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                Ok(())
            });
        }
        Self::start(command, name)
    }

    fn start(command: &mut Command, name: &str) -> Result<Self> {
        let child = command.spawn();
        Ok(Self {
            child: child.with_context(|| format!("cannot start {name}"))?,
            name: name.to_owned(),
        })
    }

    /// The child's pid.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// The process itself, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Sends a signal; a child that is gone already is no error.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.pid()), signal);
    }

    /// Its exit status if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for the end for at most `limit`; afterwards it is killed, and that is an error.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            if Instant::now() > deadline {
                self.kill();
                anyhow::bail!("{} did not end within {limit:?} and was killed", self.name);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.kill();
        }
    }
}
