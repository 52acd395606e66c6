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
    segment::Header,
    writer::{WriteError, Writer, Written},
};
use crate::model::{Input, Moment};

/// Inputs that go to the writing thread at a time, at the most.
const BATCH: usize = 1024;
/// Inputs on their way, at the most, some 400 bytes each; beyond them messages, waits and samples are left
/// out and counted.
const UNDER_WAY: usize = 1 << 16;
/// What was told goes to the file after so long at the latest: that much a crash costs.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

/// What goes to the writing thread.
#[derive(Debug)]
enum Item {
    Input(Moment, Input),
    Interval(Moment),
    End(Moment),
}

/// What was not recorded, and what was, in order.
#[derive(Debug)]
struct Batch {
    lost: u64,
    items: Vec<Item>,
}

/// Records what the model is told. Telling it takes some nanoseconds: another thread encodes, compresses
/// and writes.
///
/// When the file cannot be written any more, that is said on standard error at once, the recording ends
/// with what is in it, and the watch goes on; [`close`](Self::close) gives the error.
#[derive(Debug)]
pub struct Recorder {
    items: Vec<Item>,
    lost: u64,
    to_writer: Option<Sender<Batch>>,
    under_way: Arc<AtomicUsize>,
    writer: JoinHandle<Result<Written, WriteError>>,
}

impl Recorder {
    /// Begins a recording that takes at most `max_size` bytes, older segments included. A recording of that
    /// name is replaced.
    ///
    /// # Errors
    /// [`WriteError`]
    pub fn start(path: &Path, max_size: u64, header: Header) -> Result<Self, WriteError> {
        let writer = Writer::create(path, max_size, header)?;
        let (to_writer, batches) = channel();
        let under_way = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&under_way);
        let writer = std::thread::Builder::new()
            .name("tag52-record".to_owned())
            .spawn(move || {
                let ended = write(writer, &batches, &left);
                if let Err(error) = &ended {
                    eprintln!("tag52: the recording has ended, the watch goes on: {error}");
                }
                ended
            })
            .map_err(WriteError::Thread)?;
        Ok(Self {
            items: Vec::with_capacity(BATCH),
            lost: 0,
            to_writer: Some(to_writer),
            under_way,
            writer,
        })
    }

    /// The model was told this.
    pub fn input(&mut self, now: Moment, input: Input) {
        self.push(Item::Input(now, input));
    }

    /// An interval was taken from the model.
    pub fn interval(&mut self, now: Moment) {
        self.push(Item::Interval(now));
    }

    /// The watch ended.
    pub fn end(&mut self, now: Moment) {
        self.push(Item::End(now));
    }

    /// Lets the other thread have what was told. To be called now and then: what is kept here is lost in a
    /// crash.
    pub fn hand_over(&mut self) {
        if self.items.is_empty() {
            return;
        }
        let mut items = mem::replace(&mut self.items, Vec::with_capacity(BATCH));
        if self.under_way.load(Ordering::Relaxed) + items.len() > UNDER_WAY {
            let before = items.len();
            items.retain(must_be_told);
            self.lost += (before - items.len()) as u64;
        }
        self.under_way.fetch_add(items.len(), Ordering::Relaxed);
        let batch = Batch {
            lost: mem::take(&mut self.lost),
            items,
        };
        if let Some(to_writer) = &self.to_writer
            && to_writer.send(batch).is_err()
        {
            // It has said why.
            self.to_writer = None;
        }
    }

    /// Ends the recording, and waits until it is written.
    ///
    /// # Errors
    /// [`WriteError`], of now or of the moment at which the recording had to end.
    pub fn close(mut self) -> Result<Written, WriteError> {
        self.hand_over();
        drop(self.to_writer);
        self.writer
            .join()
            .unwrap_or_else(|_| Err(WriteError::Thread(io::Error::other("its thread panicked"))))
    }

    fn push(&mut self, item: Item) {
        if self.to_writer.is_none() {
            return;
        }
        self.items.push(item);
        if self.items.len() >= BATCH {
            self.hand_over();
        }
    }
}

/// What later inputs rest on; there is little of it.
const fn must_be_told(item: &Item) -> bool {
    !matches!(
        item,
        Item::Input(
            _,
            Input::Message(_)
                | Input::Excluded(..)
                | Input::Tap(..)
                | Input::Wait(_)
                | Input::Sample(_)
                | Input::ThreadUse(_)
        )
    )
}

fn write(
    mut writer: Writer,
    batches: &Receiver<Batch>,
    under_way: &AtomicUsize,
) -> Result<Written, WriteError> {
    let mut end = None;
    let mut flushed = Instant::now();
    loop {
        if flushed.elapsed() >= FLUSH_EVERY {
            writer.flush()?;
            flushed = Instant::now();
        }
        match batches.recv_timeout(FLUSH_EVERY) {
            Ok(batch) => {
                let taken = batch.items.len();
                if batch.lost > 0 {
                    writer.lost(batch.lost)?;
                }
                for item in batch.items {
                    match item {
                        Item::Input(now, input) => writer.input(now, input)?,
                        Item::Interval(now) => writer.interval(now)?,
                        Item::End(now) => end = Some(now),
                    }
                }
                under_way.fetch_sub(taken, Ordering::Relaxed);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return writer.end(end),
        }
    }
}
