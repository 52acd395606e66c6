//! The table of sockets: every event goes to the socket it is about, and updates come out.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use agent_common::{
    BytesReceived, CloseReason, Snapshot, SocketClosed, SocketOpened, receive_flags,
};

use super::{socket::Socket, socket_filter::SocketFilter};
use crate::{
    clock::{TimeSource, UtcClock},
    domain::{HandOff, SessionId, Update, WindowClosures},
    events::{Event, Slices},
    streams::HeaderBudget,
};

/// Sockets in the table at most; the probes' own table is smaller.
const MAX_SOCKETS: usize = 16_384;

/// For so long after the first observed entry of a system call, batches from before it are
/// expected. No thread takes longer from a wait that does not sleep to the receive call after it.
const ENTRY_SETTLING_NS: u64 = 60_000_000_000;

/// State of one thread, for matching calls of the hand-off function.
#[derive(Clone, Copy, Debug, Default)]
struct CallingThread {
    /// The socket it read from last: its calls are about what it received there.
    last_read_socket: Option<u64>,
    /// The probes' count of lost records of its calls, as of its last call.
    lost_calls: u32,
}

/// All sockets of the processes that are followed.
#[derive(Debug, Default)]
pub(crate) struct SocketTable {
    sockets: HashMap<u64, Socket>,
    /// Sockets that are not joined on purpose and have not been closed.
    excluded: HashSet<u64>,
    filter: SocketFilter,
    /// Processes in which the hand-off function was attached after their start.
    hand_off_function_in: HashSet<u32>,
    /// Threads that read FIX or called the hand-off function, by tid.
    threads: HashMap<u32, CallingThread>,
    header_budget: HeaderBudget,
    /// Since when the entry of system calls is observed, `CLOCK_MONOTONIC` ns.
    entries_observed_since: Option<u64>,
    unregistered_records: u64,
    /// See [`SocketTable::unmatched_hand_offs`]; those of sockets that are gone.
    unmatched_hand_offs: u64,
}

impl SocketTable {
    /// Creates a table without sockets.
    #[must_use]
    pub(crate) fn new(filter: SocketFilter) -> Self {
        Self {
            filter,
            ..Self::default()
        }
    }

    /// Takes in one event; `emit` is given the updates that follow from it.
    pub(crate) fn handle<T: TimeSource>(
        &mut self,
        event: &Event<'_>,
        clock: &UtcClock<T>,
        emit: &mut dyn FnMut(Update),
    ) {
        match event {
            Event::SocketOpened(opened) => self.socket_opened(opened),
            Event::BytesArrived(arrival) => {
                if let Some(socket) = self.sockets.get_mut(&arrival.head.socket_id) {
                    socket.bytes_arrived(arrival);
                }
            }
            Event::BytesReceivedPart(recv, slices) => {
                if let Some(socket) = self.sockets.get_mut(&recv.head.socket_id) {
                    socket.feed_tap(recv, *slices, &mut self.header_budget);
                }
            }
            Event::ReaderHistory(history) => {
                if let Some(socket) = self.sockets.get_mut(&history.head.socket_id) {
                    socket.reader_changed(history);
                }
            }
            Event::BytesReceived(recv, slices) => self.bytes_received(recv, *slices, clock, emit),
            Event::HandedOff(hand_off) => {
                if let Some(socket) = self.sockets.get_mut(&hand_off.head.socket_id) {
                    socket.note_losses(hand_off.head.lost);
                    socket.handed_off(&hand_off.reader, HandOff::Wait, emit);
                }
            }
            Event::SocketSampled(sample) => {
                if let Some(socket) = self.sockets.get_mut(&sample.head.socket_id) {
                    socket.sampled(sample, emit);
                }
            }
            Event::FunctionCalled(call) => self.function_called(call.head.lost, &call.caller),
            Event::SocketClosed(closed) => self.socket_closed(closed, emit),
            // Not about a socket: attribution takes these.
            Event::SleepEnded(_) | Event::RunQueueWait(_) | Event::CpuTurns(_) => {}
            Event::ThreadExited(exit) => {
                for socket in self.sockets.values_mut() {
                    socket.thread_ended(exit.tid, &exit.last, emit);
                }
                self.threads.remove(&exit.tid);
            }
        }
    }

