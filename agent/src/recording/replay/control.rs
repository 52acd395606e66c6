//! The pace of a replay in the live view, as keys change it.

use std::time::Duration;

use tokio::time::Instant;

use crate::{domain::Moment, outputs::top::PlaybackCommand};

use super::config::PlaybackSpeed;

/// The speeds that keys choose from; after the last comes max.
const SPEEDS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0];

/// Up to where a key has asked to play without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SeekTarget {
    /// Nowhere: every update waits until it is due.
    None,
    /// This moment, `CLOCK_MONOTONIC` ns.
    Moment(u64),
    /// The end of this many intervals.
    Interval(u64),
    /// The end of the recording.
    End,
}

/// When the next update is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextDue {
    /// At once.
    Now,
    /// At an instant.
    At(Instant),
    /// Not before another key is pressed.
    AfterKey,
}

impl NextDue {
    /// Whether the update is due now.
    pub(super) fn has_come(self) -> bool {
        match self {
            Self::Now => true,
            Self::At(at) => at <= Instant::now(),
            Self::AfterKey => false,
        }
    }
}

/// The pace of a replay, and where it is.
#[derive(Debug)]
pub(super) struct PlaybackControl {
    speed: PlaybackSpeed,
    paused: bool,
    seek: SeekTarget,
    /// The present and the recorded time at one instant, since which the pace is the same.
    anchor: (Instant, Moment),
    /// The moment of the update that was published last.
    position: Moment,
}

impl PlaybackControl {
    pub(super) fn new(speed: PlaybackSpeed, from: Moment) -> Self {
        Self {
            speed,
            paused: false,
            seek: SeekTarget::None,
            anchor: (Instant::now(), from),
            position: from,
        }
    }

    pub(super) const fn speed(&self) -> PlaybackSpeed {
        self.speed
    }

    pub(super) const fn paused(&self) -> bool {
        self.paused
    }

    /// The moment of the update that was published last, or that was sought.
    pub(super) const fn position(&self) -> Moment {
        self.position
    }

    /// Whether it plays without waiting to where a key sent it.
    pub(super) fn is_seeking(&self) -> bool {
        self.seek != SeekTarget::None
    }

    /// Obeys a key, pressed after `intervals` intervals. Returns whether the recording, which
    /// begins at `from`, has to be read from its beginning for that.
    pub(super) fn obey(&mut self, command: PlaybackCommand, from: Moment, intervals: u64) -> bool {
        self.restart_pace();
        match command {
            PlaybackCommand::Pause => self.paused = !self.paused,
            PlaybackCommand::Step => {
                self.paused = true;
                self.seek = SeekTarget::Interval(intervals + 1);
            }
            PlaybackCommand::Seek(seconds) => {
                let by = Duration::from_secs(seconds.unsigned_abs()).as_nanos() as u64;
                let now = self.position.monotonic_ns;
                if seconds < 0 {
                    self.seek = SeekTarget::Moment(now.saturating_sub(by));
                    self.rewind(from);
                    return true;
                }
                self.seek = SeekTarget::Moment(now.saturating_add(by));
            }
            PlaybackCommand::Begin => {
                self.seek = SeekTarget::None;
                self.rewind(from);
                return true;
            }
            PlaybackCommand::End => self.seek = SeekTarget::End,
            PlaybackCommand::Faster => self.speed = faster(self.speed),
            PlaybackCommand::Slower => self.speed = slower(self.speed),
        }
        false
    }

    /// When the update of the moment `next` is due, which follows after `intervals` intervals.
    pub(super) fn due(&mut self, next: Moment, intervals: u64) -> NextDue {
        match self.seek {
            SeekTarget::End => return NextDue::Now,
            SeekTarget::Moment(target) if next.monotonic_ns < target => return NextDue::Now,
            SeekTarget::Interval(target) if intervals < target => return NextDue::Now,
            SeekTarget::Moment(target) => {
                // From the target on at the pace.
                let skipped = target.saturating_sub(self.position.monotonic_ns);
                self.position.monotonic_ns += skipped;
                self.position.utc_ns = self.position.utc_ns.saturating_add_unsigned(skipped);
                self.seek = SeekTarget::None;
                self.restart_pace();
            }
            SeekTarget::Interval(_) => {
                self.seek = SeekTarget::None;
                self.restart_pace();
            }
            SeekTarget::None => {}
        }
        if self.paused {
            return NextDue::AfterKey;
        }
        let PlaybackSpeed::Times(times) = self.speed else {
            return NextDue::Now;
        };
        let (began, from) = self.anchor;
        let after = Duration::try_from_secs_f64(next.since(from).as_secs_f64() / times);
        let at = after.ok().and_then(|after| began.checked_add(after));
        at.map_or(NextDue::AfterKey, NextDue::At)
    }

    /// The updates of this moment were published.
    pub(super) const fn published(&mut self, at: Moment) {
        self.position = at;
    }

    /// The recording has ended.
    pub(super) fn ended(&mut self) {
        self.seek = SeekTarget::None;
    }

    fn rewind(&mut self, from: Moment) {
        self.position = from;
        self.restart_pace();
    }

    /// The pace counts from this position and instant on.
    fn restart_pace(&mut self) {
        self.anchor = (Instant::now(), self.position);
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
        let mut control = PlaybackControl::new(PlaybackSpeed::Times(1.0), at(10));
        let begun = control.anchor.0;
        let wait = |control: &mut PlaybackControl, next| match control.due(next, 0) {
            NextDue::At(instant) => instant - control.anchor.0,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(&mut control, at(14)), Duration::from_secs(4));
        control.published(at(14));
        assert!(!control.obey(PlaybackCommand::Faster, at(10), 0));
        assert!(control.anchor.0 >= begun && control.anchor.1 == at(14));
        assert_eq!(wait(&mut control, at(18)), Duration::from_secs(2));
        assert!(!control.obey(PlaybackCommand::Pause, at(10), 0));
        assert_eq!(control.due(at(18), 0), NextDue::AfterKey);
    }

    #[test]
    fn a_step_plays_one_interval_and_pauses() {
        let mut control = PlaybackControl::new(PlaybackSpeed::Times(1.0), at(10));
        assert!(!control.obey(PlaybackCommand::Step, at(10), 3));
        assert_eq!(control.due(at(900), 3), NextDue::Now);
        assert!(control.is_seeking());
        assert_eq!(control.due(at(901), 4), NextDue::AfterKey);
        assert!(!control.is_seeking());
    }

    #[test]
    fn it_seeks_forwards_from_its_position_and_backwards_from_the_beginning() {
        let mut control = PlaybackControl::new(PlaybackSpeed::Times(1.0), at(10));
        control.published(at(50));
        assert!(!control.obey(PlaybackCommand::Seek(10), at(10), 0));
        assert_eq!(control.due(at(59), 0), NextDue::Now);
        assert!(matches!(control.due(at(60), 0), NextDue::At(_)));
        assert_eq!(control.position(), at(60));
        assert!(control.obey(PlaybackCommand::Seek(-20), at(10), 0));
        assert_eq!(control.position(), at(10));
        assert_eq!(control.due(at(39), 0), NextDue::Now);
        assert!(matches!(control.due(at(41), 0), NextDue::At(_)));
        assert!(!control.obey(PlaybackCommand::End, at(10), 0));
        assert_eq!(control.due(at(9999), 0), NextDue::Now);
        // Before its beginning there is nothing.
        assert!(control.obey(PlaybackCommand::Seek(-20_000), at(10), 0));
        assert!(matches!(control.due(at(11), 0), NextDue::At(_)));
        assert_eq!(control.position(), at(10));
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
