//! Narrowed bounds against made-up venues, paths and clocks, whose true sending times are known.

use proptest::prelude::*;

use super::*;

const MS: i64 = 1_000_000;
const S: i64 = 1_000_000_000;

/// Begins at an odd fraction of a second.
const START: i64 = 1_700_000_000 * S + 123_456_789;
const OFFSET: i64 = START - 77 * S;

/// When the venue stamps and sends.
#[derive(Clone, Copy, Debug)]
enum Sends {
    /// At an even pace.
    Even,
    /// At random, independently of each other.
    Random,
    /// So many in one go.
    Bursts(usize),
    /// Stamped at an even pace and sent so many in one go: the venue's own stalls. Not tried
    /// together with stalls of the path: what waits for one after the other is beyond what is
    /// assumed.
    Batches(usize),
}

/// How a stalled path delivers what queued up.
#[derive(Clone, Copy, Debug)]
enum Drain {
    /// One after the other, 20 us apart.
    AtOnce,
    /// After a retransmission timeout (200 ms and more) three, six, twelve, ... messages in rounds
    /// of so many ns: a sender that starts slowly. Else as above. A venue that sends in bursts is
    /// not tried with it: between bursts it is as silent as in such a stall, and rounds look like
    /// bursts.
    Rounds(i64),
}

/// What lies between the venue's clock and our socket. Times are ns since the start.
#[derive(Clone, Debug)]
struct World {
    sends: Sends,
    /// Messages per second.
    rate: f64,
    seconds: f64,
    /// The venue's clock ahead of ours, ns.
    skew: i64,
    /// What it gains on ours, parts per million.
    drift: f64,
    /// The shortest way, ns.
    base: i64,
    /// From when on the way is longer, and by how much.
    longer: Option<(i64, i64)>,
    /// The most a message is late by itself, ns.
    jitter: i64,
    /// The path delivers nothing from, to.
    stalls: Vec<(i64, i64)>,
    drain: Drain,
    seed: u64,
}

impl Default for World {
    fn default() -> Self {
        Self {
            sends: Sends::Even,
            rate: 100.0,
            seconds: 15.0,
            skew: 0,
            drift: 0.0,
            base: 300_000,
            longer: None,
            jitter: 200_000,
            stalls: Vec::new(),
            drain: Drain::AtOnce,
            seed: 1,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fresh,
    Resend,
    /// Its arrival was not seen.
    Unseen,
}

#[derive(Clone, Copy, Debug)]
struct Truth {
    /// By the venue's clock, UTC ns.
    sent: i64,
    /// By ours, UTC ns.
    arrived: i64,
    /// UTC minus monotonic time, ns.
    offset: i64,
    held_back: bool,
    kind: Kind,
}

/// xorshift64*, in 0..1.
fn random(seed: &mut u64) -> f64 {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    (seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
}

impl World {
    fn run(&self) -> Vec<Truth> {
        let mut seed = self.seed;
        let step = 1e9 / self.rate;
        let mut sent = 0.0_f64;
        let mut path = Path {
            world: self,
            last: i64::MIN / 2,
            round: None,
        };
        let mut all = Vec::new();
        for n in 0..(self.rate * self.seconds) as usize {
            let of = |size: usize| (n / size * size) as f64 * step;
            sent = match self.sends {
                Sends::Even | Sends::Batches(_) => n as f64 * step,
                Sends::Random => sent - step * (1.0 - random(&mut seed)).ln(),
                Sends::Bursts(size) => of(size) + (n % size) as f64 * 20_000.0,
            };
            let leaves = match self.sends {
                Sends::Batches(size) => of(size) + size as f64 * step,
                _ => sent,
            };
            let jitter = (random(&mut seed) * self.jitter as f64) as i64;
            let gained = (sent * self.drift / 1e6) as i64;
            all.push(Truth {
                sent: START + sent as i64 + self.skew + gained,
                arrived: START + path.deliver(leaves as i64, jitter),
                offset: OFFSET,
                held_back: false,
                kind: Kind::Fresh,
            });
        }
        all
    }

    fn found(&self) -> Found {
        feed(&mut Phase::default(), &self.run())
    }
}

struct Path<'a> {
    world: &'a World,
    last: i64,
    /// The round in progress: when, how many it takes, how many it has.
    round: Option<(i64, u32, u32)>,
}

impl Path<'_> {
    fn deliver(&mut self, leaves: i64, jitter: i64) -> i64 {
        let world = self.world;
        let mut ready = leaves + world.base + jitter;
        if let Some((from, by)) = world.longer
            && leaves >= from
        {
            ready += by;
        }
        let stall = world.stalls.iter().find(|s| (s.0..s.1).contains(&ready));
        let steady = matches!(world.sends, Sends::Even | Sends::Random);
        if let (Some(&(from, to)), Drain::Rounds(_), None) = (stall, world.drain, self.round)
            && to - from >= 200 * MS
            && steady
        {
            self.round = Some((to, 3, 0));
        }
        if let Some((_, to)) = stall {
            ready = *to;
        }
        if let (Some((at, takes, has)), Drain::Rounds(every)) = (&mut self.round, world.drain) {
            if has == takes {
                (*at, *takes, *has) = (*at + every, *takes * 2, 0);
            }
            *has += 1;
            if ready > *at {
                self.round = None;
            } else {
                ready = *at;
            }
        }
        self.last = ready.max(self.last + 20_000);
        self.last
    }
}

/// What came of a run.
#[derive(Debug, Default)]
struct Found {
    /// Per fresh message; `None` for those without narrowed bounds.
    widths: Vec<Option<i64>>,
    /// Messages sent outside of their bounds.
    wrong: Vec<usize>,
}

impl Found {
    fn narrowed(&self, from: usize) -> usize {
        self.widths[from..].iter().flatten().count()
    }

