//! Pauses between attempts.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::{Duration, Instant},
};

use super::setup::KubeTimeouts;

/// Exponential back-off with jitter.
pub(super) struct Backoff {
    timeouts: KubeTimeouts,
    next: Duration,
    random: RandomState,
}

impl Backoff {
    pub(super) fn new(timeouts: KubeTimeouts) -> Self {
        Self {
            timeouts,
            next: timeouts.first_retry,
            random: RandomState::new(),
        }
    }

    /// The pause after a failed attempt that began at `began`. An attempt that lasted longer than
    /// two of the longest pauses went well at first, and starts the sequence anew.
    pub(super) fn next(&mut self, began: Instant) -> Duration {
        if began.elapsed() > 2 * self.timeouts.max_retry {
            self.next = self.timeouts.first_retry;
        }
        let pause = self.next;
        self.next = (pause * 2).min(self.timeouts.max_retry);
        // Up to a fifth more, so that the agents of a cluster do not all return at once.
        let jitter = self.random.hash_one(began) % 200;
        pause + pause * u32::try_from(jitter).unwrap_or(0) / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit() {
        let timeouts = KubeTimeouts {
            first_retry: Duration::from_millis(100),
            max_retry: Duration::from_millis(800),
            response: Duration::from_secs(1),
        };
        let mut backoff = Backoff::new(timeouts);
        let pauses: Vec<_> = (0..6).map(|_| backoff.next(Instant::now())).collect();
        for (pause, least) in pauses.iter().zip([100, 200, 400, 800, 800, 800]) {
            let least = Duration::from_millis(least);
            assert!((least..=least * 6 / 5).contains(pause), "{pause:?}");
        }
    }
}
