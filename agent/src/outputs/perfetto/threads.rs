//! Threads: what watched ones waited for, and what those who held their locks did.

use std::{
    collections::{BTreeMap, HashMap, VecDeque, hash_map::Entry},
    io::{self, Write},
};

use super::{
    Exported,
    culprits::{Culprits, lock},
    placement::Nests,
    processes::{Rank, Tracks},
    proto::{TrackDescriptor, TrackEvent},
    writer::{Track, Writer},
};
use crate::domain::{Culprit, HolderSample, ThreadName, Wait};

/// Overlaps are an exception.
const MOST_LANES: usize = 64;
/// Culprits of a wait that are drawn as one slice.
const MOST_CULPRITS: usize = 64;
/// Waits that wait for their thread's process to be told, with the first message it reads.
const MOST_EARLY: usize = 4096;

/// Slices that contain those they overlap, and have more lanes where they do not.
#[derive(Debug)]
struct Row {
    parent: Option<Track>,
    name: String,
    rank: Rank,
    nests: Nests,
    tracks: Vec<Track>,
}

impl Row {
    /// `first`: the track itself, where it takes slices.
    fn new(parent: Option<Track>, first: Option<Track>, name: String, rank: Rank) -> Self {
        Self {
            parent,
            name,
            rank,
            nests: Nests::default(),
            tracks: first.into_iter().collect(),
        }
    }

    fn lane<W: Write>(&mut self, index: usize, out: &mut Writer<W>) -> io::Result<Track> {
        while self.tracks.len() <= index {
            let key = self.tracks.first().map_or(0, |track| track.0);
            let lane = out.lane(self.parent, &self.name, key, self.rank)?;
            self.tracks.push(lane);
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
        match self.nests.take(from, to, MOST_LANES) {
            Some(index) => self.lane(index, out).map(Some),
            None => Ok(None),
        }
    }
}

/// The rows of watched threads and of holders.
#[derive(Debug, Default)]
pub(super) struct Threads {
    waiters: HashMap<u32, Row>,
    holders: HashMap<u32, Row>,
    /// What a thread's wait told last was for: all that it was for is one slice.
    told: BTreeMap<u32, Vec<Wait>>,
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
        tracks.thread(pid, tid, "ingest", out)?;
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
        for wait in &early {
            self.draw(wait, (tracks, culprits), (out, exported))?;
        }
        let told = std::mem::take(&mut self.told);
        told.values()
            .try_for_each(|waits| self.draw_all(waits, (tracks, culprits), (out, exported)))
    }

    /// Draws the wait before, unless this is the same one for somebody else.
    fn draw<W: Write>(
        &mut self,
        wait: &Wait,
        (tracks, culprits): (&mut Tracks, &Culprits),
        (out, exported): (&mut Writer<W>, &mut Exported),
    ) -> io::Result<()> {
        let told = self.told.entry(wait.tid).or_default();
        let same = |w: &Wait| (w.part, w.from_ns, w.to_ns) == (wait.part, wait.from_ns, wait.to_ns);
        if told.len() < MOST_CULPRITS && told.first().is_none_or(same) {
            told.push(*wait);
            return Ok(());
        }
        let before = std::mem::replace(told, vec![*wait]);
        self.draw_all(&before, (tracks, culprits), (out, exported))
    }

