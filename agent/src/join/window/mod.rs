//! Held back: when our receive window was closed, and what the reader was doing meanwhile.

use std::collections::VecDeque;

use agent_common::Snapshot;

use super::{state_times::Waiting, timeline::Timeline};
use crate::domain::{Part, WindowClosures};

/// Closed stretches held; with more, the oldest are given up, and messages sent in them have that
/// time unknown.
const MOST: usize = 16_384;

/// What a probe saw of the window.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Bytes the sender may still send.
    pub offered: u32,
    /// Less than this and the sender does not use it.
    pub least: u32,
    /// Stream position of the last byte offered.
    pub edge: u64,
}

impl Offer {
    fn is_closed(&self) -> bool {
        self.offered < self.least
    }
}

#[derive(Clone, Copy, Debug)]
struct Closed {
    from: Snapshot,
    to: Snapshot,
    /// The sum over all earlier stretches.
    before: Waiting,
}

/// The window's history.
#[derive(Debug, Default)]
pub struct Window {
    /// Closed stretches that ended, oldest first.
    past: VecDeque<Closed>,
    /// The sum over all of them, given up ones included.
    sum: Waiting,
    /// How many they were, and the longest, ns.
    count: u64,
    longest: u64,
    /// The stretch in progress, and the edge that was offered when it began.
    closed: Option<(Snapshot, u64)>,
    /// The reader, as it was looked at last in the stretch in progress: until then the stretch is
    /// told of.
    looked_at: Option<Snapshot>,
    /// Stretches in progress that were told of, and turned out to be none.
    mistaken: (Waiting, u64),
    /// One past the last byte that arrived.
    arrived: u64,
    /// Before this nothing is known (any more).
    known_since: u64,
    /// Events were lost: nothing before the next one is known.
    lost: bool,
    line: Timeline,
}

impl Window {
    /// The window is watched from `at` on, when it was as `offer` says.
    pub fn watched(&mut self, at: u64, offer: Offer) {
        self.known_since = at;
        self.arrived = offer.edge.saturating_sub(u64::from(offer.offered));
        if offer.is_closed() {
            // What the reader is doing is not known yet.
            let nobody = Snapshot {
                at_ns: at,
                ..Snapshot::default()
            };
            self.closed = Some((nobody, offer.edge));
        }
    }

    /// Bytes up to `end` arrived. `reading` says that a receive call is under way: its record comes
    /// after this one, but it has made room already.
    pub fn arrived(&mut self, end: u64, offer: Offer, reading: bool, reader: Snapshot) {
        self.begin(reader);
        let before = std::mem::replace(&mut self.arrived, end);
        if let Some((from, edge)) = self.closed
            && (end > edge || !offer.is_closed())
        {
            // More came than was offered. Either a receive call opened the window just now, or an
            // acknowledgement moved the edge since the last arrival: by enough, then the window was
            // never closed, or by so little that the sender waited for its persist timer to use it
            // (tcp_send_probe0 in net/ipv4/tcp_output.c), then it still was.
            if reading {
                self.end(from, reader);
                self.closed = None;
            } else if offer.edge.saturating_sub(before) >= u64::from(offer.least) {
                self.mistaken();
                self.closed = None;
            }
        }
        if offer.is_closed() {
            let from = self.closed.map_or(reader, |(from, _)| from);
            self.closed = Some((from, offer.edge));
        }
        self.forget();
    }

    /// The application read.
    pub fn read(&mut self, offer: Offer, reader: Snapshot) {
        self.begin(reader);
        match (self.closed, offer.is_closed()) {
            (Some((from, _)), false) => {
                self.end(from, reader);
                self.closed = None;
            }
            (Some((from, _)), true) => self.closed = Some((from, offer.edge)),
            (None, true) => self.closed = Some((reader, offer.edge)),
            (None, false) => {}
        }
        self.forget();
    }

    /// The reader was seen at another instant.
    pub fn seen(&mut self, reader: Snapshot) {
        self.line.add(reader);
        self.looked_at = self.closed.and(Some(reader));
    }

    /// Events were lost: whether the window was closed before the next one is not known.
    pub fn lost(&mut self) {
        self.lost = true;
    }

