//! Sockets, their streams and the threads that read them: every event goes to the one it is about,
//! and messages come out joined.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use agent_common::{BytesReceived, CloseReason, Snapshot, receive_flags};

use super::socket::Socket;
use crate::{
    clock::{TimeSource, UtcClock},
    domain::{HandOff, SessionId, Update, WindowClosures},
    events::Event,
    streams::header_budget::Headers,
};

/// Sockets held at the most; the probes' own list is smaller.
const MOST_SOCKETS: usize = 16_384;

/// For so long after the entry of system calls is watched, batches of before are looked for, ns: no
/// thread takes longer from a wait that does not sleep to the receive call after it.
const SETTLED: u64 = 60_000_000_000;

/// What is to be watched.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Only sessions with this local or remote port.
    pub port: Option<u16>,
    /// A hand-off function is attached.
    pub by_function: bool,
}

/// What is known of a thread for the calls of the hand-off function.
#[derive(Clone, Copy, Debug, Default)]
struct Thread {
    /// The socket it read from last: its calls are about what it got there.
    reads: Option<u64>,
    /// Records of its calls that were lost, as last told.
    lost: u32,
}

/// All sockets of the watched processes.
#[derive(Debug, Default)]
pub struct Sessions {
    sockets: HashMap<u64, Socket>,
    /// Sockets that are not followed, on purpose, and not known to be closed.
    left: HashSet<u64>,
    filter: Filter,
    /// Processes in which the hand-off function was attached later.
    by_function: HashSet<u32>,
    /// Threads that read FIX, or that called the hand-off function.
    threads: HashMap<u32, Thread>,
    headers: Headers,
    /// Since when the entry of system calls is watched, `CLOCK_MONOTONIC` ns.
    entries_since: Option<u64>,
    stray: u64,
    /// See [`Sessions::unmatched`]; of sockets that are gone.
    unmatched: u64,
}

impl Sessions {
    /// No socket yet.
    #[must_use]
    pub fn new(filter: Filter) -> Self {
        Self {
            filter,
            ..Self::default()
        }
    }

    /// Takes one event in; `emit` is given what follows from it.
    pub fn handle<T: TimeSource>(
        &mut self,
        event: Event<'_>,
        clock: &UtcClock<T>,
        emit: &mut dyn FnMut(Update),
    ) {
        match event {
            Event::SocketOpened(opened) => {
                if self.sockets.len() >= MOST_SOCKETS {
                    self.stray += 1;
                } else if let Some(mut socket) = Socket::open(&opened, self.filter) {
                    if self.by_function.contains(&opened.tgid) {
                        socket.follow_function();
                    }
                    let replaced = self.sockets.insert(opened.head.socket_id, socket);
                    self.unmatched += replaced.map_or(0, |socket| socket.unmatched());
                } else {
                    self.left.insert(opened.head.socket_id);
                }
            }
            Event::BytesArrived(arrival) => {
                if let Some(socket) = self.sockets.get_mut(&arrival.head.socket_id) {
                    socket.arrived(&arrival);
                }
            }
            Event::BytesReceivedPart(recv, slices) => {
                if let Some(socket) = self.sockets.get_mut(&recv.head.socket_id) {
                    socket.bytes(&recv, slices, &mut self.headers);
                }
            }
            Event::ReaderHistory(past) => {
                if let Some(socket) = self.sockets.get_mut(&past.head.socket_id) {
                    socket.new_reader(&past);
                }
            }
            Event::BytesReceived(recv, slices) => {
                if recv.flags & receive_flags::OTHERS_PENDING != 0 {
                    self.overlapped(&recv);
                }
                if let Some(socket) = self.sockets.get_mut(&recv.head.socket_id) {
                    socket.bytes(&recv, slices, &mut self.headers);
                    socket.received(&recv, clock, emit);
                    if self.filter.by_function || !self.by_function.is_empty() {
                        let thread = self.threads.entry(recv.reader.tid).or_default();
                        thread.reads = Some(recv.head.socket_id);
                    }
                } else if !self.left.contains(&recv.head.socket_id) {
                    self.stray += 1;
                }
            }
            Event::HandedOff(hand_off) => {
                if let Some(socket) = self.sockets.get_mut(&hand_off.head.socket_id) {
                    socket.lost_so_far(hand_off.head.lost);
                    socket.handed_off(&hand_off.reader, HandOff::Wait, emit);
                }
            }
            Event::FunctionCalled(call) => self.called(call.head.lost, &call.caller),
            Event::SocketClosed(closed) => {
                self.left.remove(&closed.head.socket_id);
                if let Some(mut socket) = self.sockets.remove(&closed.head.socket_id) {
                    socket.lost_so_far(closed.head.lost);
                    if closed.reason != CloseReason::NotFix as u32 {
                        socket.closed(closed.at_ns, emit);
                    }
                    self.unmatched += socket.unmatched();
                }
            }
            // Not about a socket: the collector's.
            Event::SleepEnded(_) | Event::RunQueueWait(_) | Event::CpuTurns(_) => {}
            Event::ThreadExited(exit) => {
                for socket in self.sockets.values_mut() {
                    socket.thread_ended(exit.tid, exit.at_ns, emit);
                }
                self.threads.remove(&exit.tid);
            }
        }
    }

