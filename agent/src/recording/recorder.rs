//! A thread that writes a recording while the run goes on.

use std::{
    io, mem,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::{
    batch::{BatchEntry, UpdateBatch},
    segment::RecordingHeader,
    writer::{RecordingTotals, WriteError, Writer},
};
use crate::{
    domain::{Moment, Sink, Update},
    pipeline::RecordingSink,
};

/// Updates that go to the writing thread at a time.
const UPDATES_PER_BATCH: usize = 512;
/// Updates that wait for the writing thread, some 200 bytes each. When there are more, messages,
/// waits and samples are dropped and counted.
const MAX_PENDING_UPDATES: usize = 1 << 16;
/// Batches whose memory is allocated at the start, 100 KiB each: fresh pages in a burst would cost
/// more than everything else here.
const PREALLOCATED_BATCHES: usize = 16;
/// The nice value of the writing thread: its work can wait, the observed processes cannot.
const WRITER_NICE: libc::c_int = 10;
/// Updates are written to the file after so long at the latest: a crash costs no more than that.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);

/// Records updates. Handing one over takes some nanoseconds: another thread encodes, compresses and
/// writes.
///
/// When the file cannot be written any more, that is logged at once, the recording ends with what
/// is in it, and the run goes on; [`close`](Self::close) returns the error.
#[derive(Debug)]
pub struct Recorder {
    batch: UpdateBatch,
    /// Dropped updates that are not noted in the batch yet.
    lost: u64,
    to_writer: Option<Sender<UpdateBatch>>,
    /// Batches that were written, whose memory is used again.
    written: Receiver<UpdateBatch>,
    /// Empty batches. The one used last is taken first, since the caches still have it.
    empty: Vec<UpdateBatch>,
    /// Updates that wait for the writing thread.
    pending: Arc<AtomicUsize>,
    /// `pending` had reached its maximum when it was read last.
    is_full: bool,
    writer: JoinHandle<Result<RecordingTotals, WriteError>>,
}

impl Recorder {
    /// Begins a recording that takes at most `max_size` bytes, older segments included. A recording
    /// of that name is replaced.
    ///
    /// # Errors
    /// [`WriteError`]
    pub fn start(path: &Path, max_size: u64, header: RecordingHeader) -> Result<Self, WriteError> {
        let writer = Writer::create(path, max_size, header)?;
        let (to_writer, batches) = channel();
        let (give_back, written) = channel();
        let pending = Arc::new(AtomicUsize::new(0));
        let pending_of_writer = Arc::clone(&pending);
        let writer = std::thread::Builder::new()
            .name("tag52-record".to_owned())
            .spawn(move || {
                lower_priority();
                let ended = write(writer, &batches, &give_back, &pending_of_writer);
                if let Err(error) = &ended {
                    log::error!(
                        "the recording has ended early, the run goes on without it: {error}"
                    );
                }
                ended
            })
            .map_err(WriteError::Thread)?;
        Ok(Self {
            batch: UpdateBatch::with_touched_memory(UPDATES_PER_BATCH),
            lost: 0,
            to_writer: Some(to_writer),
            written,
            empty: (0..PREALLOCATED_BATCHES)
                .map(|_| UpdateBatch::with_touched_memory(UPDATES_PER_BATCH))
                .collect(),
            pending,
            is_full: false,
            writer,
        })
    }

    fn has_reached_max(&self) -> bool {
        self.pending.load(Ordering::Relaxed) + UPDATES_PER_BATCH > MAX_PENDING_UPDATES
    }

    fn note_lost(&mut self) {
        if self.lost > 0 {
            self.batch.lost(mem::take(&mut self.lost));
        }
    }

    /// Ends the recording and waits until it is written.
    ///
    /// # Errors
    /// [`WriteError`], of now or of the moment at which the recording ended early.
    pub fn close(mut self) -> Result<RecordingTotals, WriteError> {
        self.flush();
        drop(self.to_writer);
        self.writer
            .join()
            .unwrap_or_else(|_| Err(WriteError::Thread(io::Error::other("its thread panicked"))))
    }
}

impl Sink for Recorder {
    fn publish(&mut self, now: Moment, update: Update) {
        if self.to_writer.is_none() {
            return;
        }
        if self.batch.len() >= UPDATES_PER_BATCH {
            self.flush();
        }
        if self.is_full && !is_essential(&update) {
            self.lost += 1;
            // The writing thread may have caught up.
            self.is_full = self.has_reached_max();
            return;
        }
        self.note_lost();
        self.batch.add(now, update);
    }
}

impl RecordingSink for Recorder {
    fn flush(&mut self) {
        self.note_lost();
        if self.batch.len() == 0 {
            return;
        }
        self.empty.extend(self.written.try_iter());
        self.empty.truncate(PREALLOCATED_BATCHES);
        let empty = self.empty.pop().unwrap_or_default();
        let batch = mem::replace(&mut self.batch, empty);
        self.pending.fetch_add(batch.len(), Ordering::Relaxed);
        self.is_full = self.has_reached_max();
        if let Some(to_writer) = &self.to_writer
            && to_writer.send(batch).is_err()
        {
            // It has logged why.
            self.to_writer = None;
        }
    }

    fn end(&mut self, now: Moment) {
        self.note_lost();
        self.batch.end(now);
    }
}

/// Whether later updates depend on it; there are few such updates.
const fn is_essential(update: &Update) -> bool {
    !matches!(
        update,
        Update::Message(_)
            | Update::Excluded(..)
            | Update::Tap(..)
            | Update::Wait(_)
            | Update::HolderSample(_)
            | Update::ThreadUse(_)
    )
}

/// Lowers the priority of the calling thread, if the system permits it.
fn lower_priority() {
    // SAFETY: two integers; `who` 0 means the calling thread (setpriority(2), "C library/kernel
    // differences").
    let _refused = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, WRITER_NICE) };
}

