//! The pins of one session, and what they allow the base to be.

use std::collections::VecDeque;

use super::median;

/// Pins retained at most.
pub(super) const MAX_PINS: usize = 32;

/// For how long a pin is retained.
const PIN_RETENTION_NS: i64 = 30_000_000_000;

/// With fewer pins there is no base: they say too little of how steady the path is.
const MIN_PINS: usize = 3;

/// From pin to pin, clocks that are not slewed drift by less than one part in so many.
const MAX_DRIFT_PARTS: i64 = 20_000;

/// Bounds of the base, taken at one change of the stamp.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pin {
    /// When it was taken, UTC ns.
    pub(super) at_ns: i64,
    /// The bounds of the base, ns.
    pub(super) lo_ns: i64,
    pub(super) hi_ns: i64,
}

impl Pin {
    pub(super) const fn width_ns(&self) -> i64 {
        self.hi_ns - self.lo_ns
    }

    /// By how much the base moved, at the least, from one pin to another.
    fn distance_ns(&self, other: &Self) -> i64 {
        let apart = (self.lo_ns - other.hi_ns).max(other.lo_ns - self.hi_ns);
        apart.max(0)
    }
}

/// The latest pins.
#[derive(Debug, Default)]
pub(super) struct Pins {
    /// Oldest first.
    pub(super) pins: VecDeque<Pin>,
    base: Option<Pin>,
}

impl Pins {
    /// What the pins allow the base to be; `None` while there are too few.
    pub(super) const fn base(&self) -> Option<Pin> {
        self.base
    }

    /// Adds a pin and updates the base.
    pub(super) fn add(&mut self, pin: Pin) {
        if self.pins.len() >= MAX_PINS {
            self.pins.pop_front();
        }
        self.pins.push_back(pin);
        self.pins
            .retain(|p| pin.at_ns - p.at_ns <= PIN_RETENTION_NS);
        self.base = (self.pins.len() >= MIN_PINS).then(|| self.allowed(pin.at_ns));
    }

    fn allowed(&self, now_ns: i64) -> Pin {
        let usual_width = median(self.pins.iter().map(Pin::width_ns));
        let (mut lo, mut hi) = (i64::MAX, i64::MIN);
        let narrow = usual_width + usual_width / 4;
        for p in self.pins.iter().filter(|p| p.width_ns() <= narrow) {
            let drift = (now_ns - p.at_ns) / MAX_DRIFT_PARTS;
            lo = lo.min(p.lo_ns - drift);
            hi = hi.max(p.hi_ns + drift);
        }
        let mut moved = 0;
        for (index, p) in self.pins.iter().enumerate() {
            lo = lo.min(p.hi_ns);
            hi = hi.max(p.lo_ns);
            if let Some(next) = self.pins.get(index + 1) {
                moved = moved.max(p.distance_ns(next));
            }
        }
        Pin {
            at_ns: now_ns,
            lo_ns: lo - moved,
            hi_ns: hi + moved,
        }
    }
}
