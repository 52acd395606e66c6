//! Standard error while the terminal is drawn on.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read as _, Seek as _, Write as _},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

/// Lines for standard error, kept back as long as this lives: they would tear the view. Where
/// standard error is no terminal they go there as ever.
#[derive(Debug)]
pub(super) struct StderrBuffer {
    stderr: OwnedFd,
    lines: File,
}

impl StderrBuffer {
    /// Begins to keep them back.
    pub(super) fn begin() -> io::Result<Option<Self>> {
        if !io::stderr().is_terminal() {
            return Ok(None);
        }
        // SAFETY: the name is a C string; a descriptor that nobody else owns is returned, or -1.
        let lines = unsafe {
            let fd = libc::memfd_create(c"tag52-stderr".as_ptr(), libc::MFD_CLOEXEC);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            File::from_raw_fd(fd)
        };
        // SAFETY: no pointers; a descriptor that nobody else owns is returned, or -1.
        let stderr = unsafe {
            let fd = libc::fcntl(libc::STDERR_FILENO, libc::F_DUPFD_CLOEXEC, 3);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        become_stderr(lines.as_raw_fd())?;
        Ok(Some(Self { stderr, lines }))
    }
}

impl Drop for StderrBuffer {
    fn drop(&mut self) {
        if become_stderr(self.stderr.as_raw_fd()).is_err() {
            return;
        }
        let mut held = Vec::new();
        if self.lines.rewind().is_ok() && self.lines.read_to_end(&mut held).is_ok() {
            // Who would be told of a failure?
            let _ = io::stderr().write_all(&held);
        }
    }
}

/// From now on descriptor 2 is a copy of this one.
fn become_stderr(fd: i32) -> io::Result<()> {
    // SAFETY: no pointers; descriptor 2 is open and is replaced at once.
    if unsafe { libc::dup2(fd, libc::STDERR_FILENO) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
