//! Threads: what watched ones waited for, and what those who held their locks did.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, Write},
};

use super::{
    Exported,
    culprits::{Culprits, lock},
    lanes::Lanes,
    proto::{TrackDescriptor, TrackEvent},
    tracks::Tracks,
    writer::{Track, Writer},
};
use crate::model::{Culprit, Sample, ThreadName, Wait};

/// Overlaps are an exception: run-queue waits of several culprits are one wait.
const MOST_LANES: usize = 64;
/// Waits that wait for their thread's process to be told, with the first message it reads.
const MOST_EARLY: usize = 4096;

/// Slices that should not overlap, and have more lanes where they do.
#[derive(Debug)]
struct Row {
    parent: Option<Track>,
    name: String,
    lanes: Lanes,
    tracks: Vec<Track>,
    last: Option<(u64, u64, Track)>,
}

impl Row {
    fn new(parent: Option<Track>, name: String) -> Self {
        Self {
            parent,
            name,
            lanes: Lanes::new(MOST_LANES),
            tracks: Vec::new(),
            last: None,
        }
    }

    /// `first`: the track itself, where it takes slices.
    fn on(first: Track, name: String) -> Self {
        Self {
            tracks: vec![first],
            ..Self::new(Some(first), name)
        }
    }

    fn lane<W: Write>(&mut self, index: usize, out: &mut Writer<W>) -> io::Result<Track> {
        while self.tracks.len() <= index {
            let key = self.tracks.first().map_or(0, |track| track.0);
            self.tracks.push(out.lane(self.parent, &self.name, key)?);
        }
        Ok(self.tracks[index])
    }

    /// A track on which a slice nests; `None` when there is none left.
    fn place<W: Write>(
        &mut self,
        from: u64,
        to: u64,
        out: &mut Writer<W>,
    ) -> io::Result<Option<Track>> {
        // The same wait, told for another culprit: below the one before.
        if let Some((f, t, track)) = self.last
            && (f, t) == (from, to)
        {
            return Ok(Some(track));
        }
        let Some(index) = self.lanes.take(from, to) else {
            return Ok(None);
        };
        let track = self.lane(index, out)?;
        self.last = Some((from, to, track));
        Ok(Some(track))
    }
}

/// The rows of watched threads and of holders.
#[derive(Debug, Default)]
pub(super) struct Threads {
    waiters: HashMap<u32, Row>,
    holders: HashMap<u32, Row>,
    early: VecDeque<Wait>,
}

impl Threads {
    /// Takes a wait, or keeps it until its thread's process is known.
    pub(super) fn wait<W: Write>(
        &mut self,
        wait: Wait,
        (tracks, culprits): (&mut Tracks, &Culprits),
        (out, exported): (&mut Writer<W>, &mut Exported),
    ) -> io::Result<()> {
        if tracks.process_of(wait.tid).is_some() || self.waiters.contains_key(&wait.tid) {
            return self.draw(&wait, (tracks, culprits), (out, exported));
        }
        self.early.push_back(wait);
        if self.early.len() > MOST_EARLY
            && let Some(oldest) = self.early.pop_front()
        {
            return self.draw(&oldest, (tracks, culprits), (out, exported));
        }
        Ok(())
    }

    /// A thread has read a message of a process.
    pub(super) fn reads<W: Write>(
        &mut self,
        (tid, pid): (u32, u32),
        (tracks, culprits): (&mut Tracks, &Culprits),
        (out, exported): (&mut Writer<W>, &mut Exported),
    ) -> io::Result<()> {
        if tracks.process_of(tid).is_some() {
            return Ok(());
        }
        tracks.thread(pid, tid, "", out)?;
        let (now, later): (VecDeque<_>, _) = self.early.drain(..).partition(|w| w.tid == tid);
        self.early = later;
        now.iter()
            .try_for_each(|wait| self.draw(wait, (tracks, culprits), (out, exported)))
    }

    /// Draws what is kept.
    pub(super) fn finish<W: Write>(
        &mut self,
        (tracks, culprits): (&mut Tracks, &Culprits),
        (out, exported): (&mut Writer<W>, &mut Exported),
    ) -> io::Result<()> {
        let early = std::mem::take(&mut self.early);
        early
            .iter()
            .try_for_each(|wait| self.draw(wait, (tracks, culprits), (out, exported)))
    }

