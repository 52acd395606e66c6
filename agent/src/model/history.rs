//! The history of a session: one point per interval, for outputs that draw it.

use std::{collections::VecDeque, time::Duration};

use super::figures::{SessionFigures, SessionName};
use crate::{
    domain::{Part, Stage},
    stats::{AgeQuantiles, Figures, WaitingNow},
    verdict::{CpuUse, Verdict},
};

/// Points retained per session: five minutes of intervals of one second, 30 KiB.
const MAX_POINTS: usize = 300;

/// One interval of a session. Shares are of the summed age without clock skew, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct IntervalPoint {
    /// The interval's end, nanoseconds since 1970 UTC.
    pub until_ns: i64,
    /// Its length.
    pub length: Duration,
    /// Number of fresh messages handed off.
    pub messages: u64,
    /// The session was stalled at the end, and what waited was older than every message handed off:
    /// the ages and shares are those of the oldest that waited, the median only without messages.
    pub stalled: bool,
    /// Median age of the messages, nanoseconds. This and the following are 0 without any age.
    pub p50_ns: i64,
    /// 99th percentile of the ages, nanoseconds.
    pub p99_ns: i64,
    /// The largest age, nanoseconds.
    pub max_ns: i64,
    /// Mean age without skew, nanoseconds: the whole of the shares.
    pub mean_ns: i64,
    /// Shares of the parts, in the order of [`Part::ALL`].
    pub parts: [f32; Part::ALL.len()],
    /// Share of the stage held back.
    pub held_back: f32,
    /// CPU use of the cgroup with the tightest limit, or of the process's own where there is none,
    /// in CPUs; `None` when not known.
    pub cores: Option<f32>,
    /// That limit in CPUs; `None` without one.
    pub limit: Option<f32>,
}

impl IntervalPoint {
    fn new(
        until_ns: i64,
        length: Duration,
        session: &SessionFigures,
        cpu: Option<&CpuUse>,
    ) -> Self {
        let measured = &session.figures;
        let waiting = session.oldest_stall().map(WaitingNow::figures);
        let oldest: &Figures = waiting.as_ref().unwrap_or(measured);
        let sums = oldest.sums_without_skew();
        let whole = sums.total();
        let share = |part: i128| {
            if whole > 0 {
                (part as f64 / whole as f64) as f32
            } else {
                0.0
            }
        };
        let limit = cpu.and_then(|cpu| cpu.limit.as_ref());
        let spread = |of: fn(&AgeQuantiles) -> i64| oldest.age.as_ref().map_or(0, of);
        Self {
            until_ns,
            length,
            messages: measured.messages,
            stalled: waiting.is_some(),
            p50_ns: measured
                .age
                .map_or_else(|| spread(|age| age.p50_ns), |age| age.p50_ns),
            p99_ns: spread(|age| age.p99_ns),
            max_ns: spread(|age| age.max_ns),
            mean_ns: whole
                .checked_div(oldest.messages.into())
                .and_then(|ns| i64::try_from(ns).ok())
                .unwrap_or(0),
            parts: Part::ALL.map(|part| share(sums.part(part))),
            held_back: share(sums.stage(Stage::HeldBack)),
            cores: cpu
                .and_then(|cpu| limit.map_or(cpu.cores, |limit| limit.used))
                .map(|cores| cores as f32),
            limit: limit.map(|limit| limit.cores as f32),
        }
    }

    /// Whether there is any age: of messages handed off, or of what waits in a stall.
    pub(crate) const fn has_age(&self) -> bool {
        self.messages > 0 || self.stalled
    }
}

/// The latest intervals of a session.
#[derive(Clone, Debug, Default)]
pub(super) struct PointHistory {
    points: VecDeque<IntervalPoint>,
    latest: Option<Box<SessionFigures>>,
}

impl PointHistory {
    pub(super) fn push(
        &mut self,
        until_ns: i64,
        length: Duration,
        figures: &SessionFigures,
        cpu: Option<&CpuUse>,
    ) {
        if self.points.len() == MAX_POINTS {
            self.points.pop_front();
        }
        let point = IntervalPoint::new(until_ns, length, figures, cpu);
        self.points.push_back(point);
        if figures.figures.messages > 0 {
            self.latest = Some(Box::new(figures.clone()));
        }
    }

    pub(super) const fn points(&self) -> &VecDeque<IntervalPoint> {
        &self.points
    }

    pub(super) fn latest(&self) -> Option<&SessionFigures> {
        self.latest.as_deref()
    }

    #[cfg(test)]
    pub(super) fn heap_bytes(&self) -> usize {
        self.points.capacity() * size_of::<IntervalPoint>() + size_of::<SessionFigures>()
    }
}