    fn begin(&mut self, reader: Snapshot) {
        if std::mem::take(&mut self.lost) {
            self.mistaken();
            self.closed = None;
            self.past.clear();
            self.known_since = reader.at_ns;
        }
        if let Some((from, edge)) = self.closed
            && reader.tid != 0
            && !reader.continues(&from)
        {
            // Another thread reads. What the old one did is known up to when it was last seen, and
            // what the new one does from here on.
            let seen = self.line.last().copied().filter(|l| l.continues(&from));
            let until = seen.unwrap_or(from);
            self.end(from, until);
            self.end(until, reader);
            self.closed = Some((reader, edge));
        }
        self.line.add(reader);
    }

    /// The instant before which nothing is known of the window, `CLOCK_MONOTONIC` ns.
    #[must_use]
    pub const fn known_since(&self) -> u64 {
        self.known_since
    }

    /// Whether it is closed as far as is known.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    fn end(&mut self, from: Snapshot, to: Snapshot) {
        self.looked_at = None;
        if to.at_ns <= from.at_ns {
            return;
        }
        if self.past.len() >= MOST
            && let Some(oldest) = self.past.pop_front()
        {
            self.known_since = oldest.to.at_ns;
        }
        self.past.push_back(Closed {
            from,
            to,
            before: self.sum,
        });
        self.sum.add(&Waiting::between(&from, &to));
        self.count += 1;
        self.longest = self.longest.max(to.at_ns - from.at_ns);
    }

    /// All closed stretches; that in progress up to when its reader was looked at last. These only
    /// ever grow.
    #[must_use]
    pub fn facts(&self) -> WindowClosures {
        let (present, lasts) = self.present();
        let (mistaken, mistakes) = &self.mistaken;
        let mut facts = WindowClosures {
            closed: self.count + mistakes + u64::from(lasts > 0),
            longest_ns: self.longest.max(lasts),
            ..WindowClosures::default()
        };
        for part in Part::ALL {
            let ended = self.sum.part(part) + mistaken.part(part);
            facts.parts[part as usize] = ended + present.part(part);
        }
        facts
    }

    /// The stretch in progress as far as it is told of, and its length, ns.
    fn present(&self) -> (Waiting, u64) {
        match (self.closed, self.looked_at) {
            (Some((from, _)), Some(seen)) if seen.at_ns > from.at_ns && seen.continues(&from) => {
                (Waiting::between(&from, &seen), seen.at_ns - from.at_ns)
            }
            _ => (Waiting::default(), 0),
        }
    }

    /// The stretch in progress is none; what was told of it cannot be taken back.
    fn mistaken(&mut self) {
        let (present, lasts) = self.present();
        self.mistaken.0.add(&present);
        self.mistaken.1 += u64::from(lasts > 0);
        self.looked_at = None;
    }

    /// When the window was closed first between `sent` and `arrived`; `arrived` when it never was.
    #[must_use]
    pub fn closed_from(&self, sent: u64, arrived: u64) -> u64 {
        let first = self.past.partition_point(|c| c.to.at_ns <= sent);
        let past = self.past.get(first).map(|c| c.from.at_ns);
        let present = self.closed.map(|(from, _)| from.at_ns);
        let from = past.or(present).unwrap_or(arrived);
        from.max(sent).min(arrived)
    }

    /// While nothing is or was closed, one snapshot is all that can be asked for.
    fn forget(&mut self) {
        if self.closed.is_none() && self.past.is_empty() {
            self.line.forget();
        }
    }

    /// Messages sent before `sent` have all arrived: stretches that ended before are done with.
    pub fn sent_until(&mut self, sent: u64) {
        while self.past.front().is_some_and(|c| c.to.at_ns <= sent) {
            self.past.pop_front();
        }
    }

    /// What the reader did while the window was closed between `sent` and `arrived`. Nothing is
    /// said of the time before [`Self::known_since`].
    #[must_use]
    pub fn held_back(&self, sent: u64, arrived: &Snapshot) -> Waiting {
        let mut held = Waiting::default();
        let sent = sent.max(self.known_since);
        if sent >= arrived.at_ns {
            return held;
        }
        // Stretches that overlap sent..arrived.
        let first = self.past.partition_point(|c| c.to.at_ns <= sent);
        let end = self.past.partition_point(|c| c.from.at_ns < arrived.at_ns);
        if first < end {
            let (head, tail) = (&self.past[first], &self.past[end - 1]);
            // Whole stretches after the first and before the last, in one subtraction.
            if first + 1 < end {
                held.add(&tail.before.without(&head.before));
                held = self.cut_head(held, head, sent);
                held.add(&Waiting::between(&tail.from, earlier(&tail.to, arrived)));
            } else {
                let from = self.later(&head.from, sent);
                held.add(&Waiting::between(&from, earlier(&head.to, arrived)));
            }
        }
        if let Some((from, _)) = self.closed
            && from.at_ns < arrived.at_ns
        {
            held.add(&Waiting::between(&self.later(&from, sent), arrived));
        }
        held
    }

    /// Replaces the whole of `head` in `held` by what lies after `sent`.
    fn cut_head(&self, mut held: Waiting, head: &Closed, sent: u64) -> Waiting {
        if sent > head.from.at_ns {
            held = held.without(&Waiting::between(&head.from, &head.to));
            held.add(&Waiting::between(&self.later(&head.from, sent), &head.to));
        }
        held
    }

    /// The later of a snapshot and an instant, the latter looked up.
    fn later(&self, from: &Snapshot, at: u64) -> Snapshot {
        if at <= from.at_ns {
            return *from;
        }
        self.line.at(at).unwrap_or(Snapshot {
            at_ns: at,
            ..Snapshot::default()
        })
    }
}

