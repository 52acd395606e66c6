//! Standard error while the terminal is drawn on.

use std::{
    fs::File,
    io::{self, IsTerminal as _, Read as _, Seek as _, Write as _},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

/// Holds lines for standard error until it is dropped: they would tear the view. Where standard
/// error is no terminal they are not held.
#[derive(Debug)]
pub(super) struct StderrBuffer {
    stderr: OwnedFd,
    lines: File,
}

impl StderrBuffer {
    /// Begins to hold lines; `None` when standard error is no terminal.
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
        redirect_stderr(lines.as_raw_fd())?;
        Ok(Some(Self { stderr, lines }))
    }
}

impl Drop for StderrBuffer {
    fn drop(&mut self) {
        if redirect_stderr(self.stderr.as_raw_fd()).is_err() {
            return;
        }
        let mut lines = Vec::new();
        if self.lines.rewind().is_ok() && self.lines.read_to_end(&mut lines).is_ok() {
            // There is nowhere to report a failure.
            let _ = io::stderr().write_all(&lines);
        }
    }
}

/// Makes descriptor 2 a copy of this one.
fn redirect_stderr(fd: i32) -> io::Result<()> {
    // SAFETY: no pointers; descriptor 2 is open and is replaced at once.
    if unsafe { libc::dup2(fd, libc::STDERR_FILENO) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
