//! A node under churn: for minutes, many processes start and end, few of which read FIX. The
//! agent's memory, descriptors and series must not grow.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use lab::agent::LoggedAgent;
use lab::clock::{self, Resolution};
use lab::fix::{FixWriter, execution_report};
use lab::neighbour::GREETING_BYTES;
use lab::victims_program;
use workspace::child::Guarded;

/// The options of `cargo xtask bench node`.
#[derive(Clone, Debug, clap::Args)]
pub struct NodeOptions {
    /// Use this agent instead of building it.
    #[arg(long)]
    pub agent: Option<PathBuf>,
    /// Length of the run, minutes.
    #[arg(long, default_value_t = 10.0)]
    pub minutes: f64,
    /// Processes at a time.
    #[arg(long, default_value_t = 300)]
    pub processes: usize,
    /// Processes that read a FIX session; half of the others read another protocol.
    #[arg(long, default_value_t = 64)]
    pub sessions: usize,
    /// Messages per second of each connection.
    #[arg(long, default_value_t = 10.0)]
    pub rate: f64,
    /// Mean lifetime of a process, seconds; it varies from half to one and a half of that.
    #[arg(long, default_value_t = 40.0)]
    pub life: f64,
    /// Lifetime of a connection, seconds.
    #[arg(long, default_value_t = 8.0)]
    pub stay: f64,
}

/// Serves all connections: sends FIX or other bytes, as the greeting asks. Returns the port.
fn serve(rate: f64) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let gap = Duration::from_secs_f64(1.0 / rate);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let body = move || {
                // The other end closes at any time.
                let _left = talk(stream, number, gap);
            };
            let _full = std::thread::Builder::new()
                .stack_size(128 << 10)
                .spawn(body);
        }
    });
    Ok(port)
}

fn talk(mut stream: TcpStream, number: usize, gap: Duration) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut greeting = [0; GREETING_BYTES];
    stream.read_exact(&mut greeting)?;
    let fix = greeting.starts_with(b"8=FIX");
    let sender = format!("VENUE{}", number % 16);
    let mut writer = FixWriter::new(&sender, "NODE", Resolution::Micros);
    let mut fields = String::new();
    for report in 0.. {
        if fix {
            execution_report(report, 120, &mut fields);
            stream.write_all(writer.message("8", clock::utc_ns(), &fields))?;
        } else {
            stream.write_all(&[b'x'; 200])?;
        }
        std::thread::sleep(gap);
    }
    Ok(())
}

/// The processes of the node, each replaced when it ends.
struct NodeProcesses<'a> {
    options: &'a NodeOptions,
    port: u16,
    slots: Vec<Guarded>,
    started: usize,
}

impl<'a> NodeProcesses<'a> {
    fn start(options: &'a NodeOptions) -> Result<Self> {
        let mut node = Self {
            options,
            port: serve(options.rate)?,
            slots: Vec::new(),
            started: 0,
        };
        for slot in 0..options.processes {
            let process = node.process(slot)?;
            node.slots.push(process);
        }
        Ok(node)
    }

    fn process(&mut self, slot: usize) -> Result<Guarded> {
        let kind = match slot {
            slot if slot < self.options.sessions => "fix",
            slot if slot % 2 == 0 => "plain",
            _ => "ticks",
        };
        // Not all at once: half to one and a half of a life.
        let share = 0.5 + (self.started * 37 % 100) as f64 / 100.0;
        let millis = |seconds: f64| ((seconds * 1_000.0) as u64).to_string();
        self.started += 1;
        let mut command = victims_program::command("neighbour")?;
        command
            .args(["--kind", kind, "--port", &self.port.to_string()])
            .args(["--life-ms", &millis(self.options.life * share)])
            .args(["--stay-ms", &millis(self.options.stay)])
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        Guarded::spawn(&mut command, "a neighbour")
    }

    /// Replaces the processes that have ended.
    fn churn(&mut self) -> Result<()> {
        for slot in 0..self.slots.len() {
            if self.slots[slot].ended().is_some() {
                self.slots[slot] = self.process(slot)?;
            }
        }
        Ok(())
    }
}

