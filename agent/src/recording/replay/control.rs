//! What the keys have made of the pace.

use std::time::Duration;

use tokio::time::Instant;

use crate::{domain::Moment, outputs::top::PlaybackCommand};

use super::config::PlaybackSpeed;

/// The speeds that keys choose from; after the last comes max.
const SPEEDS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];

/// What is played without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    /// Nothing: all at its pace.
    None,
    /// Up to this moment, `CLOCK_MONOTONIC` ns.
    Until(u64),
    /// Up to the end of so many intervals.
    Interval(u64),
    /// All.
    End,
}

/// When what comes next is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// At once.
    Now,
    /// Then.
    At(Instant),
    /// Not before another key is pressed.
    Held,
}

/// The pace of a replay that keys change.
#[derive(Debug)]
pub(super) struct Deck {
    speed: PlaybackSpeed,
    paused: bool,
    goal: Goal,
    /// Both clocks at one instant, since the pace was last changed.
    anchor: (Instant, Moment),
    /// Of what was told last.
    at: Moment,
}

impl Deck {
    pub(super) fn new(speed: PlaybackSpeed, from: Moment) -> Self {
        Self {
            speed,
            paused: false,
            goal: Goal::None,
            anchor: (Instant::now(), from),
            at: from,
        }
    }

    pub(super) const fn speed(&self) -> PlaybackSpeed {
        self.speed
    }

    pub(super) const fn paused(&self) -> bool {
        self.paused
    }

    /// Where it is.
    pub(super) const fn at(&self) -> Moment {
        self.at
    }

    /// Whether it hurries to where a key sent it.
    pub(super) fn seeks(&self) -> bool {
        self.goal != Goal::None
    }

    /// Follows a key, after so many intervals. Whether the recording has to be begun anew for that,
    /// which begins at `from`.
    pub(super) fn follow(
        &mut self,
        command: PlaybackCommand,
        from: Moment,
        intervals: u64,
    ) -> bool {
        self.settle();
        match command {
            PlaybackCommand::Pause => self.paused = !self.paused,
            PlaybackCommand::Step => {
                self.paused = true;
                self.goal = Goal::Interval(intervals + 1);
            }
            PlaybackCommand::Seek(seconds) => {
                let by = Duration::from_secs(seconds.unsigned_abs()).as_nanos() as u64;
                let now = self.at.monotonic_ns;
                if seconds < 0 {
                    self.goal = Goal::Until(now.saturating_sub(by));
                    self.begin(from);
                    return true;
                }
                self.goal = Goal::Until(now.saturating_add(by));
            }
            PlaybackCommand::Begin => {
                self.goal = Goal::None;
                self.begin(from);
                return true;
            }
            PlaybackCommand::End => self.goal = Goal::End,
            PlaybackCommand::Faster => self.speed = faster(self.speed),
            PlaybackCommand::Slower => self.speed = slower(self.speed),
        }
        false
    }

    /// When what was told at `next`, after so many intervals, is to be told again.
    pub(super) fn when(&mut self, next: Moment, intervals: u64) -> When {
        match self.goal {
            Goal::End => return When::Now,
            Goal::Until(target) if next.monotonic_ns < target => return When::Now,
            Goal::Interval(target) if intervals < target => return When::Now,
            Goal::Until(target) => {
                // From there on at the pace.
                let left = target.saturating_sub(self.at.monotonic_ns);
                self.at.monotonic_ns += left;
                self.at.utc_ns = self.at.utc_ns.saturating_add_unsigned(left);
                self.goal = Goal::None;
                self.settle();
            }
            Goal::Interval(_) => {
                self.goal = Goal::None;
                self.settle();
            }
            Goal::None => {}
        }
        if self.paused {
            return When::Held;
        }
        let PlaybackSpeed::Times(times) = self.speed else {
            return When::Now;
        };
        let (began, from) = self.anchor;
        let after = Duration::try_from_secs_f64(next.since(from).as_secs_f64() / times);
        let at = after.ok().and_then(|after| began.checked_add(after));
        at.map_or(When::Held, When::At)
    }

    /// What was told at this moment is told.
    pub(super) const fn told(&mut self, at: Moment) {
        self.at = at;
    }

    /// Nothing is left.
    pub(super) fn over(&mut self) {
        self.goal = Goal::None;
    }

