//! Bars in characters.

use ratatui::text::{Line, Span};

use super::palette::Palette;
use crate::domain::Part;

/// Characters that are filled from below, by eighths.
pub(super) const EIGHTHS: [&str; 8] = [
    "\u{2581}", "\u{2582}", "\u{2583}", "\u{2584}", "\u{2585}", "\u{2586}", "\u{2587}", "\u{2588}",
];

/// Divides `cells` by shares so that they are used up: the largest remainders get what rounding
/// leaves. Shares that sum to 0 get nothing.
pub(super) fn apportion(shares: &[f32; Part::ALL.len()], cells: u16) -> [u16; Part::ALL.len()] {
    let whole: f32 = shares.iter().sum();
    let mut given = [0_u16; Part::ALL.len()];
    if whole <= 0.0 {
        return given;
    }
    let mut rest = [(0.0_f32, 0_usize); Part::ALL.len()];
    for (i, share) in shares.iter().enumerate() {
        let exact = share / whole * f32::from(cells);
        given[i] = exact.floor() as u16;
        rest[i] = (exact - exact.floor(), i);
    }
    rest.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let left = cells.saturating_sub(given.iter().sum());
    for &(_, i) in rest.iter().take(usize::from(left)) {
        given[i] += 1;
    }
    given
}

/// Parts side by side.
pub(super) fn bar(shares: &[f32; Part::ALL.len()], width: u16, palette: Palette) -> Line<'static> {
    let cells = apportion(shares, width);
    Part::ALL
        .into_iter()
        .zip(cells)
        .filter(|&(_, cells)| cells > 0)
        .map(|(part, cells)| {
            Span::styled(
                palette.fill(part).repeat(usize::from(cells)),
                palette.part(part),
            )
        })
        .collect()
}

/// The last `width` values in eighths of a line, from 0 to the largest.
pub(super) fn sparks(values: &[i64], width: usize) -> String {
    let shown = &values[values.len().saturating_sub(width)..];
    let top = shown.iter().copied().max().unwrap_or(0).max(1);
    shown
        .iter()
        .map(|&value| {
            let level = (i128::from(value.max(0)) * 7 + i128::from(top) / 2) / i128::from(top);
            EIGHTHS[level.clamp(0, 7) as usize]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_used_up() {
        let shares = [0.0, 0.335, 0.0, 0.0, 0.665, 0.0, 0.0];
        assert_eq!(apportion(&shares, 10), [0, 3, 0, 0, 7, 0, 0]);
        assert_eq!(apportion(&shares, 1), [0, 0, 0, 0, 1, 0, 0]);
        assert_eq!(apportion(&[0.0; 7], 10), [0; 7]);
        for cells in 0..40 {
            assert_eq!(apportion(&[0.143; 7], cells).iter().sum::<u16>(), cells);
        }
    }

    #[test]
    fn sparks_rise_with_the_values() {
        assert_eq!(sparks(&[0, 50, 100], 8), "\u{2581}\u{2585}\u{2588}");
        assert_eq!(sparks(&[7, 0, 100], 2), "\u{2581}\u{2588}");
        assert_eq!(sparks(&[], 8), "");
        assert_eq!(sparks(&[-5, 0], 8), "\u{2581}\u{2581}");
    }
}
