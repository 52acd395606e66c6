//! What everything that is drawn shares: the packets, the tracks of processes, names and counts.

use std::io::{self, Write};

use super::{
    counts::ExportCounts, culprits::CulpritDictionary, processes::ProcessTracks, track::TrackId,
    writer::PacketWriter,
};

/// The trace as sessions, threads and cgroups draw on it.
#[derive(Debug)]
pub(super) struct TraceOutput<W> {
    pub(super) out: PacketWriter<W>,
    pub(super) processes: ProcessTracks,
    pub(super) culprits: CulpritDictionary,
    pub(super) counts: ExportCounts,
}

impl<W: Write> TraceOutput<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out: PacketWriter::new(out),
            processes: ProcessTracks::default(),
            culprits: CulpritDictionary::default(),
            counts: ExportCounts::default(),
        }
    }

    /// The track that holds all tracks of a process but its threads.
    pub(super) fn process(&mut self, pid: u32) -> io::Result<TrackId> {
        self.processes.process(pid, &mut self.out)
    }

    /// The track of a thread, below its process.
    pub(super) fn thread(&mut self, pid: u32, tid: u32, comm: &str) -> io::Result<TrackId> {
        self.processes.thread(pid, tid, comm, &mut self.out)
    }
}
