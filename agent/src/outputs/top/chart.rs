//! Columns over time, with their scale.

use ratatui::{
    style::Style,
    text::{Line, Span},
};

use super::{
    palette::Palette,
    widgets::{EIGHTHS, apportion},
};
use crate::{
    domain::{Part, units::HumanDuration},
    model::IntervalPoint,
};

/// Columns that the scale takes on the left.
const SCALE: u16 = 7;

/// Parts from the bottom of a column: waits first, so that they show as one area over columns of
/// all heights.
const STACKED: [Part; Part::ALL.len()] = [
    Part::LockWait,
    Part::Throttle,
    Part::RunQueue,
    Part::Blocked,
    Part::OnCpu,
    Part::Network,
    Part::Unknown,
];

/// The height of a column, in lines and eighths of one.
struct ColumnHeight {
    whole: usize,
    eighths: usize,
}

impl ColumnHeight {
    /// The height of `value`, where `top` is `height` lines high; at least an eighth unless 0.
    fn of(value: f64, top: f64, height: u16) -> Self {
        let most = usize::from(height) * 8;
        let cells = if value > 0.0 && top > 0.0 {
            ((value / top * most as f64).round() as usize).clamp(1, most)
        } else {
            0
        };
        Self {
            whole: cells / 8,
            eighths: cells % 8,
        }
    }

    /// Lines that are not empty.
    const fn lines(&self) -> usize {
        self.whole + if self.eighths > 0 { 1 } else { 0 }
    }

    /// The character that fills a line, counted from the bottom. Without colours a line is filled
    /// with `letter` or empty.
    fn fill(&self, line: usize, palette: Palette, letter: &'static str) -> Option<&'static str> {
        if line < self.whole {
            Some(letter)
        } else if line > self.whole || self.eighths == 0 {
            None
        } else if palette.colour {
            Some(EIGHTHS[self.eighths - 1])
        } else {
            (self.eighths >= 4 || self.whole == 0).then_some(letter)
        }
    }
}

/// The mean ages of intervals as columns, divided by part. The lines from the top, the scale on
/// their left.
pub(super) fn by_part(
    points: &[IntervalPoint],
    width: u16,
    height: u16,
    palette: Palette,
) -> Vec<Line<'static>> {
    let shown = latest(points, width);
    let wide = columns_each(width);
    let top = oldest_mean(shown);
    let columns: Vec<(ColumnHeight, Vec<Part>)> = shown
        .iter()
        .map(|point| {
            let age = if point.has_age() {
                point.mean_ns.max(1)
            } else {
                0
            };
            let column = ColumnHeight::of(age as f64, top as f64, height);
            let parts = apportion(&point.parts, column.lines() as u16);
            let stacked = STACKED
                .iter()
                .flat_map(|&part| std::iter::repeat_n(part, usize::from(parts[part as usize])))
                .collect();
            (column, stacked)
        })
        .collect();
    let label = HumanDuration::from(top).to_string();
    lines(height, &label, palette, |line| {
        let cells = columns.iter().map(|(column, parts)| {
            let part = parts.get(line).copied().unwrap_or(Part::Unknown);
            match column.fill(line, palette, palette.fill(part)) {
                Some(fill) => Span::styled(fill.repeat(wide), palette.part(part)),
                // An interval without any age.
                None if line == 0 => Span::styled("\u{b7}".repeat(wide), palette.faint()),
                None => Span::raw(" ".repeat(wide)),
            }
        });
        cells.collect()
    })
}

/// Values as columns of one style, up to `top`; `None` is an empty column.
pub(super) fn plain(
    values: impl Iterator<Item = Option<f64>>,
    (top, label): (f64, &str),
    (width, height): (u16, u16),
    style: Style,
    palette: Palette,
) -> Vec<Line<'static>> {
    let wide = columns_each(width);
    let columns: Vec<_> = values
        .map(|value| value.map(|value| ColumnHeight::of(value, top, height)))
        .collect();
    lines(height, label, palette, |line| {
        let cells = columns.iter().map(|column| {
            let fill = column.as_ref().and_then(|c| c.fill(line, palette, "#"));
            match fill {
                Some("#") if palette.colour => Span::styled(EIGHTHS[7].repeat(wide), style),
                Some(fill) => Span::styled(fill.repeat(wide), style),
                None if line == 0 => Span::styled("\u{b7}".repeat(wide), palette.faint()),
                None => Span::raw(" ".repeat(wide)),
            }
        });
        cells.collect()
    })
}

/// Lines from the top, given from the bottom, with the scale on the left: the top's value, and 0.
fn lines(
    height: u16,
    top: &str,
    palette: Palette,
    mut line: impl FnMut(usize) -> Vec<Span<'static>>,
) -> Vec<Line<'static>> {
    let height = usize::from(height);
    (0..height)
        .rev()
        .map(|row| {
            let label = match row {
                _ if row + 1 == height => top,
                0 => "0",
                _ => "",
            };
            let mark = if label.is_empty() { ' ' } else { '\u{2524}' };
            let label = format!("{label:>6}{mark}");
            let mut spans = vec![Span::styled(label, palette.faint())];
            spans.extend(line(row));
            Line::from(spans)
        })
        .collect()
}

/// Columns of a point: a minute has room beside the scale.
fn columns_each(width: u16) -> usize {
    usize::from(width.saturating_sub(SCALE) / 60).max(1)
}

/// The points that fit.
pub(super) fn latest(points: &[IntervalPoint], width: u16) -> &[IntervalPoint] {
    let room = usize::from(width.saturating_sub(SCALE)) / columns_each(width);
    &points[points.len().saturating_sub(room)..]
}

/// The oldest mean age, nanoseconds.
fn oldest_mean(points: &[IntervalPoint]) -> i64 {
    points.iter().map(|point| point.mean_ns).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_in_eighths_and_0_only_for_0() {
        let of = |value| {
            let height = ColumnHeight::of(value, 100.0, 4);
            (height.whole, height.eighths)
        };
        assert_eq!(of(0.0), (0, 0));
        assert_eq!(of(0.001), (0, 1));
        assert_eq!(of(50.0), (2, 0));
        assert_eq!(of(60.0), (2, 3));
        assert_eq!(of(100.0), (4, 0));
        assert_eq!(of(900.0), (4, 0));
        assert_eq!(ColumnHeight::of(5.0, 0.0, 4).lines(), 0);
    }
}