    fn socket_opened(&mut self, opened: &SocketOpened) {
        if self.sockets.len() >= MAX_SOCKETS {
            self.unregistered_records += 1;
        } else if let Some(mut socket) = Socket::open(opened, self.filter) {
            if self.hand_off_function_in.contains(&opened.tgid) {
                socket.hand_off_function_attached();
            }
            let replaced = self.sockets.insert(opened.head.socket_id, socket);
            self.unmatched_hand_offs += replaced.map_or(0, |socket| socket.unmatched_hand_offs());
        } else {
            self.excluded.insert(opened.head.socket_id);
        }
    }

    fn bytes_received<T: TimeSource>(
        &mut self,
        recv: &BytesReceived,
        slices: Slices<'_>,
        clock: &UtcClock<T>,
        emit: &mut dyn FnMut(Update),
    ) {
        if recv.flags & receive_flags::OTHERS_PENDING != 0 {
            self.mark_unobserved_waits(recv);
        }
        if let Some(socket) = self.sockets.get_mut(&recv.head.socket_id) {
            socket.feed_tap(recv, slices, &mut self.header_budget);
            socket.received(recv, clock, emit);
            if self.filter.hand_off_function || !self.hand_off_function_in.is_empty() {
                let thread = self.threads.entry(recv.reader.tid).or_default();
                thread.last_read_socket = Some(recv.head.socket_id);
            }
        } else if !self.excluded.contains(&recv.head.socket_id) {
            self.unregistered_records += 1;
        }
    }

    fn socket_closed(&mut self, closed: &SocketClosed, emit: &mut dyn FnMut(Update)) {
        self.excluded.remove(&closed.head.socket_id);
        if let Some(mut socket) = self.sockets.remove(&closed.head.socket_id) {
            socket.note_losses(closed.head.lost);
            if closed.reason != CloseReason::NotFix as u32 {
                socket.closed(&closed.reader, emit);
            }
            self.unmatched_hand_offs += socket.unmatched_hand_offs();
        }
    }

    fn function_called(&mut self, lost_calls: u32, caller: &Snapshot) {
        let thread = self.threads.entry(caller.tid).or_default();
        if std::mem::replace(&mut thread.lost_calls, lost_calls) != lost_calls {
            for socket in self.sockets.values_mut() {
                socket.calls_lost(caller.tid);
            }
        }
        let last_read = thread
            .last_read_socket
            .and_then(|id| self.sockets.get_mut(&id));
        if let Some(socket) = last_read {
            socket.function_called(caller);
        }
    }

    /// The thread of `recv` has messages pending from other sockets too. It may have been back in a
    /// wait in between that did not sleep. Before the entry of system calls was observed no probe
    /// sees that, and when the others were handed off is unknown.
    fn mark_unobserved_waits(&mut self, recv: &BytesReceived) {
        let since = self.entries_observed_since.unwrap_or(u64::MAX);
        if recv.reader.at_ns > since.saturating_add(ENTRY_SETTLING_NS) {
            return;
        }
        for (id, socket) in &mut self.sockets {
            if *id != recv.head.socket_id
                && let Some(batch) = socket.pending_batch(recv.reader.tid)
                && batch.received_at().is_some_and(|at| at < since)
            {
                batch.wait_unobserved();
            }
        }
    }

    /// From `at_ns` (`CLOCK_MONOTONIC`) on the entry of system calls is observed.
    pub(crate) fn syscall_entries_observed_from(&mut self, at_ns: u64) {
        self.entries_observed_since.get_or_insert(at_ns);
    }