    /// Draws one wait, told for each of its culprits.
    fn draw_all<W: Write>(
        &mut self,
        waits: &[Wait],
        (tracks, culprits): (&mut Tracks, &Culprits),
        (out, exported): (&mut Writer<W>, &mut Exported),
    ) -> io::Result<()> {
        let mut waits = waits.to_vec();
        waits.sort_by_key(|wait| std::cmp::Reverse(wait.ns));
        let Some(wait) = waits.first().copied() else {
            return Ok(());
        };
        exported.waits += 1;
        let (from, to) = (wait.from_ns, wait.to_ns.max(wait.from_ns));
        let row = match self.waiters.entry(wait.tid) {
            Entry::Occupied(row) => row.into_mut(),
            Entry::Vacant(place) => {
                let name = format!("waits of {}", wait.tid);
                let thread = tracks.process_of(wait.tid);
                let thread = thread.map(|pid| tracks.thread(pid, wait.tid, "", out));
                let thread = thread.transpose()?;
                place.insert(Row::new(thread, thread, name, Rank::Thread))
            }
        };
        let Some(track) = row.place(from, to, out)? else {
            exported.left_out_waits += 1;
            return Ok(());
        };
        let mut flows = Vec::new();
        for wait in &waits {
            flows.extend(self.hold(wait, (tracks, culprits), (out, exported))?);
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
        let others: Vec<_> = waits[1..]
            .iter()
            .map(|wait| format!("{} ns: {}", wait.ns, culprits.name(wait.culprit)))
            .collect();
        let mut title = format!("{}: {name}", wait.part.name());
        if !others.is_empty() {
            args.push(out.text("others", others.join("; ")));
            title.push_str(" and others");
        }
        let event = TrackEvent {
            debug_annotations: args,
            terminating_flow_ids: flows,
            ..out.named("wait", &title)
        };
        out.begin(from, track, event)?;
        out.end(to, track)
    }

    /// What the holder of the lock did meanwhile, and the flow from there to the wait. Before the
    /// wait: of two slices of one begin the first is where a flow starts.
    fn hold<W: Write>(
        &mut self,
        wait: &Wait,
        (tracks, culprits): (&mut Tracks, &Culprits),
        (out, exported): (&mut Writer<W>, &mut Exported),
    ) -> io::Result<Option<u64>> {
        let culprit = culprits.get(wait.culprit).cloned();
        let Some(Culprit::Holder { lock: what, thread }) = culprit.as_deref() else {
            return Ok(None);
        };
        let (from, to) = (wait.from_ns, wait.to_ns.max(wait.from_ns));
        let row = self.holder(thread, tracks, out)?;
        let Some(track) = row.place(from, to, out)? else {
            exported.left_out_holds += 1;
            return Ok(None);
        };
        let flow = out.flow();
        exported.holds += 1;
        let args = vec![
            out.text("lock", lock(what)),
            out.uint("waiter", wait.tid.into()),
            out.uint("charged_ns", wait.ns),
            out.uint("timeouts", wait.timeouts.into()),
        ];
        let event = TrackEvent {
            debug_annotations: args,
            flow_ids: vec![flow],
            ..out.named("hold", &format!("holds {}", lock(what)))
        };
        out.begin(from, track, event)?;
        out.end(to, track)?;
        Ok(Some(flow))
    }

    fn holder<W: Write>(
        &mut self,
        thread: &ThreadName,
        tracks: &mut Tracks,
        out: &mut Writer<W>,
    ) -> io::Result<&mut Row> {
        match self.holders.entry(thread.tid) {
            Entry::Occupied(row) => Ok(row.into_mut()),
            Entry::Vacant(place) => {
                let parent = match tracks.process_of(thread.tid).unwrap_or(thread.pid) {
                    0 => None,
                    pid => Some(tracks.process(pid, out)?),
                };
                let name = match thread.tid {
                    0 => "a thread not seen: holds".to_owned(),
                    tid => format!("{} {tid}: holds", thread.comm),
                };
                let descriptor = TrackDescriptor {
                    name: Some(name.clone()),
                    sibling_order_rank: Rank::Holder.number(),
                    description: Some("locks others waited for, while they waited".to_owned()),
                    ..TrackDescriptor::default()
                };
                let first = out.track(parent, descriptor)?;
                Ok(place.insert(Row::new(Some(first), Some(first), name, Rank::Holder)))
            }
        }
    }

    /// What a holder was doing, when it was looked at.
    pub(super) fn sample<W: Write>(
        &mut self,
        sample: &HolderSample,
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
        let activity = &sample.activity;
        let state = activity.state.name();
        let mut args = vec![
            out.text("state", state),
            out.uint("waiter", sample.waiter.into()),
        ];
        if let Some(call) = &activity.call {
            args.push(out.text("call", call.as_str()));
        }
        if let Some(function) = &activity.function {
            args.push(out.text("function", function.name.as_str()));
            args.push(out.text("place", function.location.as_str()));
        }
        let name = activity.function.as_ref().map(|function| &function.name);
        let name = name
            .or(activity.call.as_ref())
            .map_or(state, String::as_str);
        let event = TrackEvent {
            debug_annotations: args,
            ..out.named("sample", name)
        };
        out.instant(sample.at_ns, track, event)
    }
}
