//! Held back: when our receive window was closed, and what the reader did meanwhile.

mod closed;
#[cfg(test)]
mod tests;

use agent_common::Snapshot;

use self::closed::{ClosedStretch, ClosedStretches};
use super::{state_times::StateTimes, timeline::ReaderTimeline};
use crate::domain::{Part, WindowClosures};

/// The window as a probe read it.
#[derive(Clone, Copy, Debug)]
pub(super) struct WindowOffer {
    /// Bytes that the sender may still send.
    pub(super) offered_bytes: u32,
    /// The sender does not use a window smaller than this (RFC 1122 4.2.3.4).
    pub(super) min_usable_bytes: u32,
    /// Stream position of the end of the window.
    pub(super) edge: u64,
}

impl WindowOffer {
    const fn is_closed(&self) -> bool {
        self.offered_bytes < self.min_usable_bytes
    }
}

/// A closed stretch that has not ended.
#[derive(Clone, Copy, Debug)]
struct ClosedNow {
    from: Snapshot,
    /// The end of the window as it was offered last.
    edge: u64,
}

/// Stretches in progress that were reported and turned out to be none: the reported figures only
/// ever grow, so they remain.
#[derive(Debug, Default)]
struct Mistaken {
    times: StateTimes,
    count: u64,
}

/// When the receive window of one socket was closed.
#[derive(Debug, Default)]
pub(super) struct ReceiveWindow {
    /// Closed stretches that have ended.
    closed: ClosedStretches,
    /// The stretch in progress.
    closed_now: Option<ClosedNow>,
    /// The last sample of the reader in the stretch in progress, which is reported up to there.
    last_sample: Option<Snapshot>,
    mistaken: Mistaken,
    /// One past the last byte that has arrived.
    arrived: u64,
    /// Before this instant the window was not observed, or its history was dropped.
    observed_since_ns: u64,
    /// Events were lost: what was before the next one is unknown.
    events_lost: bool,
    timeline: ReaderTimeline,
}

impl ReceiveWindow {
    /// The window is observed from `at_ns` on, when it was as `offer` says.
    pub(super) fn observed_from(&mut self, at_ns: u64, offer: WindowOffer) {
        self.observed_since_ns = at_ns;
        self.arrived = offer.edge.saturating_sub(u64::from(offer.offered_bytes));
        if offer.is_closed() {
            // The reader was not observed yet.
            let unknown_reader = Snapshot {
                at_ns,
                ..Snapshot::default()
            };
            self.closed_now = Some(ClosedNow {
                from: unknown_reader,
                edge: offer.edge,
            });
        }
    }

    /// Bytes up to `end` arrived. `receiving` says that a receive call is under way: its record
    /// comes after this one, but it has made room already.
    pub(super) fn arrived(
        &mut self,
        end: u64,
        offer: WindowOffer,
        receiving: bool,
        reader: Snapshot,
    ) {
        self.note_reader(reader);
        let arrived_before = std::mem::replace(&mut self.arrived, end);
        if let Some(ClosedNow { from, edge }) = self.closed_now
            && (end > edge || !offer.is_closed())
        {
            // More came than was offered. Either a receive call opened the window just now, or an
            // acknowledgement moved the edge since the last arrival: by enough, then the window was
            // never closed, or by so little that the sender waited for its persist timer to use it
            // (tcp_send_probe0 in net/ipv4/tcp_output.c), then it still was.
            if receiving {
                self.end_stretch(from, reader);
                self.closed_now = None;
            } else if offer.edge.saturating_sub(arrived_before) >= u64::from(offer.min_usable_bytes)
            {
                self.stretch_was_mistaken();
                self.closed_now = None;
            }
        }
        if offer.is_closed() {
            self.closed_now = Some(ClosedNow {
                from: self.closed_now.map_or(reader, |now| now.from),
                edge: offer.edge,
            });
        }
        self.trim_timeline();
    }

    /// A receive call of `reader` is complete, after which the window is as `offer` says.
    pub(super) fn received(&mut self, offer: WindowOffer, reader: Snapshot) {
        self.note_reader(reader);
        let edge = offer.edge;
        match (self.closed_now, offer.is_closed()) {
            (Some(now), false) => {
                self.end_stretch(now.from, reader);
                self.closed_now = None;
            }
            (Some(ClosedNow { from, .. }), true) => {
                self.closed_now = Some(ClosedNow { from, edge });
            }
            (None, true) => self.closed_now = Some(ClosedNow { from: reader, edge }),
            (None, false) => {}
        }
        self.trim_timeline();
    }

    /// The reader's counters were sampled at another instant.
    pub(super) fn reader_sampled(&mut self, reader: Snapshot) {
        self.timeline.add(reader);
        self.last_sample = self.closed_now.and(Some(reader));
    }

    /// Events were lost: whether the window was closed before the next one is unknown.
    pub(super) fn events_lost(&mut self) {
        self.events_lost = true;
    }

    /// Takes in the reader's counters of an event, after which the window may have changed.
    fn note_reader(&mut self, reader: Snapshot) {
        if std::mem::take(&mut self.events_lost) {
            self.stretch_was_mistaken();
            self.closed_now = None;
            self.closed.clear();
            self.observed_since_ns = reader.at_ns;
        }
        if let Some(ClosedNow { from, edge }) = self.closed_now
            && reader.tid != 0
            && !reader.continues(&from)
        {
            // Another thread reads. What the old one did was observed up to its last snapshot, and
            // what the new one does from here on.
            let newest = self.timeline.last().copied();
            let until = newest.filter(|l| l.continues(&from)).unwrap_or(from);
            self.end_stretch(from, until);
            self.end_stretch(until, reader);
            self.closed_now = Some(ClosedNow { from: reader, edge });
        }
        self.timeline.add(reader);
    }

