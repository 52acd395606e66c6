//! The figures of messages, of an interval or since the start.

use hdrhistogram::Counter;

use crate::{
    domain::{ExclusionReason, HandOff, Message, Part, TapCounts},
    stats::{
        ages::{AgeQuantiles, Ages},
        sums::Sums,
    },
};

/// Stamps of at least this resolution make the age uncertain enough to say so.
const COARSE_NS: i64 = 1_000_000_000;

/// Clock skew: the venue's clock is ahead of ours where in-flight network is below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skew {
    /// Messages with skew.
    pub messages: u64,
    /// The largest skew, nanoseconds.
    pub largest_ns: i64,
    /// Skew of the latest message, nanoseconds; 0 without.
    pub latest_ns: i64,
    /// Summed skew, nanoseconds: by so much it makes the summed age smaller.
    pub sum_ns: i128,
}

/// Messages with whole-second stamps whose bounds could be narrowed: see `join/narrowing`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NarrowedAges {
    /// Number of these messages.
    pub messages: u64,
    /// Their narrowed lower bounds of the age, summed, nanoseconds.
    pub min_sum_ns: i128,
    /// Their narrowed upper bounds of the age, summed, nanoseconds.
    pub max_sum_ns: i128,
    /// The largest distance between the two bounds of a message, nanoseconds.
    pub widest_ns: i64,
}

impl NarrowedAges {
    /// Lower and upper bound of the mean age of these messages, nanoseconds; `None` without any.
    #[must_use]
    pub(crate) fn mean_ns(&self) -> Option<(i128, i128)> {
        let messages = i128::from(self.messages);
        (messages > 0).then(|| (self.min_sum_ns / messages, self.max_sum_ns / messages))
    }

    const fn absorb(&mut self, other: &Self) {
        self.messages += other.messages;
        self.min_sum_ns += other.min_sum_ns;
        self.max_sum_ns += other.max_sum_ns;
        if other.widest_ns > self.widest_ns {
            self.widest_ns = other.widest_ns;
        }
    }
}

/// The figures of a session's messages. All are of fresh messages, except that resends (43=Y) enter
/// `resends` and `resend_age` only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Number of fresh messages.
    pub messages: u64,
    /// Quantiles of their ages; `None` without messages.
    pub age: Option<AgeQuantiles>,
    /// Their summed matrices; they sum to the summed ages exactly.
    pub sums: Sums,
    /// Messages with an unknown part.
    pub unknown_messages: u64,
    /// How much of their time in flight an acknowledgement of ours is known to have been pending,
    /// summed, nanoseconds.
    pub ack_pending_ns: u128,
    /// Clock skew.
    pub skew: Skew,
    /// Resolution of tag 52, nanoseconds, when it is 1 s or coarser; else 0. The true ages are
    /// smaller than the reported ones by up to this.
    pub coarse_ns: i64,
    /// Messages whose bounds are narrower than that.
    pub narrowed: NarrowedAges,
    /// Messages by kind of hand-off.
    pub hand_offs: HandOffs,
    /// Number of resends with OrigSendingTime (122).
    pub resends: u64,
    /// Quantiles of their ages, counted from OrigSendingTime.
    pub resend_age: Option<AgeQuantiles>,
    /// Messages without an age, by reason.
    pub excluded: Exclusions,
    /// Irregularities of the byte stream.
    pub tap: TapCounts,
}

impl Figures {
    /// The sums with the time that clock skew took away added again, so that no cell is negative.
    /// Shares are taken of these.
    #[must_use]
    pub(crate) fn sums_without_skew(&self) -> Sums {
        self.sums.with_skew_put_back(self.skew.sum_ns)
    }

    /// Whether nothing has been counted.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.messages == 0 && self.resends == 0 && self.excluded.total() == 0 && self.tap.is_empty()
    }
}

/// Messages by kind of hand-off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HandOffs([u64; 5]);

impl HandOffs {
    /// Every kind with its count.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (HandOff, u64)> + '_ {
        [
            HandOff::Wait,
            HandOff::Receive,
            HandOff::Function,
            HandOff::Unobserved,
            HandOff::Never,
        ]
        .into_iter()
        .map(|kind| (kind, self.0[kind as usize]))
    }
}

/// Messages without an age, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exclusions([u64; ExclusionReason::ALL.len()]);

impl Exclusions {
    /// Every reason with its count.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ExclusionReason, u64)> + '_ {
        ExclusionReason::ALL
            .into_iter()
            .map(|why| (why, self.0[why as usize]))
    }

    /// The sum over all reasons.
    #[must_use]
    pub(crate) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine += theirs;
        }
    }
}

