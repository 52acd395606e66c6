//! What the live tests share: the agent under test, experiments and recordings.

#![expect(
    clippy::missing_panics_doc,
    reason = "a step of a live test that fails is a test that fails"
)]

mod recording;
mod run;

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use self::recording::Recording;
pub use self::run::{Run, exact, observe, observe_from, watch};
use lab::agent::{AgentLaunch, AgentProcess};
pub use lab::bench::BenchTruth;
use lab::venue::SentMessage;
use lab::{self, venue};
use workspace::child::Guarded;

/// How long the agent may take to attach: an upper bound, for an emulated machine whose CPUs are
/// busy.
const ATTACH_LIMIT: Duration = Duration::from_mins(1);

/// How long it may take to end, likewise: on older kernels every probe that goes waits for all
/// CPUs.
pub const END_LIMIT: Duration = Duration::from_mins(1);

/// The agent under test, or a clear line why there is none.
pub fn agent_binary() -> PathBuf {
    assert!(
        workspace::is_root(),
        "the live tests load probes into the kernel: run `cargo xtask test`"
    );
    let binary = std::env::var_os("TAG52_BIN").map_or_else(workspace::agent, PathBuf::from);
    assert!(
        binary.is_file(),
        "{} is missing: run `cargo xtask build`",
        binary.display()
    );
    binary
}

/// Experiments run one at a time: they measure waiting, and two of them would wait for each other.
pub fn one_at_a_time() -> MutexGuard<'static, ()> {
    static RUNNING: Mutex<()> = Mutex::new(());
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A victim that has logged on to its venue, whose gate is still closed.
pub struct Bench(pub lab::bench::Bench);

impl Deref for Bench {
    type Target = lab::bench::Bench;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Bench {
    /// `count` messages at `rate` to a victim with these options.
    pub fn start(rate: f64, count: u64, victim: &[&str]) -> Self {
        Self::with(venue::VenueOptions::of(rate, count), victim)
    }

    /// The same with full control over the venue.
    pub fn with(options: venue::VenueOptions, victim: &[&str]) -> Self {
        Self(lab::bench::Bench::start(options, victim).expect("a bench"))
    }

    /// Opens the gate and waits until the victim has read everything and is gone.
    pub fn finish(self) -> BenchTruth {
        self.0
            .finish(Duration::from_secs(30))
            .expect("the victim ends with the stream")
    }
}

/// An agent with these arguments that is attached.
pub fn attached<'a>(words: impl IntoIterator<Item = &'a str>) -> AgentProcess {
    let binary = agent_binary();
    let arguments = words.into_iter().map(str::to_owned).collect();
    AgentProcess::attach(&AgentLaunch::new(&binary, arguments), ATTACH_LIMIT)
        .expect("the agent attaches")
}

/// Starts a rival on a CPU.
pub fn rival(cpu: usize) -> Guarded {
    lab::bench::rival(cpu, 0).expect("a rival")
}

/// Starts a process that only releases locks that no thread waits for.
pub fn waker(cpu: usize) -> Guarded {
    lab::bench::waker(cpu).expect("a waker")
}

/// The middle one; 0 for none.
pub fn median(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

/// MsgSeqNum from which on messages are observed whole, of a victim that was there before the
/// agent. Where the call under way is not observed, what that one brings is missing, and the socket
/// is registered from the end of the next call on: of what was sent before, some time is unknown.
/// On a slow machine, or with a slow victim, that may be hundreds of messages.
pub fn first_observed(truth: &BenchTruth) -> u64 {
    if observes_calls_under_way() {
        return 0;
    }
    let records = &truth.victim.records;
    let mut calls = records.chunk_by(|a, b| a.received_ns == b.received_ns);
    let registered_ns = calls.nth(1).map_or(i64::MAX, |call| call[0].received_ns);
    let before = |sent: &&SentMessage| sent.sent_monotonic_ns <= registered_ns;
    let last = truth.sent.iter().filter(before).map(|sent| sent.seq).max();
    last.map_or(0, |seq| seq + 1)
}

/// Whether the end of a receive call is hooked where it is. The victim is inside one when the agent
/// attaches; before Linux 6.3 the hook is fexit, which observes only calls that begin later.
pub fn observes_calls_under_way() -> bool {
    let types = std::fs::read("/sys/kernel/btf/vmlinux").expect("BTF");
    let name = b"btf_trace_sock_recv_length";
    types.windows(name.len()).any(|window| window == name)
}
