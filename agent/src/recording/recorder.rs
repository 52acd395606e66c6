//! A thread that writes a recording while the watch goes on.

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
    batch::{Batch, BatchEntry},
    segment::Header,
    writer::{WriteError, Writer, Written},
};
use crate::{
    domain::{Moment, Sink, Update},
    pipeline::RecordingSink,
};

/// Inputs that go to the writing thread at a time, at the most.
const BATCH: usize = 512;
/// Inputs on their way, at the most, some 200 bytes each; beyond them messages, waits and samples
/// are left out and counted.
const UNDER_WAY: usize = 1 << 16;
/// Batches whose memory is there from the start, 100 KiB each: fresh pages in a burst would cost
/// more than all else here.
const READY: usize = 16;
/// How much the writing thread gives way: its work can wait, what is watched cannot.
const NICE: libc::c_int = 10;
/// What was told goes to the file after so long at the latest: that much a crash costs.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// Records what the model is told. Telling it takes some nanoseconds: another thread encodes,
/// compresses and writes.
///
/// When the file cannot be written any more, that is said on standard error at once, the recording
/// ends with what is in it, and the watch goes on; [`close`](Self::close) gives the error.
#[derive(Debug)]
pub struct Recorder {
    batch: Batch,
    /// Not told to the batch yet.
    lost: u64,
    to_writer: Option<Sender<Batch>>,
    /// Batches that were written: their memory is used again.
    written: Receiver<Batch>,
    /// Empty ones. The one used last is taken first: the caches still have it.
    empty: Vec<Batch>,
    under_way: Arc<AtomicUsize>,
    /// There was no room when that was looked at last.
    crowded: bool,
    writer: JoinHandle<Result<Written, WriteError>>,
}

impl Recorder {
    /// Begins a recording that takes at most `max_size` bytes, older segments included. A recording
    /// of that name is replaced.
    ///
    /// # Errors
    /// [`WriteError`]
    pub fn start(path: &Path, max_size: u64, header: Header) -> Result<Self, WriteError> {
        let writer = Writer::create(path, max_size, header)?;
        let (to_writer, batches) = channel();
        let (give_back, written) = channel();
        let under_way = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&under_way);
        let writer = std::thread::Builder::new()
            .name("tag52-record".to_owned())
            .spawn(move || {
                give_way();
                let ended = write(writer, &batches, &give_back, &left);
                if let Err(error) = &ended {
                    log::warn!("the recording has ended, the watch goes on: {error}");
                }
                ended
            })
            .map_err(WriteError::Thread)?;
        Ok(Self {
            batch: Batch::ready(BATCH),
            lost: 0,
            to_writer: Some(to_writer),
            written,
            empty: (0..READY).map(|_| Batch::ready(BATCH)).collect(),
            under_way,
            crowded: false,
            writer,
        })
    }

    fn is_crowded(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) + BATCH > UNDER_WAY
    }

    fn note_lost(&mut self) {
        if self.lost > 0 {
            self.batch.lost(mem::take(&mut self.lost));
        }
    }

    /// Ends the recording, and waits until it is written.
    ///
    /// # Errors
    /// [`WriteError`], of now or of the moment at which the recording had to end.
    pub fn close(mut self) -> Result<Written, WriteError> {
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
        if self.batch.len() >= BATCH {
            self.flush();
        }
        if self.crowded && !is_essential(&update) {
            self.lost += 1;
            // Somebody may have made room.
            self.crowded = self.is_crowded();
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
        self.empty.truncate(READY);
        let empty = self.empty.pop().unwrap_or_default();
        let batch = mem::replace(&mut self.batch, empty);
        self.under_way.fetch_add(batch.len(), Ordering::Relaxed);
        self.crowded = self.is_crowded();
        if let Some(to_writer) = &self.to_writer
            && to_writer.send(batch).is_err()
        {
            // It has said why.
            self.to_writer = None;
        }
    }

    fn end(&mut self, now: Moment) {
        self.note_lost();
        self.batch.end(now);
    }
}

/// Whether later updates rest on it; there are few of these.
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

/// Should the system refuse, the thread is one like the others.
fn give_way() {
    // SAFETY: two integers; `who` 0 means the calling thread (setpriority(2), "C library/kernel
    // differences").
    let _refused = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

fn write(
    mut writer: Writer,
    batches: &Receiver<Batch>,
    give_back: &Sender<Batch>,
    under_way: &AtomicUsize,
) -> Result<Written, WriteError> {
    let mut end = None;
    let mut behind = false;
    let mut flushed = Instant::now();
    loop {
        if flushed.elapsed() >= FLUSH_EVERY {
            writer.flush()?;
            flushed = Instant::now();
        }
        match batches.recv_timeout(FLUSH_EVERY) {
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
                        if !mem::replace(&mut behind, true) {
                            log::warn!("the recording cannot keep up: inputs are left out of it, and counted"
                            );
                        }
                        writer.lost(updates)
                    }
                    BatchEntry::End => {
                        end = Some(now);
                        Ok(())
                    }
                })?;
                under_way.fetch_sub(taken, Ordering::Relaxed);
                // Nobody takes it when the recording ends.
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
        recording::Reader,
    };

    #[test]
    fn what_cannot_be_written_in_time_is_counted_where_it_is_missing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r");
        let now = |n: u64| Moment {
            monotonic_ns: 1_000 + n,
            utc_ns: 0,
        };
        let header = Header::new("pid 411", now(0), Duration::from_secs(120));
        let mut recorder = Recorder::start(&path, 1 << 30, header).expect("a file");
        // As if the writing thread had so much to do.
        recorder.under_way.fetch_add(UNDER_WAY, Ordering::Relaxed);
        let update = |n: u64| {
            let cells = [(Stage::Queued, Part::LockWait, 7)];
            Update::Message(Box::new(message(&session(0), n, &cells)))
        };
        for n in 0..3 * BATCH as u64 {
            recorder.publish(now(n), update(n));
        }
        recorder.publish(now(5_000), Update::IntervalEnded);
        // The first ones were taken before anybody looked.
        let taken = BATCH as u64;
        let until = Instant::now() + Duration::from_secs(20);
        recorder.under_way.fetch_sub(UNDER_WAY, Ordering::Relaxed);
        while recorder.is_crowded() && Instant::now() < until {
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
        let mut reader = Reader::open(&path).expect("a recording");
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