    /// The calls of the hand-off function in this process are observed from now on.
    pub(crate) fn hand_off_function_attached(&mut self, pid: u32) {
        self.hand_off_function_in.insert(pid);
        for socket in self.sockets.values_mut().filter(|s| s.pid() == pid) {
            socket.hand_off_function_attached();
        }
    }

    /// The process is not followed, or has ended: its sockets are joined no longer. Returns how
    /// many it had.
    pub(crate) fn exclude_process(&mut self, pid: u32) -> u64 {
        self.hand_off_function_in.remove(&pid);
        let removed = self.sockets.extract_if(|_, socket| socket.pid() == pid);
        let before = self.excluded.len();
        self.excluded.extend(removed.map(|(id, _)| id));
        (self.excluded.len() - before) as u64
    }

    /// Only the `open` sockets exist at `at_ns` (`CLOCK_MONOTONIC`): all others were closed, and
    /// the record of that was lost.
    pub(crate) fn retain_sockets(
        &mut self,
        open: &HashSet<u64>,
        at_ns: u64,
        emit: &mut dyn FnMut(Update),
    ) {
        self.excluded.retain(|id| open.contains(id));
        for (_, mut socket) in self.sockets.extract_if(|id, _| !open.contains(id)) {
            socket.close_unobserved(at_ns, emit);
            self.unmatched_hand_offs += socket.unmatched_hand_offs();
        }
    }

    /// The run ends at `at_ns` (`CLOCK_MONOTONIC`): what was received and not handed off never will
    /// be.
    pub(crate) fn close_all(&mut self, at_ns: u64, emit: &mut dyn FnMut(Update)) {
        for (_, mut socket) in self.sockets.drain() {
            socket.run_ended(at_ns, emit);
            self.unmatched_hand_offs += socket.unmatched_hand_offs();
        }
    }

    /// The addresses in the kernel of the sockets that carry a session: those to sample.
    pub(crate) fn sample_addresses(&self) -> impl Iterator<Item = u64> + '_ {
        self.sockets.values().filter_map(Socket::sample_address)
    }

    /// The readers of sessions whose window is closed, by tid. Sampling them now and then keeps the
    /// split of held-back time fine.
    pub(crate) fn closed_window_readers(&self) -> impl Iterator<Item = u32> + '_ {
        self.sockets
            .values()
            .filter_map(Socket::closed_window_reader)
    }

    /// The counters of a thread were sampled.
    pub(crate) fn reader_sampled(&mut self, reader: Snapshot) {
        for socket in self.sockets.values_mut() {
            socket.reader_sampled(reader);
        }
    }

    /// The sessions with the tid of the thread that read each last.
    pub(crate) fn readers(&self) -> impl Iterator<Item = (&Arc<SessionId>, u32)> + '_ {
        self.sockets.values().filter_map(Socket::reader)
    }

    /// How often and for how long the window of each session was closed.
    pub(crate) fn window_facts(
        &self,
    ) -> impl Iterator<Item = (&Arc<SessionId>, WindowClosures)> + '_ {
        self.sockets.values().filter_map(Socket::window_facts)
    }

    /// How many bytes of a message, from its first one, the probes must copy for its header to be
    /// complete, judged by the headers read so far.
    #[must_use]
    pub(crate) fn header_budget_bytes(&self) -> usize {
        self.header_budget.bytes()
    }

    /// Messages so far whose calls of the hand-off function could not be matched: they end with the
    /// batch they were received in.
    #[must_use]
    pub(crate) fn unmatched_hand_offs(&self) -> u64 {
        let open = self.sockets.values().map(Socket::unmatched_hand_offs);
        self.unmatched_hand_offs + open.sum::<u64>()
    }

    /// Records about sockets that are not in the table: it was full, or the record that announced
    /// the socket was lost.
    #[must_use]
    pub(crate) const fn unregistered_records(&self) -> u64 {
        self.unregistered_records
    }
}