    fn begin(&mut self, from: Moment) {
        self.at = from;
        self.settle();
    }

    /// The pace counts from here on.
    fn settle(&mut self) {
        self.anchor = (Instant::now(), self.at);
    }
}

fn faster(speed: PlaybackSpeed) -> PlaybackSpeed {
    let PlaybackSpeed::Times(times) = speed else {
        return PlaybackSpeed::Max;
    };
    let next = SPEEDS.into_iter().find(|&next| next > times);
    next.map_or(PlaybackSpeed::Max, PlaybackSpeed::Times)
}

fn slower(speed: PlaybackSpeed) -> PlaybackSpeed {
    let times = match speed {
        PlaybackSpeed::Times(times) => times,
        PlaybackSpeed::Max => f64::INFINITY,
    };
    let next = SPEEDS.into_iter().rev().find(|&next| next < times);
    PlaybackSpeed::Times(next.unwrap_or(times))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment {
            monotonic_ns: seconds * 1_000_000_000,
            utc_ns: (seconds * 1_000_000_000).cast_signed(),
        }
    }

    #[test]
    fn it_waits_as_long_as_the_speed_says() {
        let mut deck = Deck::new(PlaybackSpeed::Times(1.0), at(10));
        let begun = deck.anchor.0;
        let due = |deck: &mut Deck, next| match deck.when(next, 0) {
            When::At(instant) => instant - deck.anchor.0,
            other => panic!("{other:?}"),
        };
        assert_eq!(due(&mut deck, at(14)), Duration::from_secs(4));
        deck.told(at(14));
        assert!(!deck.follow(PlaybackCommand::Faster, at(10), 0));
        assert!(deck.anchor.0 >= begun && deck.anchor.1 == at(14));
        assert_eq!(due(&mut deck, at(18)), Duration::from_secs(2));
        assert!(!deck.follow(PlaybackCommand::Pause, at(10), 0));
        assert_eq!(deck.when(at(18), 0), When::Held);
    }

    #[test]
    fn a_step_is_an_interval_and_then_it_is_held() {
        let mut deck = Deck::new(PlaybackSpeed::Times(1.0), at(10));
        assert!(!deck.follow(PlaybackCommand::Step, at(10), 3));
        assert_eq!(deck.when(at(900), 3), When::Now);
        assert!(deck.seeks());
        assert_eq!(deck.when(at(901), 4), When::Held);
        assert!(!deck.seeks());
    }

    #[test]
    fn it_seeks_forwards_as_it_is_and_backwards_from_the_beginning() {
        let mut deck = Deck::new(PlaybackSpeed::Times(1.0), at(10));
        deck.told(at(50));
        assert!(!deck.follow(PlaybackCommand::Seek(10), at(10), 0));
        assert_eq!(deck.when(at(59), 0), When::Now);
        assert!(matches!(deck.when(at(60), 0), When::At(_)));
        assert_eq!(deck.at(), at(60));
        assert!(deck.follow(PlaybackCommand::Seek(-20), at(10), 0));
        assert_eq!(deck.at(), at(10));
        assert_eq!(deck.when(at(39), 0), When::Now);
        assert!(matches!(deck.when(at(41), 0), When::At(_)));
        assert!(!deck.follow(PlaybackCommand::End, at(10), 0));
        assert_eq!(deck.when(at(9999), 0), When::Now);
        // Before its beginning there is nothing.
        assert!(deck.follow(PlaybackCommand::Seek(-20_000), at(10), 0));
        assert!(matches!(deck.when(at(11), 0), When::At(_)));
        assert_eq!(deck.at(), at(10));
    }

    #[test]
    fn speeds_go_from_a_tenth_to_max_and_back() {
        let mut speed = PlaybackSpeed::Times(1.0);
        for _ in 0..20 {
            speed = faster(speed);
        }
        assert_eq!(speed, PlaybackSpeed::Max);
        assert_eq!(slower(speed), PlaybackSpeed::Times(100.0));
        for _ in 0..20 {
            speed = slower(speed);
        }
        assert_eq!(speed, PlaybackSpeed::Times(0.1));
        assert_eq!(faster(PlaybackSpeed::Times(3.0)), PlaybackSpeed::Times(5.0));
    }
}
