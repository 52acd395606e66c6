//! The cost of recording.
//!
//! The reader's throughput: bursts that are in its socket before it goes on, which it takes as fast
//! as it can, once doing nothing with them and once working on each like an application would. Two
//! agents watch it, one of which records; in turn both are stopped (SIGSTOP), or one of them: what
//! their probes cost is the same in all three.
//!
//! The agent's: both are stopped until the reader has read everything; then each has the same
//! events waiting and takes them as fast as it can, one after the other, some 0.2 s apart. What
//! else the machine does comes and goes slower than that, mostly: the ratios of pairs count, and
//! their median.

mod table;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

use self::table::{ReaderRates, SideBySide, table};
use super::measured_agent::{AgentTotals, CpuTime, MeasuredAgent};
use lab::bench::Bench;
use lab::venue;
use lab::victim::VictimRecord;

/// Messages of a burst: as many as two agents' rings hold.
const BURST: u64 = 20_000;
/// A reader takes a burst in a fraction of that, its work aside.
const PAUSE: Duration = Duration::from_millis(150);
/// What a reader works on a message, microseconds: nothing, and no more than a fast engine does.
const WORK_US: [u64; 2] = [0, 20];
/// Length of a recording whose size is measured.
const SECONDS: u64 = 10;
/// The longest time a run may take.
const LIMIT: Duration = Duration::from_mins(1);

/// The options of `cargo xtask bench record`.
#[derive(Clone, Debug, clap::Args)]
pub struct RecordOptions {
    /// Rounds of measurements of the agents
    #[arg(long, default_value_t = 10)]
    pub rounds: usize,
    /// Bursts for the reader, per configuration
    #[arg(long, default_value_t = 20)]
    pub bursts: u64,
    /// Measure this agent instead of building it
    #[arg(long, value_name = "PATH")]
    pub agent: Option<PathBuf>,
}

/// Figures of one agent that catches up with waiting events.
#[derive(Clone, Copy, Debug)]
struct CatchUp {
    /// Messages a second.
    rate: f64,
    /// CPU time of its ingest thread per message, nanoseconds.
    ingest_ns: f64,
    /// CPU time of all its threads per message, nanoseconds.
    all_ns: f64,
}

/// How the victim reads.
#[derive(Clone, Copy, Debug)]
struct ReadCase {
    name: &'static str,
    /// All messages are in the socket before it reads.
    backlog: bool,
    /// The agents are not stopped and work side by side.
    live: bool,
    messages: u64,
}

const CASES: [ReadCase; 3] = [
    ReadCase {
        name: "live, 20,000/s",
        backlog: false,
        live: true,
        messages: 60_000,
    },
    ReadCase {
        name: "a message a read",
        backlog: false,
        live: false,
        messages: 20_000,
    },
    ReadCase {
        name: "reads of 4 KiB",
        backlog: true,
        live: false,
        messages: 25_000,
    },
];

struct RecordBench<'a> {
    options: &'a RecordOptions,
    binary: &'a Path,
}

pub(super) fn run(options: &RecordOptions, binary: &Path) -> Result<String> {
    let lab = RecordBench { options, binary };
    let mut readers = Vec::new();
    for work_us in WORK_US {
        let [alone, watched, recorded] = lab.reader(work_us)?;
        readers.push(ReaderRates {
            work_us,
            alone,
            pairs: watched.into_iter().zip(recorded).collect(),
        });
    }
    let mut agents: [Vec<SideBySide<CatchUp>>; CASES.len()] = Default::default();
    for round in 0..options.rounds {
        let swap = round % 2 == 1;
        for (case, pairs) in CASES.iter().zip(&mut agents) {
            let pair = lab.twins(*case, swap)?;
            eprintln!("round {}, {}: {pair:.0?}", round + 1, case.name);
            pairs.push(pair);
        }
    }
    let mut text = table(&readers, &agents);
    for rate in [300, 5_000] {
        let bytes = lab.size(rate)?;
        let hour = bytes * rate as f64 * 3600.0 / 1e6;
        let _ = writeln!(
            text,
            "the recording, {rate} messages/s: {bytes:.1} bytes per message, {hour:.0} MB per hour"
        );
    }
    Ok(text)
}

/// Measures without recording and with it, or in the opposite order.
fn in_turn<T>(swap: bool, mut measure: impl FnMut(bool) -> Result<T>) -> Result<SideBySide<T>> {
    if swap {
        let with = measure(true)?;
        return Ok((measure(false)?, with));
    }
    Ok((measure(false)?, measure(true)?))
}

