//! The growth of the ages.

use std::collections::VecDeque;
use std::time::Duration;

/// The least time that a trend covers. Readers that take many messages at once make saw teeth of the
/// ages, and within one second a tooth looks like a trend.
const MIN_COVERED: Duration = Duration::from_secs(10);

/// Intervals shorter than this are merged.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// The least number of messages for a slope.
const MIN_MESSAGES: u64 = 8;

/// The least-squares line through ages over time. It is computed in one pass from sums about the
/// means, and lines can be merged (Chan, Golub and LeVeque, "Updating formulae and a pairwise
/// algorithm for computing sample variances", 1979).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AgeLine {
    count: u64,
    mean_x: f64,
    mean_y: f64,
    xx: f64,
    xy: f64,
}

impl AgeLine {
    /// Adds a message handed off at `x` with an age of `y`, both in seconds.
    pub(super) fn add(&mut self, x: f64, y: f64) {
        self.merge(&Self {
            count: 1,
            mean_x: x,
            mean_y: y,
            xx: 0.0,
            xy: 0.0,
        });
    }

    /// Adds the points of another line; both have the same origin of time.
    fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        if count == 0 {
            return;
        }
        let (dx, dy) = (other.mean_x - self.mean_x, other.mean_y - self.mean_y);
        let share = other.count as f64 / count as f64;
        let between = self.count as f64 * share;
        self.xx += other.xx + dx * dx * between;
        self.xy += other.xy + dx * dy * between;
        self.mean_x += dx * share;
        self.mean_y += dy * share;
        self.count = count;
    }

    /// The growth of the age, seconds per second; `None` with too few messages.
    pub(super) fn slope(&self) -> Option<f64> {
        let spread = self.xx * self.count as f64;
        (self.count >= MIN_MESSAGES && spread > 1e-9).then(|| self.xy / self.xx)
    }
}

/// The lines of the latest intervals, over ten seconds or more.
#[derive(Clone, Debug, Default)]
pub(crate) struct AgeTrend {
    lines: VecDeque<(Duration, AgeLine)>,
}

impl AgeTrend {
    /// Forgets all intervals.
    pub(crate) fn reset(&mut self) {
        self.lines.clear();
    }

    /// Adds the line of an interval; returns the line over all intervals that are covered.
    pub(crate) fn interval(&mut self, length: Duration, line: &AgeLine) -> AgeLine {
        match self.lines.back_mut() {
            Some((covered, last)) if *covered < MIN_INTERVAL => {
                *covered += length;
                last.merge(line);
            }
            _ => self.lines.push_back((length, *line)),
        }
        let mut covered: Duration = self.lines.iter().map(|(length, _)| *length).sum();
        while let Some(&(length, _)) = self.lines.front()
            && covered >= length + MIN_COVERED
        {
            covered -= length;
            self.lines.pop_front();
        }
        let mut whole = AgeLine::default();
        for (_, line) in &self.lines {
            whole.merge(line);
        }
        whole
    }

    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        self.lines.capacity() * size_of::<(Duration, AgeLine)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Messages every 10 ms from `from` to `to` seconds.
    fn line(from: u32, to: u32, age: impl Fn(f64) -> f64) -> AgeLine {
        let mut line = AgeLine::default();
        for n in from * 100..to * 100 {
            // Far from zero, as instants are.
            let x = f64::from(n) / 100.0;
            line.add(x + 86_400.0, age(x));
        }
        line
    }

    fn close(slope: Option<f64>, to: f64) -> bool {
        slope.is_some_and(|slope| (slope - to).abs() < 1e-6)
    }

    #[test]
    fn merged_lines_are_the_line_of_all_points() {
        let age = |x: f64| x.sin() + 0.25 * x;
        let whole = line(0, 10, age).slope().expect("a slope");
        let mut parts = line(0, 3, age);
        parts.merge(&AgeLine::default());
        parts.merge(&line(3, 10, age));
        assert!(close(parts.slope(), whole));
        let mut none = AgeLine::default();
        none.merge(&AgeLine::default());
        assert_eq!(none.slope(), None);
        none.merge(&parts);
        assert!(close(none.slope(), whole));
    }

    #[test]
    fn saw_teeth_neither_make_nor_hide_a_trend() {
        // Every 2 s one call reads everything: in between, each message is younger than the one
        // before.
        let tooth = |x: f64| 2.0 - x % 2.0;
        let mut trend = AgeTrend::default();
        let mut slopes = Vec::new();
        for second in 0..30 {
            let one = line(second, second + 1, |x| 0.4 * x + tooth(x));
            assert!(one.slope().is_some_and(|slope| slope < 0.0));
            slopes.push(trend.interval(SECOND, &one).slope().expect("a slope"));
        }
        assert!(
            slopes[10..].iter().all(|slope| (0.3..0.5).contains(slope)),
            "{slopes:?}"
        );
    }

    #[test]
    fn old_intervals_are_forgotten() {
        let mut trend = AgeTrend::default();
        for second in 0..20 {
            trend.interval(SECOND, &line(second, second + 1, |x| x));
        }
        for second in 20..30 {
            trend.interval(SECOND, &line(second, second + 1, |_| 20.0));
        }
        let last = trend.interval(SECOND, &line(30, 31, |_| 20.0));
        assert!(close(last.slope(), 0.0), "{last:?}");
        assert_eq!(last.count, 1_000);
    }

    #[test]
    fn long_intervals_stand_alone_and_short_ones_are_merged() {
        let mut trend = AgeTrend::default();
        trend.interval(60 * SECOND, &line(0, 60, |x| x));
        let last = trend.interval(60 * SECOND, &line(60, 120, |_| 60.0));
        assert!(close(last.slope(), 0.0), "{last:?}");
        let mut trend = AgeTrend::default();
        for second in 0..100 {
            for _ in 0..10 {
                trend.interval(SECOND / 10, &line(second, second + 1, |x| x));
            }
        }
        assert!(trend.lines.len() <= 11, "{}", trend.lines.len());
    }
}
