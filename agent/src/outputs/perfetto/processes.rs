//! The tracks of processes and threads.

use std::{
    collections::{HashMap, hash_map::Entry},
    io::{self, Write},
};

use super::{
    proto::{BY_RANK, ProcessDescriptor, ThreadDescriptor, TrackDescriptor},
    track::TrackId,
    writer::PacketWriter,
};

/// The declared tracks of processes and threads, by pid and tid.
#[derive(Debug, Default)]
pub(super) struct ProcessTracks {
    processes: HashMap<u32, ProcessTrack>,
    threads: HashMap<u32, ThreadTrack>,
}

#[derive(Clone, Copy, Debug)]
struct ProcessTrack {
    process: TrackId,
    /// Below the process, it holds all but the threads: Perfetto shows threads first, and orders
    /// what is right below a process by rules of its own.
    ordered: TrackId,
}

#[derive(Clone, Copy, Debug)]
struct ThreadTrack {
    track: TrackId,
    pid: u32,
}

/// A pid as Perfetto has it; those of Linux are smaller than 2^22 (`PID_MAX_LIMIT`).
fn signed(id: u32) -> i32 {
    i32::try_from(id).unwrap_or(i32::MAX)
}

impl ProcessTracks {
    fn of<W: Write>(&mut self, pid: u32, out: &mut PacketWriter<W>) -> io::Result<ProcessTrack> {
        match self.processes.entry(pid) {
            Entry::Occupied(declared) => Ok(*declared.get()),
            Entry::Vacant(entry) => {
                let process = ProcessDescriptor {
                    pid: Some(signed(pid)),
                    process_name: Some("process".to_owned()),
                };
                let descriptor = TrackDescriptor {
                    process: Some(process),
                    ..TrackDescriptor::default()
                };
                let process = out.track(None, descriptor)?;
                let ranked = TrackDescriptor {
                    name: Some("FIX sessions".to_owned()),
                    child_ordering: Some(BY_RANK),
                    ..TrackDescriptor::default()
                };
                let ordered = out.track(Some(process), ranked)?;
                Ok(*entry.insert(ProcessTrack { process, ordered }))
            }
        }
    }

    /// The track that holds all tracks of the process but its threads, in their
    /// [`TrackOrder`](super::track::TrackOrder).
    pub(super) fn process<W: Write>(
        &mut self,
        pid: u32,
        out: &mut PacketWriter<W>,
    ) -> io::Result<TrackId> {
        Ok(self.of(pid, out)?.ordered)
    }

    /// The process of a thread that has a track.
    pub(super) fn process_of(&self, tid: u32) -> Option<u32> {
        self.threads.get(&tid).map(|thread| thread.pid)
    }

    /// The track of a thread, below its process.
    pub(super) fn thread<W: Write>(
        &mut self,
        pid: u32,
        tid: u32,
        comm: &str,
        out: &mut PacketWriter<W>,
    ) -> io::Result<TrackId> {
        if let Some(thread) = self.threads.get(&tid) {
            return Ok(thread.track);
        }
        let parent = self.of(pid, out)?.process;
        let thread = ThreadDescriptor {
            pid: Some(signed(pid)),
            tid: Some(i64::from(tid)),
            thread_name: Some(if comm.is_empty() { "thread" } else { comm }.to_owned()),
        };
        let descriptor = TrackDescriptor {
            thread: Some(thread),
            ..TrackDescriptor::default()
        };
        let track = out.track(Some(parent), descriptor)?;
        self.threads.insert(tid, ThreadTrack { track, pid });
        Ok(track)
    }
}