    /// The quantile of the widths from the `from`th message on, ms; a second where there are no
    /// bounds.
    fn width(&self, from: usize, quantile: f64) -> f64 {
        let mut widths: Vec<i64> = self.widths[from..].iter().map(|w| w.unwrap_or(S)).collect();
        widths.sort_unstable();
        widths[((widths.len() - 1) as f64 * quantile) as usize] as f64 / 1e6
    }
}

fn whole_seconds(utc_ns: i64) -> SentTime {
    SentTime {
        utc_ns: utc_ns.div_euclid(S) * S,
        resolution_ns: S,
    }
}

fn feed(phase: &mut Phase, messages: &[Truth]) -> Found {
    let mut found = Found::default();
    for (index, message) in messages.iter().enumerate() {
        let arrived = Arrived {
            at: (message.arrived - message.offset).cast_unsigned(),
            utc_offset: message.offset,
            held_back: message.held_back,
        };
        let between = match message.kind {
            Kind::Fresh => phase.fresh(whole_seconds(message.sent), arrived),
            Kind::Resend => {
                phase.passed(arrived);
                None
            }
            Kind::Unseen => {
                phase.unseen();
                None
            }
        };
        let stamp = whole_seconds(message.sent).utc_ns;
        if let Some(b) = between {
            assert!(stamp <= b.earliest_ns && b.earliest_ns <= b.latest_ns);
            assert!(b.latest_ns <= stamp + S && b.latest_ns - b.earliest_ns < S);
            if !(b.earliest_ns..=b.latest_ns).contains(&message.sent) {
                found.wrong.push(index);
            }
        }
        found
            .widths
            .push(between.map(|b| b.latest_ns - b.earliest_ns));
    }
    found
}

/// What the issue asks for, and what the module's description says of an even pace.
#[test]
fn after_ten_seconds_of_an_even_pace_three_gaps_are_left() {
    for skew in [0, 250 * MS, -250 * MS, 3_700 * MS] {
        for drift in [0.0, 50.0, -50.0] {
            let world = World {
                skew,
                drift,
                ..World::default()
            };
            let found = world.found();
            assert!(found.wrong.is_empty(), "{world:?}: {:?}", found.wrong);
            assert_eq!(found.narrowed(1_000), 500, "{world:?}");
            assert!(
                found.width(1_000, 1.0) < 35.0,
                "{}",
                found.width(1_000, 1.0)
            );
        }
    }
}

#[test]
fn a_faster_session_is_known_more_exactly() {
    let mut widest = 1_000.0;
    for rate in [20.0, 100.0, 1_000.0, 10_000.0] {
        let world = World {
            rate,
            ..World::default()
        };
        let found = world.found();
        assert!(found.wrong.is_empty(), "{rate}");
        let width = found.width((rate * 10.0) as usize, 0.99);
        assert!(width < widest, "{rate}: {width} ms");
        widest = width;
    }
    assert!(widest < 3.0, "{widest} ms");
}

#[test]
fn a_random_pace_is_narrowed_too() {
    let world = World {
        sends: Sends::Random,
        seconds: 60.0,
        ..World::default()
    };
    let found = world.found();
    assert!(found.wrong.is_empty());
    assert!(
        found.width(1_000, 0.5) < 100.0,
        "{}",
        found.width(1_000, 0.5)
    );
}

/// Messages that arrive together may have been sent together or one by one: the bounds must allow
/// both.
#[test]
fn bursts_of_the_venue_and_stalls_of_the_venue_look_alike() {
    for sends in [Sends::Bursts(10), Sends::Batches(10), Sends::Batches(3)] {
        let world = World {
            sends,
            seconds: 30.0,
            ..World::default()
        };
        let found = world.found();
        assert!(found.wrong.is_empty(), "{sends:?}");
        assert_eq!(found.narrowed(1_000), 2_000, "{sends:?}");
        assert!(found.width(1_000, 1.0) < 310.0, "{sends:?}");
    }
    // All of a second in one go: nothing to narrow, and nothing claimed.
    let world = World {
        sends: Sends::Batches(100),
        ..World::default()
    };
    let found = world.found();
    assert!(found.wrong.is_empty());
}

#[test]
fn jitter_widens_the_bounds() {
    for (jitter, rate, widest) in [(5 * MS, 100.0, 45.0), (20 * MS, 100.0, 90.0)] {
        let world = World {
            jitter,
            rate,
            seconds: 60.0,
            ..World::default()
        };
        let found = world.found();
        assert!(found.wrong.is_empty(), "{jitter}");
        let width = found.width((rate * 10.0) as usize, 0.99);
        assert!(width < widest, "{jitter}: {width} ms");
    }
    // Jitter of many gaps is at the limit of what is assumed.
    let world = World {
        jitter: 5 * MS,
        rate: 1_000.0,
        seconds: 60.0,
        ..World::default()
    };
    let found = world.found();
    assert!(found.wrong.len() < 60, "{} of 60,000", found.wrong.len());
}

#[test]
fn a_stall_of_the_network_is_allowed_for_and_gone_soon() {
    for drain in [Drain::AtOnce, Drain::Rounds(40 * MS)] {
        for tenth in 0..10 {
            let from = 11 * S + tenth * 100 * MS;
            let world = World {
                stalls: vec![(from, from + 400 * MS)],
                drain,
                seconds: 24.0,
                ..World::default()
            };
            let found = world.found();
            assert!(found.wrong.is_empty(), "{world:?} {:?}", found.wrong);
            // Those that were delayed do have wide bounds: they may be as old as the stall.
            let first = found.widths[1_100..1_300]
                .iter()
                .position(|w| w.is_none_or(|w| w > 300 * MS));
            assert!(first.is_some(), "{drain:?} {tenth}");
            assert!(found.width(2_200, 1.0) < 100.0, "{drain:?} {tenth}");
        }
    }
}

#[test]
fn a_path_that_becomes_longer_misleads_for_a_second_at_the_most() {
    for by in [50 * MS, -50 * MS, 300 * MS] {
        let world = World {
            base: 60 * MS,
            longer: Some((11 * S + 300 * MS, by)),
            seconds: 40.0,
            ..World::default()
        };
        let found = world.found();
        let (first, last) = (found.wrong.first(), found.wrong.last());
        assert!(first.is_none_or(|&n| n >= 1_130), "{by}: {first:?}");
        assert!(last.is_none_or(|&n| n <= 1_130 + 100), "{by}: {last:?}");
        assert!(found.narrowed(2_000) > 1_500, "{by}");
    }
}

/// The reader takes 15 ms per message for a while: the window closes, messages wait at the sender
/// and arrive at the reader's pace, in no burst.
#[test]
fn a_held_back_stretch_is_allowed_for() {
    let mut messages = World {
        seconds: 40.0,
        ..World::default()
    }
    .run();
    let (from, to) = (START + 11 * S, START + 16 * S);
    let mut free = 0;
    for message in &mut messages {
        let slow = (from..to).contains(&message.arrived);
        if free > message.arrived {
            message.arrived = free;
            message.held_back = true;
        }
        free = message.arrived + if slow { 15 * MS } else { MS };
    }
    let found = feed(&mut Phase::default(), &messages);
    assert!(messages.iter().filter(|m| m.held_back).count() > 500);
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    assert!(found.width(3_000, 1.0) < 100.0);
    // Without the window's history the same is seen too late: this is what the flag is for.
    for message in &mut messages {
        message.held_back = false;
    }
    let found = feed(&mut Phase::default(), &messages);
    assert!(!found.wrong.is_empty());
}

/// The agent attaches while a backlog of 20 s is read at ten times the rate.
#[test]
fn a_backlog_at_the_start_is_not_taken_for_the_path() {
    for speed in [2.0, 10.0] {
        let mut messages = World {
            seconds: 80.0,
            ..World::default()
        }
        .run();
        for (n, message) in messages.iter_mut().enumerate() {
            let read = START + 20 * S + (n as f64 * 10.0 * MS as f64 / speed) as i64;
            message.arrived = message.arrived.max(read);
        }
        let found = feed(&mut Phase::default(), &messages);
        assert!(found.wrong.is_empty(), "{speed}: {:?}", found.wrong);
        assert!(found.width(7_900, 1.0) < 100.0, "{speed}");
    }
}

#[test]
fn stamps_that_go_backwards_begin_anew() {
    let mut messages = World {
        seconds: 30.0,
        ..World::default()
    }
    .run();
    for message in &mut messages[1_234..] {
        message.sent -= 2 * S;
    }
    let found = feed(&mut Phase::default(), &messages);
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    assert!(found.widths[1_234..1_600].iter().all(Option::is_none));
    assert!(found.width(2_300, 1.0) < 35.0);
}

/// A leap back by a part of a second shows only where the stamps do go backwards; there it misleads
/// nobody.
#[test]
fn stamps_that_go_backwards_a_little_begin_anew() {
    let mut messages = World {
        seconds: 30.0,
        ..World::default()
    }
    .run();
    let first = |at: usize| (at..).find(|&n| messages[n].sent % S < messages[n - 1].sent % S);
    let from = first(1_200).expect("a second begins") + 5;
    for message in &mut messages[from..] {
        message.sent -= 300 * MS;
    }
    let found = feed(&mut Phase::default(), &messages);
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    assert!(found.width(from + 600, 1.0) < 35.0);
}

#[test]
fn a_venue_whose_clock_leaps_ahead_is_narrowed_again_soon() {
    let mut messages = World {
        seconds: 30.0,
        ..World::default()
    }
    .run();
    for message in &mut messages[1_234..] {
        message.sent += 2 * S;
    }
    let found = feed(&mut Phase::default(), &messages);
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    assert!(found.width(2_100, 1.0) < 35.0);
}

/// Both clocks are stepped, or ours alone.
#[test]
fn a_step_of_our_clock_begins_anew() {
    for by in [2 * S, -2 * S, 300 * MS] {
        for both in [true, false] {
            let mut messages = World {
                seconds: 30.0,
                ..World::default()
            }
            .run();
            for message in &mut messages[1_234..] {
                message.offset += by;
                message.arrived += by;
                message.sent += if both { by } else { 0 };
            }
            let found = feed(&mut Phase::default(), &messages);
            assert!(found.wrong.is_empty(), "{by} {both}: {:?}", found.wrong);
            assert!(found.widths[1_234..1_600].iter().all(Option::is_none));
            assert!(found.width(2_300, 1.0) < 35.0, "{by} {both}");
        }
    }
}

#[test]
fn resends_are_no_evidence_and_arrive_all_the_same() {
    let plain = World::default().run();
    let mut messages = Vec::new();
    for (n, message) in plain.iter().enumerate() {
        messages.push(*message);
        if n == 1_100 {
            // A gap fill of a hundred; what is sent meanwhile waits behind it.
            messages.extend((1..=100).map(|k| Truth {
                arrived: message.arrived + k * 300_000,
                sent: message.sent - 5 * S,
                kind: Kind::Resend,
                ..*message
            }));
        }
    }
    let mut last = 0;
    for message in &mut messages {
        message.arrived = message.arrived.max(last + 20_000);
        last = message.arrived;
    }
    let found = feed(&mut Phase::default(), &messages);
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    let fresh = messages.iter().zip(&found.widths);
    let late = fresh.filter(|(m, _)| m.kind == Kind::Fresh).skip(1_200);
    assert!(late.map(|(_, w)| w).all(|w| w.is_some_and(|w| w < 35 * MS)));
}

#[test]
fn an_arrival_that_was_not_seen_costs_little() {
    let mut messages = World {
        stalls: vec![(12 * S, 12 * S + 25 * MS)],
        ..World::default()
    }
    .run();
    for (n, message) in messages.iter_mut().enumerate() {
        if n % 7 == 3 {
            message.kind = Kind::Unseen;
        }
    }
    let found = feed(&mut Phase::default(), &messages);
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    let widths = found.widths[1_000..].iter().flatten();
    assert!(widths.max().is_some_and(|&w| w < 100 * MS));
}

/// What queued up comes 3 ms apart; of those that were seen the spacing is like that of messages
/// which wait for nothing.
#[test]
fn an_arrival_that_was_not_seen_ends_no_run() {
    let mut messages = World::default().run();
    let stall = messages[1_200].arrived - 5 * MS;
    for (n, message) in messages[1_200..1_220].iter_mut().enumerate() {
        message.arrived = message.arrived.max(stall + 80 * MS + n as i64 * 3 * MS);
        if n % 2 == 1 {
            message.kind = Kind::Unseen;
        }
    }
    let found = feed(&mut Phase::default(), &messages);
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    assert!(found.width(1_300, 1.0) < 35.0);
}

#[test]
fn finer_stamps_are_left_alone() {
    let mut phase = Phase::default();
    for message in World::default().run() {
        let stamp = SentTime {
            utc_ns: message.sent / MS * MS,
            resolution_ns: MS,
        };
        let arrived = Arrived {
            at: (message.arrived - OFFSET).cast_unsigned(),
            utc_offset: OFFSET,
            held_back: false,
        };
        assert_eq!(phase.fresh(stamp, arrived), None);
    }
    assert!(phase.latest.is_none());
}

#[test]
fn memory_is_bounded() {
    let mut phase = Phase::default();
    feed(
        &mut phase,
        &World {
            rate: 10.0,
            seconds: 3_600.0,
            ..World::default()
        }
        .run(),
    );
    assert!(phase.pins.len() <= MOST_PINS && phase.pins.capacity() <= 2 * MOST_PINS);
    assert!(phase.seconds.len() <= MOST_SECONDS);
}

/// Stalls in order, without those that begin before the one before has ended for a second.
fn apart(mut stalls: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    stalls.sort_unstable();
    let mut end = i64::MIN;
    stalls.retain(|&(from, length)| {
        let keep = from >= end;
        if keep {
            end = from + length + 1_000;
        }
        keep
    });
    let ns = |(from, length)| (from * MS, (from + length) * MS);
    stalls.into_iter().map(ns).collect()
}

fn worlds() -> impl Strategy<Value = World> {
    let sends = prop_oneof![
        Just(Sends::Even),
        Just(Sends::Random),
        (2_usize..40).prop_map(Sends::Bursts),
        (2_usize..40).prop_map(Sends::Batches),
    ];
    let stalls = prop::collection::vec((0_i64..30_000, 1_i64..900), 0..12);
    let drain = prop_oneof![Just(Drain::AtOnce), (MS..80 * MS).prop_map(Drain::Rounds)];
    (
        sends,
        10.0..2_000.0,
        -3 * S..3 * S,
        -50.0..50.0,
        0..100 * MS,
        0.0..0.5,
        stalls,
        drain,
        1..u64::MAX,
    )
        .prop_map(
            |(sends, rate, skew, drift, base, jitter, stalls, drain, seed)| World {
                sends,
                rate,
                seconds: 30.0,
                skew,
                drift,
                base,
                longer: None,
                jitter: (jitter * 1e9 / rate) as i64,
                stalls: if matches!(sends, Sends::Batches(_)) {
                    Vec::new()
                } else {
                    apart(stalls)
                },
                drain,
                seed,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever the venue, the path and the clocks: bounds hold for next to all messages. (They
    /// hold for all in most worlds. Stalls in a row now and then break what is assumed.)
    #[test]
    fn narrowed_bounds_hold(world in worlds()) {
        let found = world.found();
        let all = found.widths.len();
        prop_assert!(found.wrong.len() <= 2 + all / 100, "{} of {}: {:?}", found.wrong.len(), all, found.wrong.first());
    }
}
