//! Tests with real processes: every CPython of this machine.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::*;

/// Its second thread holds the GIL in `Books.add`, its third one waits in `Feed.pause`; the first
/// one waits, too.
const SCRIPT: &str = r"
import sys, threading, time

class Books:
    def add(self):
        while True:
            sum(range(300_000))

class Feed:
    def pause(self):
        time.sleep(1000)

def start(work):
    print(threading.get_native_id(), flush=True)
    work()

for work in (Books().add, Feed().pause):
    threading.Thread(target=start, args=(work,), daemon=True).start()
print('%d.%d' % sys.version_info[:2], flush=True)
sys.stdin.read()
";

struct Python {
    child: Child,
    /// `3.11`
    version: String,
    adding: u32,
    pausing: u32,
    _folder: tempfile::TempDir,
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Python {
    /// Runs the script with an interpreter; `None` when that fails.
    fn start(interpreter: &Path) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let script = folder.path().join("books.py");
        fs::File::create(&script)
            .and_then(|mut file| file.write_all(SCRIPT.as_bytes()))
            .expect("written");
        let mut child = Command::new(interpreter)
            .arg(&script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut lines = BufReader::new(child.stdout.take()?)
            .lines()
            .map_while(Result::ok);
        let printed: Vec<String> = lines.by_ref().take(3).collect();
        let mut python = Self {
            child,
            version: printed.iter().find(|line| line.contains('.'))?.clone(),
            adding: 0,
            pausing: 0,
            _folder: folder,
        };
        // They may print in any order, and are identified by what they do.
        let tids = printed.iter().filter_map(|line| line.parse().ok());
        let deadline = Instant::now() + Duration::from_secs(10);
        for tid in tids {
            let name = format!("/proc/{tid}/syscall");
            let sleeps = || {
                let text = fs::read_to_string(&name).unwrap_or_default();
                blocking_call(&text).is_some_and(|call| call.contains("nanosleep"))
            };
            let sleeper = (0..100).any(|_| {
                thread::sleep(Duration::from_millis(2));
                sleeps() || Instant::now() > deadline
            });
            *if sleeper {
                &mut python.pausing
            } else {
                &mut python.adding
            } = tid;
        }
        (python.adding != 0 && python.pausing != 0).then_some(python)
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// The interpreters of this machine: those on the path, and others installed beside them.
fn interpreters() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path)
        .filter_map(|folder| interpreter_of(&folder.join("python3")))
        .collect();
    let beside = on_path.iter().flat_map(|python| {
        let places = python.ancestors().nth(3).map(fs::read_dir);
        let places = places.into_iter().flatten().flatten().flatten();
        places.filter_map(|place| interpreter_of(&place.path().join("bin/python3")))
    });
    let mut found: Vec<PathBuf> = on_path.iter().cloned().chain(beside).collect();
    found.sort();
    found.dedup();
    found
}

/// The binary of CPython 3.8 or later behind any wrapper.
fn interpreter_of(path: &Path) -> Option<PathBuf> {
    let mut command = Command::new(path);
    command.args([
        "-c",
        "import sys; sys.version_info >= (3, 8) and print(sys.executable)",
    ]);
    let output = command.stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    // An older one printed nothing, which is not a path.
    fs::canonicalize(text.trim()).ok()
}

#[test]
fn functions_of_every_cpython_here() {
    for interpreter in interpreters() {
        let Some(python) = Python::start(&interpreter) else {
            continue;
        };
        let mut host = Host::new().expect("a host");
        let read = ["3.11", "3.12", "3.13"].contains(&python.version.as_str());
        let (pid, adding) = (python.pid(), python.adding);
        let adding = host.activity(pid, adding).expect("alive");
        if !read {
            assert_eq!(adding.function, None, "{}", python.version);
            assert_eq!(host.counts().functions_unsupported, 1);
            let why: Vec<&str> = host.unsupported_runtimes().collect();
            assert!(why[0].contains("CPython"), "{why:?}");
            continue;
        }
        let function = |sample: &ThreadActivity| {
            let function = sample.function.as_ref()?;
            let line = function.location.split_once("books.py:")?.1.to_owned();
            Some((function.name.clone(), line))
        };
        let is = |name: &str, line: &str| Some((name.to_owned(), line.to_owned()));
        let whole = format!("{} {adding:?}", python.version);
        // Its `def` is in the fifth line of the script.
        assert_eq!(function(&adding), is("Books.add", "5"), "{whole}");
        let pausing = host.activity(pid, python.pausing).expect("alive");
        assert_eq!(function(&pausing), is("Feed.pause", "10"), "{pausing:?}");
        assert_eq!(pausing.state, Part::Blocked);
        assert!(pausing.call.expect("in one").ends_with("nanosleep"));
        let main = host.activity(pid, pid).expect("alive");
        assert!(main.call.is_some(), "{main:?}");
        let name = main
            .function
            .as_ref()
            .map(|function| function.name.as_str());
        assert_eq!(name, Some("<module>"));
        assert_eq!(host.activity(pid, python.pausing + 1_000_000), None);
        assert_eq!(std::mem::take(&mut host.failures.threads_ended), 1);
        assert_eq!(host.counts(), ResolveFailures::default());
    }
}

#[test]
fn the_gil_of_every_cpython_here() {
    for interpreter in interpreters() {
        let Some(python) = Python::start(&interpreter) else {
            continue;
        };
        let mut host = Host::new().expect("a host");
        // The main thread is in read(2) or about to go there; the adding one never lets go for
        // long: a thread that wants the GIL is found in futex(2).
        let (pid, whole) = (python.pid(), &python.version);
        let runtime = host.runtimes.of(pid).expect("CPython");
        assert!(host.is_gil(pid, runtime.start), "{whole}");
        assert!(host.is_gil(pid, runtime.start + runtime.size - 1));
        assert!(!host.is_gil(pid, runtime.start - 1));
        assert!(!host.is_gil(pid, runtime.start + runtime.size));
        assert!(
            !host.is_gil(std::process::id(), runtime.start),
            "no CPython here"
        );
        assert_eq!(host.counts().unreadable_files, 0);
    }
}

#[test]
fn a_background_search_finds_the_same() {
    for interpreter in interpreters() {
        let mut command = Command::new(&interpreter);
        command.args(["-c", "print(flush=True)\ninput()"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python");
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("it runs");
        let (pid, here) = (child.id(), std::process::id());
        let proc = ProcRoot::default();
        let mut at_once = PythonRuntimes::new(proc.clone());
        let wanted = [pid, here].map(|pid| at_once.of(pid));
        let mut background = PythonRuntimes::new(proc);
        // The last one requested is needed first, and one of them does not exist.
        for pid in [here, 1 << 30, pid] {
            background.find_in_background(pid);
        }
        let found = [pid, here].map(|pid| background.of(pid));
        drop(child.stdin.take());
        child.wait().expect("it ends");
        assert_eq!(found, wanted, "{interpreter:?}");
        assert!(found[0].is_some() && found[1].is_none());
    }
}

#[test]
fn a_waiter_for_the_gil_waits_inside_of_the_runtime() {
    // Of two threads that add, one waits at any time.
    let script = "import threading\ndef f():\n    while True: sum(range(300_000))\n\
                  threading.Thread(target=f, daemon=True).start()\n\
                  print(flush=True)\nf()\n";
    for interpreter in interpreters() {
        let mut command = Command::new(&interpreter);
        command.args(["-c", script]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("python");
        // Until then the first one waits for the start of the second one, which is another lock.
        let out = child.stdout.take().expect("piped");
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).expect("it runs");
        let pid = child.id();
        let guard = Python {
            child,
            version: String::new(),
            adding: 0,
            pausing: 0,
            _folder: tempfile::tempdir().expect("a folder"),
        };
        let mut host = Host::new().expect("a host");
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut waits = 0;
        while waits < 20 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(3));
            let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("tasks");
            let tids: Vec<_> = tasks.flatten().map(|task| task.path()).collect();
            if tids.len() < 2 {
                continue;
            }
            for task in tids {
                let text = fs::read_to_string(task.join("syscall")).unwrap_or_default();
                let mut words = text.split_whitespace();
                let number = words.next().and_then(|word| word.parse::<i64>().ok());
                if number != Some(libc::SYS_futex) {
                    continue;
                }
                let address = words.next().and_then(|word| word.strip_prefix("0x"));
                let address = address.and_then(|hex| u64::from_str_radix(hex, 16).ok());
                let address = address.expect("an address");
                assert!(
                    host.is_gil(pid, address),
                    "{}: {text}",
                    interpreter.display()
                );
                waits += 1;
            }
        }
        assert_eq!(waits, 20, "{}", interpreter.display());
        drop(guard);
    }
}

#[test]
fn a_process_that_executes_another_program_is_searched_again() {
    let Some(interpreter) = interpreters().pop() else {
        return;
    };
    let script = "import os, sys\nprint(flush=True)\nsys.stdin.readline()\n\
                  os.execv('/bin/cat', ['cat'])";
    let mut child = Command::new(interpreter)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python");
    let pid = child.id();
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("it runs");
    let mut host = Host::new().expect("a host");
    let gil = host.runtimes.of(pid).expect("CPython").start;
    assert!(host.is_gil(pid, gil));
    let mut input = child.stdin.take().expect("piped");
    input.write_all(b"\n").expect("written");
    let deadline = Instant::now() + Duration::from_secs(10);
    let comm = || fs::read_to_string(format!("/proc/{pid}/comm")).expect("alive");
    while comm() != "cat\n" {
        assert!(Instant::now() < deadline, "it stays {}", comm());
        thread::sleep(Duration::from_millis(5));
    }
    thread::sleep(Duration::from_millis(1100));
    assert!(!host.is_gil(pid, gil));
    drop(input);
    child.wait().expect("it ends");
}

#[test]
fn the_text_of_a_syscall_file() {
    assert_eq!(blocking_call("running\n"), None);
    assert_eq!(
        blocking_call("-1 0x7ffd 0x7f00\n").as_deref(),
        Some("page fault")
    );
    let text = format!("{} 0x3 0x0\n", libc::SYS_write);
    assert_eq!(blocking_call(&text).as_deref(), Some("write"));
    assert_eq!(blocking_call(""), None);
}

#[test]
fn an_ended_thread_cannot_be_sampled() {
    let mut host = Host::new().expect("a host");
    assert!(host.activity(1, u32::MAX).is_none());
    assert_eq!(host.counts().threads_ended, 1);
}
