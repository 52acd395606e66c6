//! Where /proc is, and the few fields of it that are read one by one.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use procfs::{FromRead as _, process::Stat};

/// The root of a proc file system: the kernel's, or a test's.
#[derive(Clone, Debug)]
pub(super) struct Proc(PathBuf);

impl Default for Proc {
    fn default() -> Self {
        Self("/proc".into())
    }
}

impl Proc {
    #[cfg(test)]
    pub(super) fn at(root: &Path) -> Self {
        Self(root.to_owned())
    }

    /// The root itself.
    pub(super) fn root(&self) -> &Path {
        &self.0
    }

    /// A file of a process, or of a thread: `/proc/TID` exists for every thread, though not listed.
    pub(super) fn of(&self, tid: u32, file: &str) -> PathBuf {
        self.0.join(tid.to_string()).join(file)
    }

    /// `stat` of a thread; `None` when there is no such thread.
    pub(super) fn stat(&self, tid: u32) -> Option<Stat> {
        // A thread's own, not its process's: times and state differ.
        let path = self.of(tid, &format!("task/{tid}/stat"));
        Stat::from_file(path).ok()
    }

    /// `status` of a thread.
    pub(super) fn status(&self, tid: u32) -> io::Result<Status> {
        fs::read_to_string(self.of(tid, "status")).map(Status)
    }
}

/// The text of a `status`.
#[derive(Debug)]
pub(super) struct Status(String);

impl Status {
    /// The thread's name; line feeds and backslashes in it are escaped (fs/proc/array.c
    /// `proc_task_name`).
    pub(super) fn name(&self) -> Option<&str> {
        self.field("Name:").map(str::trim_start)
    }

    /// The process the thread is of.
    pub(super) fn tgid(&self) -> Option<u32> {
        self.field("Tgid:")?.trim().parse().ok()
    }

    /// The thread's id where it lives, in the innermost of its PID namespaces.
    pub(super) fn inner_tid(&self) -> Option<u32> {
        self.field("NSpid:")?
            .split_whitespace()
            .next_back()?
            .parse()
            .ok()
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_in_a_container_has_another_number_there() {
        let status =
            Status("Name:\tsh\nTgid:\t4117\nNgid:\t0\nPid:\t4118\nNSpid:\t4118\t9\t7\n".to_owned());
        assert_eq!(status.tgid(), Some(4117));
        assert_eq!(status.inner_tid(), Some(7));
        assert_eq!(Status("Name:\tsh\n".to_owned()).tgid(), None);
    }

    #[test]
    fn a_threads_own_name_may_hold_anything() {
        let folder = tempfile::tempdir().expect("a folder");
        let task = folder.path().join("7/task/7");
        fs::create_dir_all(&task).expect("made");
        let rest = "0 ".repeat(47);
        fs::write(task.join("stat"), format!("7 (a) R (b) S {}", rest.trim())).expect("written");
        let stat = Proc::at(folder.path()).stat(7).expect("read");
        assert_eq!((stat.comm.as_str(), stat.state), ("a) R (b", 'S'));
    }
}
