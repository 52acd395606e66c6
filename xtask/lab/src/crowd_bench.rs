//! Crowds and the venues of their sessions, from the logons to the end of all streams.

use std::collections::{BTreeMap, HashMap};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::crowd::{ConnectionLog, CrowdLog};
use crate::venue::{self, SentMessage, Venue};
use crate::victim::{Mark, VictimRecord};
use crate::victims_program;
use workspace::child::Guarded;

/// The number of crowds and sessions, and their options.
#[derive(Clone, Debug)]
pub struct CrowdShape<'a> {
    /// Number of processes.
    pub processes: usize,
    /// Number of sessions of each process.
    pub sessions: usize,
    /// Options of each session's venue; the SenderCompID is generated.
    pub venue: venue::VenueOptions,
    /// Options of each crowd.
    pub crowd: &'a [&'a str],
}

/// Crowds that have logged on to all their venues, whose gates are still closed.
#[derive(Debug)]
pub struct CrowdBench(Vec<Crowd>);

#[derive(Debug)]
struct Crowd {
    process: Guarded,
    /// The venues with their SenderCompIDs.
    venues: Vec<(String, Venue)>,
    folder: TempDir,
}

/// One message in the logs of its venue and its reader.
#[derive(Clone, Debug)]
pub struct TrueMessage {
    /// SenderCompID.
    pub sender: String,
    /// Our port.
    pub local: u16,
    /// The process that read it.
    pub pid: i32,
    /// The thread that read it.
    pub tid: i32,
    /// The venue's record.
    pub sent: SentMessage,
    /// The reader's record.
    pub record: VictimRecord,
}

/// The truth about a run: the joined logs of venues and crowds.
#[derive(Clone, Debug, Default)]
pub struct CrowdTruth {
    /// Every ExecutionReport.
    pub messages: Vec<TrueMessage>,
    /// The marks of each thread, by tid.
    pub threads: HashMap<i32, Vec<Mark>>,
}

impl CrowdBench {
    /// Starts all venues and crowds and waits for the logons.
    pub fn start(shape: &CrowdShape<'_>) -> Result<Self> {
        let crowds = (0..shape.processes).map(|process| Crowd::start(shape, process));
        let mut crowds = Self(crowds.collect::<Result<_>>()?);
        let deadline = Instant::now() + Duration::from_secs(15);
        while !crowds.0.iter().all(Crowd::logged_on) {
            for crowd in &mut crowds.0 {
                ensure!(
                    crowd.process.ended().is_none(),
                    "a crowd ended before its logons"
                );
            }
            ensure!(Instant::now() < deadline, "no logon");
            std::thread::sleep(Duration::from_millis(2));
        }
        // By then all threads wait again.
        std::thread::sleep(Duration::from_millis(50));
        Ok(crowds)
    }

    /// Returns the pids of the processes.
    pub fn pids(&self) -> impl Iterator<Item = i32> + '_ {
        self.0.iter().map(|crowd| crowd.process.pid())
    }

    /// Opens the gates and waits at most `limit` until everything is read and all crowds have
    /// ended.
    pub fn finish(mut self, limit: Duration) -> Result<CrowdTruth> {
        for (_, venue) in self.0.iter().flat_map(|crowd| &crowd.venues) {
            venue.open_gate();
            // So that the venues do not send in step.
            std::thread::sleep(Duration::from_millis(1));
        }
        let deadline = Instant::now() + limit;
        for crowd in &mut self.0 {
            let status = crowd
                .process
                .wait(deadline.saturating_duration_since(Instant::now()))?;
            ensure!(status.success(), "a crowd failed: {status}");
        }
        let mut truth = CrowdTruth::default();
        for crowd in self.0 {
            crowd.conclude(&mut truth)?;
        }
        Ok(truth)
    }
}

impl Crowd {
    fn start(shape: &CrowdShape<'_>, process: usize) -> Result<Self> {
        let venues = (0..shape.sessions).map(|session| {
            let sender = format!("V{process}-{session:02}");
            let options = venue::VenueOptions {
                sender: sender.clone(),
                ..shape.venue.clone()
            };
            Ok((sender, Venue::start(options)?))
        });
        let venues = venues.collect::<Result<Vec<_>>>()?;
        let ports: Vec<String> = venues.iter().map(|(_, v)| v.port().to_string()).collect();
        let folder = tempfile::tempdir()?;
        let mut command = victims_program::command("crowd")?;
        command
            .args(["--venues", &ports.join(","), "--folder"])
            .arg(folder.path())
            .arg(format!("--connections={}", shape.venue.connections))
            .args(shape.crowd)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        Ok(Self {
            process: Guarded::spawn(&mut command, "a crowd")?,
            venues,
            folder,
        })
    }

    fn logged_on(&self) -> bool {
        self.venues.iter().all(|(_, venue)| venue.logged_on())
    }

    /// Joins the logs of the venues and the threads.
    fn conclude(self, truth: &mut CrowdTruth) -> Result<()> {
        let CrowdLog { parts, threads } = CrowdLog::read(self.folder.path())?;
        truth
            .threads
            .extend(threads.into_iter().map(|(tid, log)| (tid, log.marks)));
        let pid = self.process.pid();
        for (sender, venue) in self.venues {
            let port = venue.port();
            let streams = streams(venue.stop()?);
            let connections = connections(parts.iter().filter(|part| part.venue == port));
            ensure!(
                streams.len() == connections.len(),
                "{} connections of {sender} by the venue, {} by the crowd",
                streams.len(),
                connections.len()
            );
            for (stream, (local, read)) in streams.into_iter().zip(connections) {
                for sent in stream {
                    let &(tid, record) = read.get(&sent.seq).with_context(|| {
                        format!("message {} of {sender} was not read", sent.seq)
                    })?;
                    truth.messages.push(TrueMessage {
                        sender: sender.clone(),
                        local,
                        pid,
                        tid,
                        sent,
                        record,
                    });
                }
            }
        }
        Ok(())
    }
}

/// Splits a venue's log into the ExecutionReports of each connection, which begins with a Logon.
fn streams(log: Vec<SentMessage>) -> Vec<Vec<SentMessage>> {
    let mut streams = Vec::new();
    for sent in log {
        match (sent.msg_type, streams.last_mut()) {
            ("A", _) => streams.push(Vec::new()),
            ("8", Some(stream)) => stream.push(sent),
            _ => {}
        }
    }
    streams
}

/// The thread and its record, by MsgSeqNum.
type ReadBy = HashMap<u64, (i32, VictimRecord)>;

/// Groups the reads by connection (our port), in the order of the connections.
fn connections<'a>(parts: impl Iterator<Item = &'a ConnectionLog>) -> Vec<(u16, ReadBy)> {
    let mut by_port: BTreeMap<u16, Vec<&ConnectionLog>> = BTreeMap::new();
    for part in parts {
        by_port.entry(part.local).or_default().push(part);
    }
    let mut connections: Vec<_> = by_port
        .into_iter()
        .map(|(local, parts)| {
            let records = parts.iter().flat_map(|part| {
                let tid = part.tid;
                part.log.records.iter().map(move |r| (r.seq, (tid, *r)))
            });
            (local, records.collect::<HashMap<_, _>>())
        })
        .collect();
    connections.sort_by_key(|(_, read)| {
        let received = read.values().map(|(_, record)| record.received_ns);
        received.min().unwrap_or(i64::MAX)
    });
    connections
}
