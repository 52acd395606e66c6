//! The tracks of processes and threads.

use std::{
    collections::{HashMap, hash_map::Entry},
    io::{self, Write},
};

use super::{
    proto::{BY_RANK, ProcessDescriptor, ThreadDescriptor, TrackDescriptor},
    writer::{Track, Writer},
};

/// Where a track is shown among those of its process. What fits into a line or two comes first: the
/// messages of a backlog fill screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    Session,
    Thread,
    Holder,
    Cgroup,
    Messages,
}

impl Rank {
    pub(super) const fn number(self) -> Option<i32> {
        Some(self as i32)
    }
}

/// Declared tracks by the numbers of their processes and threads.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    /// Each with the track below it that has all but the threads: Perfetto puts these first, and
    /// what is right below a process in an order of its own.
    processes: HashMap<u32, (Track, Track)>,
    threads: HashMap<u32, (Track, u32)>,
}

/// As Perfetto writes them; the kernel's are smaller than 2^22.
fn signed(id: u32) -> i32 {
    i32::try_from(id).unwrap_or(i32::MAX)
}

impl Tracks {
    fn of<W: Write>(&mut self, pid: u32, out: &mut Writer<W>) -> io::Result<(Track, Track)> {
        match self.processes.entry(pid) {
            Entry::Occupied(known) => Ok(*known.get()),
            Entry::Vacant(place) => {
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
                Ok(*place.insert((process, out.track(Some(process), ranked)?)))
            }
        }
    }

    /// Where all that is not a thread of the process is shown, by its [`Rank`].
    pub(super) fn process<W: Write>(&mut self, pid: u32, out: &mut Writer<W>) -> io::Result<Track> {
        Ok(self.of(pid, out)?.1)
    }

    /// The process of a thread seen before.
    pub(super) fn process_of(&self, tid: u32) -> Option<u32> {
        self.threads.get(&tid).map(|known| known.1)
    }

    /// The thread's track, below its process's.
    pub(super) fn thread<W: Write>(
        &mut self,
        pid: u32,
        tid: u32,
        comm: &str,
        out: &mut Writer<W>,
    ) -> io::Result<Track> {
        if let Some(&(track, _)) = self.threads.get(&tid) {
            return Ok(track);
        }
        let (parent, _) = self.of(pid, out)?;
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
        self.threads.insert(tid, (track, pid));
        Ok(track)
    }
}