fn write(
    mut writer: Writer,
    batches: &Receiver<UpdateBatch>,
    give_back: &Sender<UpdateBatch>,
    pending: &AtomicUsize,
) -> Result<RecordingTotals, WriteError> {
    let mut end = None;
    let mut has_warned = false;
    let mut flushed = Instant::now();
    loop {
        if flushed.elapsed() >= FLUSH_INTERVAL {
            writer.flush()?;
            flushed = Instant::now();
        }
        match batches.recv_timeout(FLUSH_INTERVAL) {
            Ok(mut batch) => {
                let taken = batch.len();
                batch.drain(|now, entry| match entry {
                    BatchEntry::Message {
                        session,
                        flat,
                        cells,
                        charges,
                        aftermath,
                    } => writer.message(now, session, flat, cells, charges, aftermath),
                    BatchEntry::Update(update) => writer.update(now, update),
                    BatchEntry::Lost(updates) => {
                        if !mem::replace(&mut has_warned, true) {
                            log::warn!(
                                "the disk is too slow for the recording: updates are dropped \
                                 from it and counted, and the totals of a replay will be \
                                 incomplete"
                            );
                        }
                        writer.lost(updates)
                    }
                    BatchEntry::End => {
                        end = Some(now);
                        Ok(())
                    }
                })?;
                pending.fetch_sub(taken, Ordering::Relaxed);
                // Nobody takes it back when the run ends.
                let _ended = give_back.send(batch);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return writer.end(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            Part, Stage,
            fixtures::{message, session},
        },
        recording::RecordingReader,
    };

    #[test]
    fn dropped_updates_are_counted_where_they_are_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r");
        let now = |n: u64| Moment {
            monotonic_ns: 1_000 + n,
            utc_ns: 0,
        };
        let header = RecordingHeader::new("pid 411", now(0), Duration::from_mins(2));
        let mut recorder = Recorder::start(&path, 1 << 30, header).expect("a file");
        // As if the writing thread were that far behind.
        recorder
            .pending
            .fetch_add(MAX_PENDING_UPDATES, Ordering::Relaxed);
        let update = |n: u64| {
            let cells = [(Stage::Queued, Part::LockWait, 7)];
            Update::Message(Box::new(message(&session(0), n, &cells)))
        };
        for n in 0..3 * UPDATES_PER_BATCH as u64 {
            recorder.publish(now(n), update(n));
        }
        recorder.publish(now(5_000), Update::IntervalEnded);
        // The first batch was taken before the count was read.
        let taken = UPDATES_PER_BATCH as u64;
        let until = Instant::now() + Duration::from_secs(20);
        recorder
            .pending
            .fetch_sub(MAX_PENDING_UPDATES, Ordering::Relaxed);
        while recorder.has_reached_max() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        recorder.flush();
        recorder.publish(now(6_000), update(9_000));
        let written = recorder.close().expect("written");
        assert_eq!((written.messages, written.lost), (taken + 1, 2 * taken));
        assert!(
            written.to_string().contains("1024 updates could not"),
            "{written}"
        );
        let mut reader = RecordingReader::open(&path).expect("a recording");
        let read: Vec<_> = reader
            .by_ref()
            .map(|read| read.expect("whole"))
            .filter(|(_, update)| !matches!(update, Update::IntervalEnded))
            .collect();
        assert_eq!(read.len() as u64, taken + 1);
        assert_eq!(read.last().map(|read| read.0), Some(now(6_000)));
        assert_eq!(reader.lost(), 2 * taken);
    }
}