    fn draw<W: Write>(
        &mut self,
        wait: &Wait,
        (tracks, culprits): (&mut Tracks, &Culprits),
        (out, exported): (&mut Writer<W>, &mut Exported),
    ) -> io::Result<()> {
        exported.waits += 1;
        let (from, to) = (wait.from_ns, wait.to_ns.max(wait.from_ns));
        let row = match self.waiters.entry(wait.tid) {
            std::collections::hash_map::Entry::Occupied(row) => row.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                let name = format!("waits of {}", wait.tid);
                place.insert(match tracks.process_of(wait.tid) {
                    Some(pid) => Row::on(tracks.thread(pid, wait.tid, "", out)?, name),
                    None => Row::new(None, name),
                })
            }
        };
        let Some(track) = row.place(from, to, out)? else {
            exported.left_out_waits += 1;
            return Ok(());
        };
        let culprit = culprits.get(wait.culprit).cloned();
        let mut flow = None;
        if let Some(Culprit::Holder { lock: what, thread }) = culprit.as_deref() {
            let row = self.holder(thread, tracks, out)?;
            // The hold first: of two slices of one begin the first is where a flow starts.
            if let Some(track) = row.place(from, to, out)? {
                let number = out.flow();
                flow = Some(number);
                exported.holds += 1;
                let args = vec![
                    out.text("lock", lock(what)),
                    out.uint("waiter", wait.tid.into()),
                    out.uint("charged_ns", wait.ns),
                    out.uint("timeouts", wait.timeouts.into()),
                ];
                let event = TrackEvent {
                    debug_annotations: args,
                    flow_ids: vec![number],
                    ..out.named("hold", &format!("holds {}", lock(what)))
                };
                out.begin(from, track, event)?;
                out.end(to, track)?;
            } else {
                exported.left_out_holds += 1;
            }
        }
        let name = culprits.name(wait.culprit);
        let mut args = vec![
            out.text("part", wait.part.name()),
            out.text("culprit", name.clone()),
            out.uint("charged_ns", wait.ns),
        ];
        if wait.timeouts > 0 {
            args.push(out.uint("timeouts", wait.timeouts.into()));
        }
        let event = TrackEvent {
            debug_annotations: args,
            terminating_flow_ids: flow.into_iter().collect(),
            ..out.named("wait", &format!("{}: {name}", wait.part.name()))
        };
        out.begin(from, track, event)?;
        out.end(to, track)
    }

    fn holder<W: Write>(
        &mut self,
        thread: &ThreadName,
        tracks: &mut Tracks,
        out: &mut Writer<W>,
    ) -> io::Result<&mut Row> {
        match self.holders.entry(thread.tid) {
            std::collections::hash_map::Entry::Occupied(row) => Ok(row.into_mut()),
            std::collections::hash_map::Entry::Vacant(place) => {
                let parent = match tracks.process_of(thread.tid).unwrap_or(thread.pid) {
                    0 => None,
                    pid => Some(tracks.process(pid, out)?),
                };
                let name = format!("{} {}: holds", thread.comm, thread.tid);
                let descriptor = TrackDescriptor {
                    name: Some(name.clone()),
                    description: Some("locks others waited for, while they waited".to_owned()),
                    ..TrackDescriptor::default()
                };
                let first = out.track(parent, descriptor)?;
                Ok(place.insert(Row::on(first, name)))
            }
        }
    }

    /// What a holder was doing, when it was looked at.
    pub(super) fn sample<W: Write>(
        &mut self,
        sample: &Sample,
        (tracks, culprits): (&mut Tracks, &Culprits),
        (out, exported): (&mut Writer<W>, &mut Exported),
    ) -> io::Result<()> {
        let culprit = culprits.get(sample.culprit).cloned();
        let Some(holder) = culprit.as_deref().and_then(Culprit::thread) else {
            return Ok(());
        };
        exported.samples += 1;
        let row = self.holder(holder, tracks, out)?;
        let track = row.lane(0, out)?;
        let doing = &sample.doing;
        let state = doing.state.name();
        let mut args = vec![
            out.text("state", state),
            out.uint("waiter", sample.waiter.into()),
        ];
        if let Some(call) = &doing.call {
            args.push(out.text("call", call.as_str()));
        }
        if let Some(function) = &doing.function {
            args.push(out.text("function", function.name.as_str()));
            args.push(out.text("place", function.place.as_str()));
        }
        let name = doing.function.as_ref().map(|function| &function.name);
        let name = name.or(doing.call.as_ref()).map_or(state, String::as_str);
        let event = TrackEvent {
            debug_annotations: args,
            ..out.named("sample", name)
        };
        out.instant(sample.at_ns, track, event)
    }
}