    /// The instant before which the window was not observed, `CLOCK_MONOTONIC` ns.
    pub(super) const fn observed_since_ns(&self) -> u64 {
        self.observed_since_ns
    }

    /// Whether the window is closed, as of the last event.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed_now.is_some()
    }

    /// Since when the window is closed, `CLOCK_MONOTONIC` ns; `None` while it is open, as of the
    /// last event.
    pub(super) fn closed_since_ns(&self) -> Option<u64> {
        self.closed_now.map(|now| now.from.at_ns)
    }

    fn end_stretch(&mut self, from: Snapshot, to: Snapshot) {
        self.last_sample = None;
        if let Some(dropped_until_ns) = self.closed.add(from, to) {
            self.observed_since_ns = dropped_until_ns;
        }
    }

    /// How often and for how long the window was closed; the stretch in progress counts up to the
    /// last sample of its reader. These figures only ever grow.
    pub(super) fn facts(&self) -> WindowClosures {
        let (present, present_ns) = self.present();
        let present_count = u64::from(present_ns > 0);
        let mut facts = WindowClosures {
            closed: self.closed.count() + self.mistaken.count + present_count,
            longest_ns: self.closed.longest_ns().max(present_ns),
            ..WindowClosures::default()
        };
        for part in Part::ALL {
            let ended = self.closed.total().part(part) + self.mistaken.times.part(part);
            facts.parts[part as usize] = ended + present.part(part);
        }
        facts
    }

    /// The stretch in progress up to the last sample of its reader, and its length, ns.
    fn present(&self) -> (StateTimes, u64) {
        match (self.closed_now, self.last_sample) {
            (Some(ClosedNow { from, .. }), Some(sample))
                if sample.at_ns > from.at_ns && sample.continues(&from) =>
            {
                let times = StateTimes::between(&from, &sample);
                (times, sample.at_ns - from.at_ns)
            }
            _ => (StateTimes::default(), 0),
        }
    }

    /// The stretch in progress is none; what was reported of it remains.
    fn stretch_was_mistaken(&mut self) {
        let (present, present_ns) = self.present();
        self.mistaken.times.add(&present);
        self.mistaken.count += u64::from(present_ns > 0);
        self.last_sample = None;
    }

    /// When the window was first closed between `sent_ns` and `arrived_ns`; `arrived_ns` when it
    /// never was.
    pub(super) fn first_closed_ns(&self, sent_ns: u64, arrived_ns: u64) -> u64 {
        let ended = self.closed.first_from_ns(sent_ns);
        let present = self.closed_now.map(|now| now.from.at_ns);
        let from_ns = ended.or(present).unwrap_or(arrived_ns);
        from_ns.max(sent_ns).min(arrived_ns)
    }

    /// While no closed stretch is retained, one snapshot is all that can be needed.
    fn trim_timeline(&mut self) {
        if self.closed_now.is_none() && self.closed.is_empty() {
            self.timeline.retain_newest();
        }
    }

    /// All messages sent before `sent_ns` have arrived: stretches that ended before it are needed
    /// no longer.
    pub(super) fn release_until(&mut self, sent_ns: u64) {
        self.closed.release_until(sent_ns);
    }

    /// What the reader did while the window was closed between `sent_ns` and `arrived`. The time
    /// before [`Self::observed_since_ns`] does not count.
    pub(super) fn held_back(&self, sent_ns: u64, arrived: &Snapshot) -> StateTimes {
        let mut held = StateTimes::default();
        let sent_ns = sent_ns.max(self.observed_since_ns);
        if sent_ns >= arrived.at_ns {
            return held;
        }
        match self.closed.overlapping(sent_ns, arrived.at_ns) {
            // Whole stretches from the first to before the last, in one subtraction.
            Some((first, Some(last))) => {
                held.add(&last.earlier.minus(&first.earlier));
                held = self.cut_head(held, first, sent_ns);
                held.add(&StateTimes::between(&last.from, earlier(&last.to, arrived)));
            }
            Some((only, None)) => {
                let from = self.later(&only.from, sent_ns);
                held.add(&StateTimes::between(&from, earlier(&only.to, arrived)));
            }
            None => {}
        }
        if let Some(ClosedNow { from, .. }) = self.closed_now
            && from.at_ns < arrived.at_ns
        {
            held.add(&StateTimes::between(&self.later(&from, sent_ns), arrived));
        }
        held
    }

    /// Replaces the whole of `head` in `held` by what lies after `sent_ns`.
    fn cut_head(&self, mut held: StateTimes, head: &ClosedStretch, sent_ns: u64) -> StateTimes {
        if sent_ns > head.from.at_ns {
            held = held.minus(&head.times());
            let from = self.later(&head.from, sent_ns);
            held.add(&StateTimes::between(&from, &head.to));
        }
        held
    }

    /// The later of a snapshot and an instant, with the counters at that instant.
    fn later(&self, from: &Snapshot, at_ns: u64) -> Snapshot {
        if at_ns <= from.at_ns {
            return *from;
        }
        self.timeline.at(at_ns).unwrap_or(Snapshot {
            at_ns,
            ..Snapshot::default()
        })
    }
}

fn earlier<'a>(a: &'a Snapshot, b: &'a Snapshot) -> &'a Snapshot {
    if b.at_ns < a.at_ns { b } else { a }
}