/// The accumulator behind [`Figures`]. `C` is the type of the counts in the histogram of ages.
#[derive(Clone, Debug)]
pub(crate) struct Tally<C: Counter> {
    ages: Ages<C, 3>,
    resends: Ages<C, 2>,
    pub(crate) sums: Sums,
    pub(crate) unknown_messages: u64,
    pub(crate) ack_pending_ns: u128,
    pub(crate) skew: Skew,
    coarse_ns: i64,
    narrowed: NarrowedAges,
    hand_offs: HandOffs,
    pub(crate) excluded: Exclusions,
    pub(crate) tap: TapCounts,
}

impl<C: Counter> Default for Tally<C> {
    fn default() -> Self {
        Self {
            ages: Ages::default(),
            resends: Ages::default(),
            sums: Sums::default(),
            unknown_messages: 0,
            ack_pending_ns: 0,
            skew: Skew::default(),
            coarse_ns: 0,
            narrowed: NarrowedAges::default(),
            hand_offs: HandOffs::default(),
            excluded: Exclusions::default(),
            tap: TapCounts::default(),
        }
    }
}

impl<C: Counter> Tally<C> {
    pub(crate) fn add(&mut self, message: &Message) {
        let split = &message.split;
        if message.poss_dup {
            self.resends.record(split.age_ns());
            return;
        }
        self.ages.record(split.age_ns());
        self.sums.add(split.matrix());
        if split.matrix().part(Part::Unknown) != 0 {
            self.unknown_messages += 1;
        }
        self.ack_pending_ns += u128::from(message.ack_pending_ns);
        let skew_ns = split.skew_ns();
        self.skew.messages += u64::from(skew_ns > 0);
        self.skew.largest_ns = self.skew.largest_ns.max(skew_ns);
        self.skew.latest_ns = skew_ns;
        self.skew.sum_ns += i128::from(skew_ns);
        if message.sent.resolution_ns >= COARSE_NS {
            self.coarse_ns = self.coarse_ns.max(message.sent.resolution_ns);
        }
        if let Some((min_ns, max_ns)) = message.age_narrowed() {
            self.narrowed.absorb(&NarrowedAges {
                messages: 1,
                min_sum_ns: min_ns.into(),
                max_sum_ns: max_ns.into(),
                widest_ns: max_ns - min_ns,
            });
        }
        self.hand_offs.0[message.hand_off as usize] += 1;
    }

    pub(crate) const fn exclude(&mut self, why: ExclusionReason) {
        self.excluded.0[why as usize] += 1;
    }

    pub(crate) const fn messages(&self) -> u64 {
        self.ages.count()
    }

    pub(crate) const fn resends(&self) -> u64 {
        self.resends.count()
    }

    pub(crate) fn figures(&self) -> Figures {
        // Both are sums over the same messages, each of which was checked.
        debug_assert_eq!(self.sums.total(), self.ages.sum_ns());
        Figures {
            messages: self.ages.count(),
            age: self.ages.quantiles(),
            sums: self.sums,
            unknown_messages: self.unknown_messages,
            ack_pending_ns: self.ack_pending_ns,
            skew: self.skew,
            coarse_ns: self.coarse_ns,
            narrowed: self.narrowed,
            hand_offs: self.hand_offs,
            resends: self.resends.count(),
            resend_age: self.resends.quantiles(),
            excluded: self.excluded,
            tap: self.tap,
        }
    }

    pub(crate) fn reset(&mut self) {
        let mut ages = std::mem::take(&mut self.ages);
        let mut resends = std::mem::take(&mut self.resends);
        ages.reset();
        resends.reset();
        *self = Self {
            ages,
            resends,
            ..Self::default()
        };
    }

    pub(crate) fn absorb(&mut self, other: &Self) {
        self.ages.absorb(&other.ages);
        self.resends.absorb(&other.resends);
        self.sums.absorb(&other.sums);
        self.unknown_messages += other.unknown_messages;
        self.ack_pending_ns += other.ack_pending_ns;
        self.skew.messages += other.skew.messages;
        self.skew.largest_ns = self.skew.largest_ns.max(other.skew.largest_ns);
        self.skew.sum_ns += other.skew.sum_ns;
        self.coarse_ns = self.coarse_ns.max(other.coarse_ns);
        self.narrowed.absorb(&other.narrowed);
        for (mine, theirs) in self.hand_offs.0.iter_mut().zip(&other.hand_offs.0) {
            *mine += theirs;
        }
        self.excluded.absorb(&other.excluded);
        self.tap.absorb(&other.tap);
    }

    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        self.ages.heap_bytes() + self.resends.heap_bytes()
    }
}