impl RecordBench<'_> {
    /// Messages a second of a reader that has a burst of them in its socket when it goes on, and of
    /// whoever is awake meanwhile: the agent that does not record, or the one that does. The other
    /// one is stopped and catches up afterwards. Of each burst `None` comes first: both are
    /// stopped.
    fn reader(&self, work_us: u64) -> Result<[Vec<f64>; 3]> {
        let bursts = 3 * self.options.bursts;
        let options = venue::VenueOptions {
            burst: BURST,
            ..venue::VenueOptions::of(BURST as f64, BURST * bursts)
        };
        let work = work_us.to_string();
        let victim = ["--receive-buffer", "400000000", "--read-size", "4096"];
        let victim = [&victim[..], &["--work-us", &work]].concat();
        let pause = PAUSE + Duration::from_micros(2 * work_us * BURST);
        let bench = Bench::start(options, &victim)?;
        let pid = bench.victim.pid();
        let run = MeasuredAgent::start(self.binary, pid, false)?;
        let record = MeasuredAgent::start(self.binary, pid, true)?;
        let awake = |n: u64| [None, Some(&run), Some(&record)][(n + n / 3) as usize % 3];
        bench.venue.open_gate();
        for n in 0..bursts {
            bench.victim.signal(Signal::SIGSTOP);
            for watch in [&run, &record] {
                watch.signal(Signal::SIGSTOP);
            }
            if let Some(watch) = awake(n) {
                watch.signal(Signal::SIGCONT);
            }
            wait_sent(&bench, (n + 1) * BURST)?;
            bench.victim.signal(Signal::SIGCONT);
            // Long enough for all of it.
            std::thread::sleep(pause);
            for watch in [&run, &record] {
                watch.signal(Signal::SIGCONT);
                watch.wait_idle(LIMIT)?;
            }
        }
        let truth = bench.conclude(LIMIT)?;
        ensure_complete(run.finish()?, BURST * bursts)?;
        ensure_complete(record.finish()?, BURST * bursts)?;
        Ok(rates(&truth.victim.records))
    }

    /// Two agents on one victim, one of which records. Both are stopped until it has read
    /// everything; then one goes on alone, and after it the other.
    fn twins(&self, case: ReadCase, swap: bool) -> Result<SideBySide<CatchUp>> {
        let count = case.messages;
        let bench = if case.backlog {
            backlog(count)?
        } else {
            Bench::start(venue::VenueOptions::of(20_000.0, count), &[])?
        };
        let pid = bench.victim.pid();
        let (run, record) = in_turn(swap, |recording| {
            MeasuredAgent::start(self.binary, pid, recording)
        })?;
        let before = (run.cpu()?, record.cpu()?);
        for watch in [&run, &record] {
            if !case.live {
                watch.signal(Signal::SIGSTOP);
            }
        }
        if case.backlog {
            fill(&bench, count)?;
            bench.victim.signal(Signal::SIGUSR1);
            bench.conclude(LIMIT)?;
        } else {
            bench.finish(LIMIT)?;
        }
        let took = in_turn(swap, |recording| {
            let watch = if recording { &record } else { &run };
            let from = Instant::now();
            watch.signal(Signal::SIGCONT);
            let took = watch.wait_idle(LIMIT)? - from;
            Ok((took, watch.cpu()?))
        })?;
        let figures =
            |watch: MeasuredAgent, before: CpuTime, (took, after): (Duration, CpuTime)| {
                ensure_complete(watch.finish()?, count)?;
                let each = |ns: u64| ns as f64 / count as f64;
                Ok::<_, anyhow::Error>(CatchUp {
                    rate: count as f64 / took.as_secs_f64(),
                    ingest_ns: each(after.ingest_ns - before.ingest_ns),
                    all_ns: each(after.all_ns - before.all_ns),
                })
            };
        Ok((
            figures(run, before.0, took.0)?,
            figures(record, before.1, took.1)?,
        ))
    }

    /// Returns the bytes per message of a recording at `rate` messages per second, including what
    /// is written once a second.
    fn size(&self, rate: u64) -> Result<f64> {
        let count = SECONDS * rate;
        let bench = Bench::start(venue::VenueOptions::of(rate as f64, count), &[])?;
        let watch = MeasuredAgent::start(self.binary, bench.victim.pid(), true)?;
        bench.finish(LIMIT)?;
        let account = watch.finish()?;
        ensure_complete(account, count)?;
        Ok(account.recorded as f64 / count as f64)
    }
}

/// Starts a victim that waits for a signal, with room for `messages` in its socket.
fn backlog(messages: u64) -> Result<Bench> {
    let victim = [
        "--receive-buffer",
        "800000000",
        "--read-size",
        "4096",
        "--wait-for-signal",
    ];
    Bench::start(venue::VenueOptions::of(1e9, messages), &victim)
}

/// Lets the venue send all messages to a victim that does not read yet.
fn fill(bench: &Bench, messages: u64) -> Result<()> {
    bench.venue.open_gate();
    wait_sent(bench, messages)
}

/// Waits until the venue has sent `messages`.
fn wait_sent(bench: &Bench, messages: u64) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while bench.venue.sent() < messages {
        ensure!(
            Instant::now() < deadline,
            "the messages do not fit into the socket"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Returns messages per second by burst, for: no agent awake, the first one, the second one.
fn rates(records: &[VictimRecord]) -> [Vec<f64>; 3] {
    let mut rates: [Vec<f64>; 3] = Default::default();
    for (n, records) in records.chunks(BURST as usize).enumerate() {
        // Some of its first messages may have been read before it was stopped.
        let records = &records[records.len() / 10..];
        let ends = records.first().zip(records.last());
        let took = ends.map_or(0, |(first, last)| last.received_ns - first.received_ns);
        let who = (n + n / 3) % 3;
        rates[who].push(records.len() as f64 * 1e9 / took.max(1) as f64);
    }
    rates
}

/// Fails when the agent did not observe all messages: its figures would be meaningless.
fn ensure_complete(account: AgentTotals, messages: u64) -> Result<()> {
    ensure!(
        account.messages >= messages,
        "the agent lost {} events and has {} of {messages} messages",
        account.lost,
        account.messages
    );
    Ok(())
}