/// The history of one session, from [`super::Model::session_histories`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionHistory<'a> {
    /// The session.
    pub name: &'a SessionName,
    /// Thread id of the reader of its latest message; `None` for groups.
    pub tid: Option<u32>,
    /// Whether its socket was closed.
    pub ended: bool,
    /// Its latest intervals, at most 300, the oldest first.
    pub points: &'a VecDeque<IntervalPoint>,
    /// The figures of its latest interval with fresh messages.
    pub latest: Option<&'a SessionFigures>,
    /// The verdict of its latest interval.
    pub verdict: Option<&'a Verdict>,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        domain::{
            Moment, Update,
            fixtures::{message, session, waiting},
        },
        model::Model,
    };

    fn at(seconds: u64) -> Moment {
        Moment {
            monotonic_ns: seconds * 1_000_000_000,
            utc_ns: (seconds * 1_000_000_000).cast_signed(),
        }
    }

    /// Whether a share is exactly so large.
    fn is(share: f32, expected: f32) -> bool {
        share.to_bits() == expected.to_bits()
    }

    #[test]
    fn each_interval_is_a_point_and_the_oldest_are_dropped() {
        let mut model = Model::at_zero();
        let s = session(0);
        for second in 1..=305_u64 {
            let ns = second.cast_signed() * 1_000_000;
            for part in [Part::LockWait, Part::OnCpu] {
                model.observe(&message(&s, second, &[(Stage::HeldBack, part, ns)]));
            }
            model.take_interval(at(second));
        }
        model.take_interval(at(306));
        let session_histories: Vec<_> = model.session_histories().collect();
        assert_eq!(session_histories.len(), 1);
        let points = session_histories[0].points;
        assert_eq!(points.len(), 300);
        let last = points[298];
        assert_eq!((last.messages, last.mean_ns), (2, 305_000_000));
        assert_eq!(last.until_ns, 305_000_000_000);
        assert!(is(last.parts[Part::LockWait as usize], 0.5));
        assert!(is(last.held_back, 1.0));
        assert_eq!(points[299].messages, 0);
        assert_eq!(points[299].p50_ns, 0);
        assert_eq!(points[0].messages, 2);
        // The interval without messages does not hide what came before.
        assert_eq!(
            session_histories[0].latest.map(|s| s.figures.messages),
            Some(2)
        );
    }

    #[test]
    fn ages_climb_while_nothing_is_handed_off() {
        let mut model = Model::at_zero();
        let s = session(0);
        for seq in 1..=3 {
            model.observe(&message(&s, seq, &[(Stage::InApp, Part::OnCpu, 1_000_000)]));
        }
        for second in 1..=4 {
            let now = at(second).monotonic_ns;
            // The reader hangs a tenth of a second before the first interval ends.
            let mut waiting = waiting(
                now,
                (second - 1) * 1_000_000_000 + 100_000_000,
                Part::Blocked,
            );
            if second == 4 {
                waiting.waits_since_ns = None;
                waiting.split = crate::domain::Split::default();
            }
            model.apply(
                at(second),
                &Update::Waiting(Arc::clone(&s), Box::new(waiting)),
            );
            model.take_interval(at(second));
        }
        let history = model.session_histories().next().expect("a session");
        let points: Vec<_> = history
            .points
            .iter()
            .map(|p| {
                (
                    p.stalled,
                    p.p50_ns / 1_000_000,
                    p.p99_ns / 1_000_000,
                    p.mean_ns / 1_000_000,
                )
            })
            .collect();
        let expected = [
            (false, 1, 1, 1),
            (true, 1_100, 1_100, 1_100),
            (true, 2_100, 2_100, 2_100),
            (false, 0, 0, 0),
        ];
        assert_eq!(points, expected);
        assert!(history.points[1].parts[Part::Blocked as usize] > 0.99);
        assert!(history.points[1].has_age() && !history.points[3].has_age());
    }

    #[test]
    fn what_waits_replaces_the_ages_of_messages_handed_off_before_a_stall() {
        let mut model = Model::at_zero();
        let s = session(0);
        model.observe(&message(&s, 1, &[(Stage::InApp, Part::OnCpu, 1_000_000)]));
        let waiting = waiting(at(1).monotonic_ns, 700_000_000, Part::LockWait);
        model.apply(at(1), &Update::Waiting(Arc::clone(&s), Box::new(waiting)));
        model.take_interval(at(1));
        let point = model.session_histories().next().expect("a session").points[0];
        assert_eq!((point.messages, point.stalled), (1, true));
        // The median is that of the messages.
        assert_eq!((point.p50_ns, point.p99_ns), (1_000_000, 700_300_000));
        assert_eq!((point.max_ns, point.mean_ns), (700_300_000, 700_300_000));
    }

    #[test]
    fn skew_makes_no_negative_share() {
        let mut model = Model::at_zero();
        let s = session(0);
        let cells = [
            (Stage::InFlight, Part::Network, -5_000_000),
            (Stage::Queued, Part::RunQueue, 1_000_000),
        ];
        model.observe(&message(&s, 1, &cells));
        model.take_interval(at(1));
        let point = model.session_histories().next().expect("a session").points[0];
        assert!(is(point.parts[Part::Network as usize], 0.0));
        assert!(is(point.parts[Part::RunQueue as usize], 1.0));
        assert_eq!(point.mean_ns, 1_000_000);
    }
}