fn earlier<'a>(a: &'a Snapshot, b: &'a Snapshot) -> &'a Snapshot {
    if b.at_ns < a.at_ns { b } else { a }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that is in lock-wait all the time.
    fn at(at: u64) -> Snapshot {
        Snapshot {
            at_ns: at,
            state_ns: [0, 0, 0, at, 0, 0],
            tid: 7,
            reserved: 0,
        }
    }

    fn open(edge: u64) -> Offer {
        Offer {
            offered: 10_000,
            least: 1_000,
            edge,
        }
    }

    fn shut(edge: u64) -> Offer {
        Offer {
            offered: 10,
            least: 1_000,
            edge,
        }
    }

    #[test]
    fn a_stretch_in_progress_is_told_of_as_far_as_it_was_looked_at() {
        let lock_wait = |window: &Window| {
            let facts = window.facts();
            assert_eq!(facts.closed_ns(), facts.parts[Part::LockWait as usize]);
            (facts.closed, facts.closed_ns(), facts.longest_ns)
        };
        let mut window = window();
        window.seen(at(650));
        assert_eq!(lock_wait(&window), (3, 300, 100));
        window.arrived(400, shut(410), false, at(700));
        assert_eq!(lock_wait(&window), (3, 300, 100));
        window.seen(at(900));
        assert_eq!(lock_wait(&window), (4, 500, 200));
        // It ends, and counts once.
        let mut ended = window;
        ended.read(open(10_000), at(1_000));
        assert_eq!(lock_wait(&ended), (4, 600, 300));
        // Another, which turns out to be none: what was told stays.
        ended.arrived(500, shut(510), false, at(1_100));
        ended.seen(at(1_150));
        assert_eq!(lock_wait(&ended), (5, 650, 300));
        ended.arrived(501, open(5_000), false, at(1_200));
        assert!(!ended.is_closed());
        assert_eq!(lock_wait(&ended), (5, 650, 300));
        assert_eq!(ended.held_back(1_100, &at(1_200)).total(), 0);
    }

    /// Closed 100..200, 300..400, 500..600.
    fn window() -> Window {
        let mut window = Window::default();
        let mut end = 0;
        for from in [100, 300, 500] {
            end += 100;
            window.arrived(end, shut(end + 10), false, at(from));
            window.read(open(end + 10_000), at(from + 100));
        }
        window
    }

    #[test]
    fn only_closed_stretches_count() {
        let window = window();
        for (sent, arrived, held) in [
            (0, 50, 0),
            (0, 150, 50),
            (0, 250, 100),
            (150, 250, 50),
            (150, 160, 10),
            (150, 350, 100),
            (150, 650, 250),
            (0, 1_000, 300),
            (250, 290, 0),
            (310, 590, 180),
        ] {
            let waiting = window.held_back(sent, &at(arrived));
            assert_eq!(waiting.total(), held, "{sent}..{arrived}");
            assert_eq!(waiting.part(Part::LockWait), held, "{sent}..{arrived}");
        }
    }

    #[test]
    fn when_the_window_was_closed_first() {
        let mut window = window();
        for (sent, arrived, from) in [
            (0, 50, 50),
            (0, 150, 100),
            (150, 250, 150),
            (250, 650, 300),
            (650, 700, 700),
        ] {
            assert_eq!(window.closed_from(sent, arrived), from, "{sent}..{arrived}");
        }
        window.arrived(400, shut(410), false, at(800));
        assert_eq!(window.closed_from(650, 900), 800);
        let facts = window.facts();
        assert_eq!((facts.closed, facts.longest_ns), (3, 100));
        assert_eq!(facts.parts[Part::LockWait as usize], 300);
        assert_eq!(facts.closed_ns(), 300);
    }

    #[test]
    fn a_message_that_fits_into_a_closed_window_is_held_back_until_it_arrives() {
        let mut window = Window::default();
        window.arrived(100, shut(150), false, at(100));
        window.seen(at(120));
        window.arrived(140, shut(150), false, at(180));
        assert_eq!(window.held_back(110, &at(180)).total(), 70);
    }

    #[test]
    fn a_window_opened_by_the_acknowledgement_was_never_closed() {
        let mut window = Window::default();
        window.arrived(100, shut(110), false, at(100));
        window.arrived(500, open(10_000), false, at(200));
        assert_eq!(window.held_back(50, &at(200)).total(), 0);
        // Beyond the old edge, but small again: closed anew from here.
        let mut window = Window::default();
        window.arrived(100, shut(110), false, at(100));
        window.arrived(1_500, shut(1_510), false, at(200));
        window.read(open(9_000), at(300));
        assert_eq!(window.held_back(50, &at(400)).total(), 100);
    }

    #[test]
    fn an_edge_moved_by_too_little_leaves_the_window_closed() {
        let mut window = Window::default();
        window.arrived(100, shut(110), false, at(100));
        // 526 bytes past what was offered: less than the sender uses before its persist timer
        // fires.
        window.arrived(636, shut(636), false, at(320));
        assert_eq!(window.held_back(110, &at(320)).total(), 210);
        window.read(open(9_000), at(400));
        assert_eq!(window.held_back(110, &at(400)).total(), 290);
    }

    #[test]
    fn a_receive_call_under_way_opens_the_window_before_it_is_told() {
        let mut window = Window::default();
        window.arrived(100, shut(110), false, at(100));
        window.arrived(500, shut(500), true, at(200));
        window.read(shut(500), at(201));
        assert_eq!(window.held_back(50, &at(200)).total(), 100);
        assert!(window.is_closed());
    }

    #[test]
    fn closed_when_first_looked_at_is_unknown_until_the_reader_is_known() {
        let mut window = Window::default();
        window.watched(100, shut(50));
        window.read(shut(60), at(150));
        window.read(open(9_000), at(200));
        let held = window.held_back(10, &at(300));
        assert_eq!((held.part(Part::Unknown), held.total()), (50, 100));
        assert_eq!(held.part(Part::LockWait), 50);
    }

    #[test]
    fn a_new_reader_leaves_only_the_gap_unknown() {
        let by = |tid, now| Snapshot { tid, ..at(now) };
        let mut window = Window::default();
        window.arrived(100, shut(110), false, by(7, 100));
        window.seen(by(7, 180));
        window.read(shut(120), by(8, 200));
        window.read(open(9_000), by(8, 300));
        let held = window.held_back(100, &by(8, 400));
        assert_eq!((held.part(Part::Unknown), held.total()), (20, 200));
        assert_eq!(held.part(Part::LockWait), 180);
        // A message sent in the old reader's time.
        let held = window.held_back(140, &by(8, 400));
        assert_eq!((held.part(Part::Unknown), held.total()), (20, 160));
    }

    #[test]
    fn what_is_forgotten_is_unknown() {
        let mut window = Window::default();
        let mut end = 0;
        for i in 0..(MOST as u64 + 10) {
            end += 100;
            window.arrived(end, shut(end), false, at(i * 100));
            window.read(open(end + 10_000), at(i * 100 + 50));
        }
        let now = at((MOST as u64 + 20) * 100);
        assert_eq!(window.past.len(), MOST);
        assert_eq!(window.known_since(), 9 * 100 + 50);
        assert_eq!(window.held_back(0, &now), window.held_back(950, &now));
    }

    #[test]
    fn a_loss_makes_what_was_before_unknown() {
        let mut window = window();
        window.lost();
        window.arrived(400, open(20_000), false, at(700));
        assert_eq!(window.known_since(), 700);
        assert_eq!(window.held_back(0, &at(800)).total(), 0);
    }

    #[test]
    fn stretches_that_nobody_can_ask_for_go() {
        let mut window = window();
        window.sent_until(350);
        assert_eq!(window.past.len(), 2);
        assert_eq!(window.held_back(350, &at(1_000)).total(), 150);
    }
}