/// One sample of the agent.
#[derive(Clone, Copy, Debug)]
struct AgentSample {
    at: Duration,
    rss_kib: u64,
    descriptors: usize,
    cpu: Duration,
    series: usize,
    scrape: Duration,
    sessions: f64,
    messages: f64,
    lost: f64,
}

/// The agent under test and the port of its metrics.
struct NodeAgent {
    agent: LoggedAgent,
    port: u16,
}

impl NodeAgent {
    fn start(binary: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(binary);
        command
            .args(["run", "--all", "--quiet"])
            .args(["--listen", &format!("127.0.0.1:{port}")]);
        let mut agent = LoggedAgent::start(folder, &mut command)?;
        agent.wait_attached(Duration::from_mins(1))?;
        Ok(Self { agent, port })
    }

    fn scrape(&self) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    }

    fn sample(&self, at: Duration) -> Result<AgentSample> {
        let begin = Instant::now();
        let text = self.scrape()?;
        let scrape = begin.elapsed();
        let lines = || {
            text.lines()
                .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        };
        let sum = |name: &str| -> f64 {
            let of = lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
            // An exemplar follows after a #.
            let value = |line: &str| {
                line.split(" # ")
                    .next()?
                    .rsplit(' ')
                    .next()?
                    .parse::<f64>()
                    .ok()
            };
            of.filter_map(value).sum()
        };
        let pid = self.agent.process.pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let rss = rss.and_then(|text| text.split_whitespace().next()?.parse().ok());
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let ticks: u64 = stat
            .split_whitespace()
            .skip(13)
            .take(2)
            .filter_map(|n| n.parse::<u64>().ok())
            .sum();
        Ok(AgentSample {
            at,
            rss_kib: rss.context("/proc/PID/status has no VmRSS")?,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd"))?.count(),
            cpu: Duration::from_millis(ticks * 10),
            series: lines().count(),
            scrape,
            sessions: sum("tag52_sessions"),
            messages: sum("tag52_messages_total"),
            lost: sum("tag52_events_lost_total"),
        })
    }
}

/// Runs the bench and returns a table.
pub(super) fn run(options: &NodeOptions, binary: &Path) -> Result<String> {
    ensure!(
        options.sessions <= options.processes,
        "more sessions than processes"
    );
    let mut node = NodeProcesses::start(options)?;
    let mut agent = NodeAgent::start(binary)?;
    let begin = Instant::now();
    let length = Duration::from_secs_f64(options.minutes * 60.0);
    let every = length / 20;
    let mut samples = Vec::new();
    let mut next = every;
    while begin.elapsed() < length {
        node.churn()?;
        if begin.elapsed() >= next {
            samples.push(agent.sample(begin.elapsed())?);
            eprintln!("{}", line(samples.last().context("just pushed")?));
            next += every;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    agent.agent.process.signal(Signal::SIGTERM);
    let asked = Instant::now();
    let status = agent.agent.process.wait(Duration::from_secs(10))?;
    let ended = asked.elapsed();
    ensure!(
        status.success(),
        "the agent failed: {}",
        agent.agent.stderr()?
    );
    let started = node.started;
    let mut table = format!(
        "{} processes at a time, {} of them with a FIX session; {started} in all\n{HEAD}\n",
        options.processes, options.sessions
    );
    for sample in &samples {
        table.push_str(&line(sample));
        table.push('\n');
    }
    table.push_str(&format!("ended {} ms after SIGTERM", ended.as_millis()));
    Ok(table)
}

const HEAD: &str = "   at s   RSS MiB  fds  CPU s  series  scrape ms  sessions  messages  lost";

fn line(sample: &AgentSample) -> String {
    format!(
        "{:7.0} {:9.1} {:4} {:6.1} {:7} {:10.1} {:9} {:9} {:5}",
        sample.at.as_secs_f64(),
        sample.rss_kib as f64 / 1024.0,
        sample.descriptors,
        sample.cpu.as_secs_f64(),
        sample.series,
        sample.scrape.as_secs_f64() * 1e3,
        sample.sessions,
        sample.messages,
        sample.lost,
    )
}
