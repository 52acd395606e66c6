//! Made-up venues, paths and clocks, whose true sending times are known.

use super::super::{ObservedArrival, StampNarrower};
use crate::domain::SentTime;

pub(super) const MS: i64 = 1_000_000;
pub(super) const S: i64 = 1_000_000_000;

/// Begins at an odd fraction of a second.
pub(super) const START: i64 = 1_700_000_000 * S + 123_456_789;
pub(super) const OFFSET: i64 = START - 77 * S;

/// When the venue stamps and sends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sends {
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
pub(super) enum Drain {
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
pub(super) struct World {
    pub(super) sends: Sends,
    /// Messages per second.
    pub(super) rate: f64,
    pub(super) seconds: f64,
    /// The venue's clock ahead of ours, ns.
    pub(super) skew: i64,
    /// What it gains on ours, parts per million.
    pub(super) drift: f64,
    /// The shortest way, ns.
    pub(super) base: i64,
    /// From when on the way is longer, and by how much.
    pub(super) longer: Option<(i64, i64)>,
    /// The most a message is late by itself, ns.
    pub(super) jitter: i64,
    /// The path delivers nothing from, to.
    pub(super) stalls: Vec<(i64, i64)>,
    pub(super) drain: Drain,
    pub(super) seed: u64,
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
pub(super) enum MessageKind {
    Fresh,
    Resend,
    /// Its arrival was not observed.
    Unobserved,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Truth {
    /// By the venue's clock, UTC ns.
    pub(super) sent: i64,
    /// By ours, UTC ns.
    pub(super) arrived: i64,
    /// UTC minus monotonic time, ns.
    pub(super) offset: i64,
    pub(super) held_back: bool,
    pub(super) kind: MessageKind,
}

/// xorshift64*, in 0..1.
fn random(seed: &mut u64) -> f64 {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    (seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
}

impl World {
    pub(super) fn run(&self) -> Vec<Truth> {
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
                kind: MessageKind::Fresh,
            });
        }
        all
    }

    pub(super) fn found(&self) -> Narrowed {
        feed(&mut StampNarrower::default(), &self.run())
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

/// What was narrowed in a run.
#[derive(Debug, Default)]
pub(super) struct Narrowed {
    /// Per fresh message; `None` for those without narrowed bounds.
    pub(super) widths: Vec<Option<i64>>,
    /// Messages sent outside of their bounds.
    pub(super) wrong: Vec<usize>,
}

impl Narrowed {
    pub(super) fn narrowed(&self, from: usize) -> usize {
        self.widths[from..].iter().flatten().count()
    }

    /// The quantile of the widths from the `from`th message on, ms; a second where there are no
    /// bounds.
    pub(super) fn width(&self, from: usize, quantile: f64) -> f64 {
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

pub(super) fn feed(narrower: &mut StampNarrower, messages: &[Truth]) -> Narrowed {
    let mut found = Narrowed::default();
    for (index, message) in messages.iter().enumerate() {
        let arrival = ObservedArrival {
            at_ns: (message.arrived - message.offset).cast_unsigned(),
            utc_offset_ns: message.offset,
            held_back: message.held_back,
        };
        let between = match message.kind {
            MessageKind::Fresh => narrower.narrow(whole_seconds(message.sent), arrival),
            MessageKind::Resend => {
                narrower.resend_arrived(arrival);
                None
            }
            MessageKind::Unobserved => {
                narrower.arrival_unobserved();
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
