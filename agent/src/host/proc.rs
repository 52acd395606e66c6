//! The files of `/proc`, and the few fields that are read one by one.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use procfs::{FromRead as _, process::Stat};

/// The root of a proc file system: the kernel's, or that of a test.
#[derive(Clone, Debug)]
pub(super) struct ProcRoot(PathBuf);

impl Default for ProcRoot {
    fn default() -> Self {
        Self("/proc".into())
    }
}

impl ProcRoot {
    #[cfg(test)]
    pub(super) fn at(root: &Path) -> Self {
        Self(root.to_owned())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// A file of a process or a thread: `/proc/TID` exists for every thread, though it is not
    /// listed.
    pub(super) fn file(&self, tid: u32, file: &str) -> PathBuf {
        self.0.join(tid.to_string()).join(file)
    }

    /// The `stat` of a thread; `None` when there is no such thread.
    pub(super) fn stat(&self, tid: u32) -> Option<Stat> {
        // The file of the thread, not of its process: times and state differ.
        let path = self.file(tid, &format!("task/{tid}/stat"));
        Stat::from_file(path).ok()
    }

    /// The `status` of a thread.
    ///
    /// # Errors
    /// When there is no such thread, or it may not be read.
    pub(super) fn status(&self, tid: u32) -> io::Result<ThreadStatus> {
        fs::read_to_string(self.file(tid, "status")).map(ThreadStatus)
    }
}

/// The text of a `status`.
#[derive(Debug)]
pub(super) struct ThreadStatus(String);

impl ThreadStatus {
    /// The thread's name; line feeds and backslashes in it are escaped (fs/proc/array.c
    /// `proc_task_name`).
    pub(super) fn name(&self) -> Option<&str> {
        self.field("Name:").map(str::trim_start)
    }

    /// The pid of the thread's process.
    pub(super) fn tgid(&self) -> Option<u32> {
        self.field("Tgid:")?.trim().parse().ok()
    }

    /// The thread's id in the innermost of its PID namespaces.
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
    fn a_thread_in_a_container_has_another_id_there() {
        let status = ThreadStatus(
            "Name:\tsh\nTgid:\t4117\nNgid:\t0\nPid:\t4118\nNSpid:\t4118\t9\t7\n".to_owned(),
        );
        assert_eq!(status.tgid(), Some(4117));
        assert_eq!(status.inner_tid(), Some(7));
        assert_eq!(ThreadStatus("Name:\tsh\n".to_owned()).tgid(), None);
    }

    #[test]
    fn a_threads_name_may_contain_parentheses() {
        let folder = tempfile::tempdir().expect("a folder");
        let task = folder.path().join("7/task/7");
        fs::create_dir_all(&task).expect("made");
        let rest = "0 ".repeat(47);
        fs::write(task.join("stat"), format!("7 (a) R (b) S {}", rest.trim())).expect("written");
        let stat = ProcRoot::at(folder.path()).stat(7).expect("read");
        assert_eq!((stat.comm.as_str(), stat.state), ("a) R (b", 'S'));
    }
}
