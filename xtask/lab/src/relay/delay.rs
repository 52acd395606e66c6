//! The delay of a relay.

use std::time::Duration;

/// The delay of the venue's bytes. They are forwarded in order: a piece with a shorter delay waits
/// for the ones before it.
#[derive(Clone, Copy, Debug)]
pub enum Delay {
    /// A constant delay.
    Constant(Duration),
    /// A delay that changes once.
    Changing {
        /// The delay at the beginning.
        first: Duration,
        /// The delay from then on.
        then: Duration,
        /// When it changes, after the first bytes.
        after: Duration,
    },
    /// A pseudo-random delay between the two for each piece, the same in every run.
    Jitter(Duration, Duration),
}

impl Delay {
    /// Returns the delay of the `index`th piece, which came in `since` after the first.
    pub(super) fn of(self, index: u64, since: Duration) -> Duration {
        match self {
            Self::Constant(delay) => delay,
            Self::Changing { first, then, after } => {
                if since < after {
                    first
                } else {
                    then
                }
            }
            Self::Jitter(low, high) => {
                let random = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
                low + high.saturating_sub(low) * random as u32 / (1 << 20)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_change_as_set() {
        let ms = Duration::from_millis;
        let changing = Delay::Changing {
            first: ms(5),
            then: ms(40),
            after: ms(100),
        };
        assert_eq!(changing.of(3, ms(99)), ms(5));
        assert_eq!(changing.of(3, ms(100)), ms(40));
        let jitter = Delay::Jitter(ms(2), ms(20));
        let all: Vec<Duration> = (0..1000).map(|index| jitter.of(index, ms(0))).collect();
        assert!(all.iter().all(|delay| (ms(2)..=ms(20)).contains(delay)));
        let below = all.iter().filter(|delay| **delay < ms(11)).count();
        assert!(
            (400..600).contains(&below),
            "{below} of 1000 in the lower half"
        );
    }
}