    fn called(&mut self, lost: u32, caller: &Snapshot) {
        let thread = self.threads.entry(caller.tid).or_default();
        if std::mem::replace(&mut thread.lost, lost) != lost {
            for socket in self.sockets.values_mut() {
                socket.calls_lost(caller.tid);
            }
        }
        let read = thread.reads.and_then(|id| self.sockets.get_mut(&id));
        if let Some(socket) = read {
            socket.called(caller);
        }
    }

    /// The thread of `recv` has something in hand from other sockets too. It may have been back in
    /// a wait in between, one that did not sleep: without a look at the entry of system calls that
    /// was not seen, and when it handed off the others is not known.
    fn overlapped(&mut self, recv: &BytesReceived) {
        let since = self.entries_since.unwrap_or(u64::MAX);
        if recv.reader.at_ns > since.saturating_add(SETTLED) {
            return;
        }
        for (id, socket) in &mut self.sockets {
            if *id != recv.head.socket_id
                && let Some(batch) = socket.batch_in_hand(recv.reader.tid)
                && batch.received_at().is_some_and(|at| at < since)
            {
                batch.wait_unseen();
            }
        }
    }

    /// From `at` (`CLOCK_MONOTONIC` ns) on the entry of system calls is watched.
    pub fn entries_watched(&mut self, at: u64) {
        self.entries_since.get_or_insert(at);
    }

    /// The calls of the hand-off function in this process are seen from now on.
    pub fn follow_function(&mut self, pid: u32) {
        self.by_function.insert(pid);
        for socket in self.sockets.values_mut().filter(|s| s.pid() == pid) {
            socket.follow_function();
        }
    }

    /// The process is to be left alone, or has ended. Returns how many sockets it had.
    pub fn leave(&mut self, pid: u32) -> u64 {
        self.by_function.remove(&pid);
        let gone = self.sockets.extract_if(|_, socket| socket.pid() == pid);
        let before = self.left.len();
        self.left.extend(gone.map(|(id, _)| id));
        (self.left.len() - before) as u64
    }

    /// Only these sockets are there, at `at` (`CLOCK_MONOTONIC` ns): the others have been closed,
    /// and the record of it was lost.
    pub fn keep(&mut self, there: &HashSet<u64>, at: u64, emit: &mut dyn FnMut(Update)) {
        self.left.retain(|id| there.contains(id));
        for (_, mut socket) in self.sockets.extract_if(|id, _| !there.contains(id)) {
            socket.closed(at, emit);
            self.unmatched += socket.unmatched();
        }
    }

    /// The process has ended: what was received and not handed off never will be.
    pub fn ended(&mut self, at: u64, emit: &mut dyn FnMut(Update)) {
        for (_, mut socket) in self.sockets.drain() {
            socket.closed(at, emit);
            self.unmatched += socket.unmatched();
        }
    }

    /// Threads that read a session whose window is closed: a look at them now and then keeps the
    /// split of held-back time fine.
    pub fn closed_window_readers(&self) -> impl Iterator<Item = u32> + '_ {
        self.sockets.values().filter_map(Socket::starving_reader)
    }

    /// A thread was looked at.
    pub fn seen(&mut self, reader: Snapshot) {
        for socket in self.sockets.values_mut() {
            socket.seen(reader);
        }
    }

    /// Sessions and the threads that read them last.
    pub fn readers(&self) -> impl Iterator<Item = (&Arc<SessionId>, u32)> + '_ {
        self.sockets.values().filter_map(Socket::reader)
    }

    /// How often the window of each session was closed.
    pub fn windows(&self) -> impl Iterator<Item = (&Arc<SessionId>, WindowClosures)> + '_ {
        self.sockets.values().filter_map(Socket::window)
    }

    /// How much of a message the probes must hand over for its header to be read, as far as is
    /// known: bytes, from its first one.
    #[must_use]
    pub fn header_bytes(&self) -> usize {
        self.headers.needed()
    }

    /// Messages whose calls of the hand-off function could not be matched, so far: they end with
    /// the batch they were received in.
    #[must_use]
    pub fn unmatched(&self) -> u64 {
        let open = self.sockets.values().map(Socket::unmatched).sum::<u64>();
        self.unmatched + open
    }

    /// Records about sockets that are not known (the record that announced them was lost).
    #[must_use]
    pub const fn stray(&self) -> u64 {
        self.stray
    }
}
