//! How long bytes take through a relay.

use std::time::Duration;

/// How long bytes take. They are passed on in order, so a shorter delay never overtakes a longer
/// one.
#[derive(Clone, Copy, Debug)]
pub enum Delay {
    /// Always the same.
    Constant(Duration),
    /// The first, and `after` the first bytes the second.
    Changing {
        /// At the beginning.
        first: Duration,
        /// Later on.
        then: Duration,
        /// When it changes.
        after: Duration,
    },
    /// Anything between the two, different for each piece, and the same in every run.
    Jitter(Duration, Duration),
}

impl Delay {
    /// Of the `index`th piece, which came `since` the first.
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
                low + (high - low) * random as u32 / (1 << 20)
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
