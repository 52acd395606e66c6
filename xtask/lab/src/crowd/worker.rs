//! One thread of the crowd: its work on a message, and its log.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::{Result, anyhow};

use super::session::{ClientSession, ReceiveOutcome};
use super::{ConnectionLog, CrowdOptions};
use crate::clock;
use crate::victim::{
    MarkKind, Marks, ThreadUsage, VictimLog, VictimRecord, tag52_victim_handed_off,
};

/// The work on every message, the same in all threads.
#[derive(Clone, Debug)]
pub(super) struct MessageWork {
    cpu_ns: i64,
    lock: Option<Arc<Mutex<u64>>>,
    folder: PathBuf,
}

impl MessageWork {
    pub(super) fn new(options: &CrowdOptions, lock: Option<Arc<Mutex<u64>>>) -> Self {
        Self {
            cpu_ns: (options.work_us * 1000).cast_signed(),
            lock,
            folder: options.folder.clone(),
        }
    }
}

/// A connection, identified by both its ports.
type Connection = (u16, u16);

/// The state of the calling thread.
pub(super) struct Worker {
    work: MessageWork,
    tid: i32,
    marks: Marks,
    buffer: Vec<u8>,
    records: BTreeMap<Connection, Vec<VictimRecord>>,
}

impl Worker {
    pub(super) fn of_this_thread(work: &MessageWork) -> Result<Self> {
        Ok(Self {
            work: work.clone(),
            tid: nix::unistd::gettid().as_raw(),
            marks: Marks::of_this_thread(true, None)?,
            buffer: vec![0; 65536],
            records: BTreeMap::new(),
        })
    }

    /// Runs `wait`, which waits for all sessions of the thread: the hand-off of all messages read.
    pub(super) fn wait<T>(&mut self, wait: impl FnOnce() -> Result<T>) -> Result<T> {
        self.marks.mark(MarkKind::Work)?;
        let now = (clock::monotonic_ns(), clock::utc_ns());
        let ready = wait();
        self.marks.mark(MarkKind::Receive)?;
        for records in self.records.values_mut() {
            handed_off(records, now);
        }
        ready
    }

    /// Runs `wait`, which does not concern the thread's sessions.
    pub(super) fn rest<T>(&mut self, wait: impl FnOnce() -> T) -> Result<T> {
        self.marks.mark(MarkKind::Work)?;
        let waited = wait();
        self.marks.mark(MarkKind::Lock)?;
        Ok(waited)
    }

    /// Makes one receive call and does the work for it; returns the number of messages it
    /// completed, `None` at the end of the stream.
    pub(super) fn read(&mut self, session: &mut ClientSession) -> Result<Option<u64>> {
        self.marks.mark(MarkKind::Work)?;
        let now = (clock::monotonic_ns(), clock::utc_ns());
        let brought = session.receive(&mut self.buffer)?;
        let received_ns = clock::monotonic_ns();
        self.marks.mark(MarkKind::Receive)?;
        let records = self
            .records
            .entry((session.venue, session.local))
            .or_default();
        handed_off(records, now);
        if brought == ReceiveOutcome::End {
            return Ok(None);
        }
        let mut messages = 0;
        while let Some(message) = session.next_message() {
            self.marks.work(self.work.cpu_ns)?;
            let begin = clock::monotonic_ns();
            if let Some(lock) = &self.work.lock {
                self.marks.mark(MarkKind::Work)?;
                let mut taken = lock.lock().map_err(|_| anyhow!("the rival panicked"))?;
                *taken += 1;
                drop(taken);
                self.marks.mark(MarkKind::Lock)?;
            }
            let called_ns = clock::monotonic_ns();
            records.push(VictimRecord {
                seq: message.seq,
                received_ns,
                called_ns,
                injected_ns: called_ns - begin,
                handed_off_ns: 0,
                handed_off_utc_ns: 0,
            });
            tag52_victim_handed_off(message.seq);
            messages += 1;
        }
        Ok(Some(messages))
    }

    /// Writes the logs.
    pub(super) fn finish(self) -> Result<()> {
        let Self {
            work,
            tid,
            marks,
            records,
            ..
        } = self;
        for ((venue, local), records) in records {
            let log = VictimLog {
                records,
                ..VictimLog::default()
            };
            let part = ConnectionLog {
                venue,
                local,
                tid,
                log,
            };
            part.write(&work.folder)?;
        }
        let account = VictimLog {
            marks: marks.into_vec(),
            usage: ThreadUsage::now(tid)?,
            ..VictimLog::default()
        };
        account.write(&work.folder.join(tid.to_string()))
    }
}

/// Sets the hand-off of records without one. It runs after the call, so as not to delay it.
fn handed_off(records: &mut [VictimRecord], (monotonic, utc): (i64, i64)) {
    let waiting = records
        .iter_mut()
        .rev()
        .take_while(|record| record.handed_off_ns == 0);
    for record in waiting {
        record.handed_off_ns = monotonic;
        record.handed_off_utc_ns = utc;
    }
}
