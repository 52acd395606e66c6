//! Threads, children and pipes of a process, from /proc: the truth for the agent's blame.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// Returns the threads of a process.
pub fn threads(pid: i32) -> Result<Vec<i32>> {
    numbers(&format!("/proc/{pid}/task"))
}

/// Returns the thread of a process with this name; waits up to five seconds for it.
pub fn thread(pid: i32, name: &str) -> Result<i32> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        if let Some(tid) = threads(pid)?
            .into_iter()
            .find(|tid| comm(*tid).is_ok_and(|comm| comm == name))
        {
            return Ok(tid);
        }
        ensure!(
            Instant::now() < deadline,
            "process {pid} has no thread called {name}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Returns the running children of a process.
pub fn children(pid: i32) -> Result<Vec<i32>> {
    let mut children = Vec::new();
    for tid in threads(pid)? {
        let path = format!("/proc/{pid}/task/{tid}/children");
        let text = match fs::read_to_string(&path) {
            // The thread has ended; its children belong to another one now.
            Err(error) if has_ended(&error) => continue,
            read => read.with_context(|| format!("cannot read {path}"))?,
        };
        children.extend(
            text.split_whitespace()
                .filter_map(|n| n.parse::<i32>().ok()),
        );
    }
    Ok(children)
}

/// Whether a file of /proc belonged to a thread that has ended.
fn has_ended(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// Returns the inodes of a process's open pipes, except standard input, output and error.
pub fn pipes(pid: i32) -> Result<Vec<u64>> {
    let folder = format!("/proc/{pid}/fd");
    let mut inodes = Vec::new();
    for descriptor in numbers(&folder)?.into_iter().filter(|fd| *fd > 2) {
        let link = fs::read_link(Path::new(&folder).join(descriptor.to_string()));
        let inode: Option<u64> = link.ok().and_then(|link| {
            let text = link.to_str()?.strip_prefix("pipe:[")?;
            text.strip_suffix(']')?.parse().ok()
        });
        inodes.extend(inode);
    }
    inodes.dedup();
    Ok(inodes)
}

/// Returns the name of a thread.
pub fn comm(tid: i32) -> Result<String> {
    let path = format!("/proc/{tid}/comm");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    Ok(text.trim_end().to_owned())
}

/// Returns the entries of a folder that are numbers, ascending.
fn numbers(folder: &str) -> Result<Vec<i32>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {folder}"))?;
    let number =
        |entry: std::io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let mut numbers: Vec<i32> = entries.filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn our_own_threads_pipes_and_children() {
        let pid = std::process::id().cast_signed();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let other = std::thread::Builder::new()
            .name("distinct-name".into())
            .spawn(move || {
                let tid = nix::unistd::gettid().as_raw();
                let _ = stopped.recv();
                tid
            })
            .expect("a thread");
        let found = thread(pid, "distinct-name").expect("it is there");
        drop(stop);
        assert_eq!(found, other.join().expect("its own word"));

        let (_reader, writer) = std::io::pipe().expect("a pipe");
        let link = format!("/proc/self/fd/{}", writer.as_raw_fd());
        let inode = fs::metadata(link).expect("it").ino();
        assert!(pipes(pid).expect("ours").contains(&inode));

        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("a child");
        assert!(
            children(pid)
                .expect("ours")
                .contains(&child.id().cast_signed())
        );
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
    }
}
