//! Where the ages are going.

use std::collections::VecDeque;
use std::time::Duration;

/// What a trend looks back on at the least: readers that take many messages at once make saw teeth
/// of the ages, and within a second a tooth passes for a trend.
const LOOKS_BACK: Duration = Duration::from_secs(10);

/// Intervals shorter than this are put together.
const GRAIN: Duration = Duration::from_secs(1);

/// Messages a trend is taken from at the least.
const FOR_A_TREND: u64 = 8;

/// The line of least squares through ages, in one pass: sums about the means, which can be put
/// together (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing
/// sample variances", 1979).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Line {
    count: u64,
    mean_x: f64,
    mean_y: f64,
    xx: f64,
    xy: f64,
}

impl Line {
    /// A message handed off at `x`, of the age `y`, seconds.
    pub(crate) fn point(&mut self, x: f64, y: f64) {
        self.merge(&Self {
            count: 1,
            mean_x: x,
            mean_y: y,
            xx: 0.0,
            xy: 0.0,
        });
    }

    /// Takes in the points of another; both count from the same origin.
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

    /// By how much the age grows in a second; `None` with too few messages.
    pub(crate) fn slope(&self) -> Option<f64> {
        let spread = self.xx * self.count as f64;
        (self.count >= FOR_A_TREND && spread > 1e-9).then(|| self.xy / self.xx)
    }
}

/// The lines of the latest intervals.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trend {
    lines: VecDeque<(Duration, Line)>,
}

impl Trend {
    /// Takes the line of an interval, and gives that of all the intervals it looks back on.
    pub(crate) fn interval(&mut self, length: Duration, line: &Line) -> Line {
        match self.lines.back_mut() {
            Some((covered, last)) if *covered < GRAIN => {
                *covered += length;
                last.merge(line);
            }
            _ => self.lines.push_back((length, *line)),
        }
        let mut covered: Duration = self.lines.iter().map(|(length, _)| *length).sum();
        while let Some(&(length, _)) = self.lines.front()
            && covered - length >= LOOKS_BACK
        {
            covered -= length;
            self.lines.pop_front();
        }
        let mut whole = Line::default();
        for (_, line) in &self.lines {
            whole.merge(line);
        }
        whole
    }

    #[cfg(test)]
    pub(crate) fn heap_bytes(&self) -> usize {
        self.lines.capacity() * size_of::<(Duration, Line)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Messages every 10 ms from `from` to `to` seconds.
    fn line(from: u32, to: u32, age: impl Fn(f64) -> f64) -> Line {
        let mut line = Line::default();
        for n in from * 100..to * 100 {
            // Far from zero, as instants are.
            let x = f64::from(n) / 100.0;
            line.point(x + 86_400.0, age(x));
        }
        line
    }

    fn close(slope: Option<f64>, to: f64) -> bool {
        slope.is_some_and(|slope| (slope - to).abs() < 1e-6)
    }

    #[test]
    fn lines_put_together_are_the_line_of_all_points() {
        let age = |x: f64| x.sin() + 0.25 * x;
        let whole = line(0, 10, age).slope().expect("a slope");
        let mut parts = line(0, 3, age);
        parts.merge(&Line::default());
        parts.merge(&line(3, 10, age));
        assert!(close(parts.slope(), whole));
        let mut none = Line::default();
        none.merge(&Line::default());
        assert_eq!(none.slope(), None);
        none.merge(&parts);
        assert!(close(none.slope(), whole));
    }

    #[test]
    fn saw_teeth_are_no_trend_and_do_not_hide_one() {
        // Every 2 s a read takes all there is: in between the age of each message is less than the
        // last one's.
        let tooth = |x: f64| 2.0 - x % 2.0;
        let mut trend = Trend::default();
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
    fn it_forgets() {
        let mut trend = Trend::default();
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
    fn long_intervals_count_alone_and_short_ones_are_put_together() {
        let mut trend = Trend::default();
        trend.interval(60 * SECOND, &line(0, 60, |x| x));
        let last = trend.interval(60 * SECOND, &line(60, 120, |_| 60.0));
        assert!(close(last.slope(), 0.0), "{last:?}");
        let mut trend = Trend::default();
        for second in 0..100 {
            for _ in 0..10 {
                trend.interval(SECOND / 10, &line(second, second + 1, |x| x));
            }
        }
        assert!(trend.lines.len() <= 11, "{}", trend.lines.len());
    }
}
