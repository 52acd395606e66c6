//! `victims victim`: a small FIX receiver that waits for one known reason and logs when.
//!
//! Per message it logs MsgSeqNum, the return of the receive call that completed it, the hand-off
//! (right before the next receive call or wait) and the time spent in the injected wait. It ends
//! when the venue closes the connection.

mod inject;
mod locks;
mod log;
mod marks;
mod read;

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::socket::{setsockopt, sockopt};

pub use self::inject::{DrainOptions, Inject};
pub use self::log::{ThreadUsage, VictimLog, VictimRecord};
pub(super) use self::marks::Marks;
pub use self::marks::{Mark, MarkKind};
pub use self::read::ReadCall;
use crate::clock::{self, Resolution};
use crate::fix::{FixWriter, MessageFramer};
use crate::{cpu, spin};

/// The options of `victims victim`.
#[derive(Clone, Debug, clap::Args)]
pub struct VictimOptions {
    /// The venue's port.
    #[arg(long)]
    pub venue: u16,
    /// The venue's address.
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
    pub host: Ipv4Addr,
    /// The path of the log.
    #[arg(long)]
    pub log: PathBuf,
    /// The receive call.
    #[arg(long, default_value = "recv")]
    pub read: ReadCall,
    /// Buffer size of a receive call, bytes.
    #[arg(long, default_value_t = 65536)]
    pub read_size: usize,
    /// The injected causes of waiting, one per message in turn.
    #[arg(long, default_value = "none", value_delimiter = ',')]
    pub inject: Vec<Inject>,
    /// The first message that waits, counted from 0.
    #[arg(long, default_value_t = 0)]
    pub inject_from: usize,
    /// How many messages wait; all from there on by default.
    #[arg(long)]
    pub inject_count: Option<usize>,
    /// Take marks of the reading thread.
    #[arg(long)]
    pub marks: bool,
    /// The cpu.stat of the cgroup with the quota, for the marks.
    #[arg(long)]
    pub cpu_stat: Option<PathBuf>,
    /// Keep this CPU busy with a second thread.
    #[arg(long)]
    pub burner_cpu: Option<usize>,
    /// CPU time used per message, microseconds.
    #[arg(long, default_value_t = 0)]
    pub work_us: u64,
    /// `mutex`, `lock`: how long the rival holds the lock; `deadlock`: until the reader gives up,
    /// 0 for never; `sleep`: how long a message sleeps; `spin`: CPU time; `rcvbuf`: how long it
    /// stops reading; `pipe`, `sink`: how long the drain takes per message. Microseconds.
    #[arg(long, default_value_t = 5000)]
    pub hold_us: u64,
    /// `mutex`: how long the lock is free in between; `rcvbuf`: how long it reads in between.
    /// Microseconds.
    #[arg(long, default_value_t = 1000)]
    pub gap_us: u64,
    /// SO_RCVBUF in bytes, set before connecting; above net.core.rmem_max only as root.
    #[arg(long)]
    pub receive_buffer: Option<usize>,
    /// Wait for SIGUSR1 after the logon, before reading.
    #[arg(long)]
    pub wait_for_signal: bool,
    /// The database's port on 127.0.0.1 (`db`, `query`).
    #[arg(long)]
    pub database: Option<u16>,
    /// Pin the reading thread, and those that make it wait, to this CPU.
    #[arg(long)]
    pub cpu: Option<usize>,
}

impl VictimOptions {
    /// Whether the message of this number, counted from 0, waits for an injected cause.
    fn waits(&self, number: usize) -> bool {
        let after = number.checked_sub(self.inject_from);
        after.is_some_and(|after| self.inject_count.is_none_or(|count| after < count))
    }
}

/// Called once per message at its end; a symbol for `--handoff`.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn tag52_victim_handed_off(seq: u64) {
    std::hint::black_box(seq);
}

/// Runs the receiver until the venue closes.
pub fn run(options: &VictimOptions) -> Result<()> {
    // Blocked in all threads, so that it stays pending until the wait below.
    let mut go = SigSet::empty();
    go.add(Signal::SIGUSR1);
    go.thread_block()?;
    if let Some(cpu) = options.burner_cpu {
        std::thread::spawn(move || spin::burn(cpu));
    }
    if let Some(cpu) = options.cpu {
        cpu::pin(cpu)?;
    }
    let mut injections = inject::Injection::all(options)?;
    let stream = connect(options)?;
    let mut receiver = read::SocketReceiver::new(options.read, &stream, options.read_size)?;
    let mut writer = FixWriter::new("DROP", "VENUE", Resolution::Micros);
    (&stream).write_all(writer.message("A", clock::utc_ns(), "98=0\u{1}108=30\u{1}"))?;
    let tid = nix::unistd::gettid().as_raw();
    println!("connected {tid}");
    if options.wait_for_signal {
        go.wait()?;
    }

    let mut cutter = MessageFramer::default();
    let mut log = VictimLog::default();
    let mut marks = Marks::of_this_thread(options.marks, options.cpu_stat.as_deref())?;
    loop {
        marks.mark(MarkKind::Work)?;
        // The hand-off is set after the call, so as not to delay it.
        let (utc, monotonic) = (clock::utc_ns(), clock::monotonic_ns());
        let bytes = receiver.receive().context("the receive call failed")?;
        let received_ns = clock::monotonic_ns();
        marks.mark(MarkKind::Receive)?;
        for record in log
            .records
            .iter_mut()
            .rev()
            .take_while(|record| record.handed_off_ns == 0)
        {
            record.handed_off_utc_ns = utc;
            record.handed_off_ns = monotonic;
        }
        if bytes.is_empty() {
            break;
        }
        cutter.push(bytes);
        while let Some(message) = cutter.next_message() {
            marks.work((options.work_us * 1000).cast_signed())?;
            let mut injected_ns = 0;
            if options.waits(log.records.len()) {
                let turn = log.records.len() % injections.len();
                injected_ns = inject(&mut injections[turn], &mut marks)?;
            }
            log.records.push(VictimRecord {
                seq: message.seq,
                received_ns,
                called_ns: clock::monotonic_ns(),
                injected_ns,
                handed_off_ns: 0,
                handed_off_utc_ns: 0,
            });
            tag52_victim_handed_off(message.seq);
        }
    }
    log.usage = ThreadUsage::now(tid)?;
    log.marks = marks.into_vec();
    log.write(&options.log)
}

/// Waits for an injected cause; returns the time it took, nanoseconds.
fn inject(injection: &mut inject::Injection, marks: &mut Marks) -> Result<i64> {
    let kind = injection.kind();
    if kind.is_some() {
        marks.mark(MarkKind::Work)?;
    }
    let injected_ns = injection.wait(marks)?;
    if let Some(kind) = kind {
        marks.mark(kind)?;
    }
    Ok(injected_ns)
}

fn connect(options: &VictimOptions) -> Result<TcpStream> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, connect, socket};
    let socket = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    if let Some(bytes) = options.receive_buffer
        && setsockopt(&socket.as_fd(), sockopt::RcvBufForce, &bytes).is_err()
    {
        setsockopt(&socket.as_fd(), sockopt::RcvBuf, &bytes).context("SO_RCVBUF")?;
    }
    connect(
        socket.as_raw_fd(),
        &SockaddrIn::from(SocketAddrV4::new(options.host, options.venue)),
    )
    .context("cannot reach the venue")?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    Ok(stream)
}
