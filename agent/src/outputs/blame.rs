//! Who is to blame, as text.

use std::fmt::Write as _;

use crate::model::{BlameRow, Part, SessionFigures};

use super::units::{Share, Time, humanly};

/// Parts below this share of the age outside the network are not worth a culprit, per cent.
const WORTH: i128 = 1;

/// A line per part and culprit, most charged first; the share is that of the part.
pub(super) fn lines(text: &mut String, s: &SessionFigures) {
    let sums = s.figures.sums_without_skew();
    let outside = sums.total() - sums.part(Part::Network);
    for part in Part::ALL {
        let whole = sums.part(part);
        if whole * 100 < outside * WORTH {
            continue;
        }
        for row in s.blame.iter().filter(|row| row.part == part) {
            line(text, row, whole);
        }
    }
}

fn line(text: &mut String, row: &BlameRow, whole: i128) {
    let share = Share {
        part: row.ns,
        whole,
    };
    let part = humanly(row.part.name());
    let Some(culprit) = &row.culprit else {
        let _ = writeln!(
            text,
            "  {part} {share}: all others, and waits too short to be told"
        );
        return;
    };
    let waits = row.waits;
    let _ = write!(text, "  {part} {share}: {culprit}");
    if waits.count > 0 {
        let _ = write!(
            text,
            "; {} waits of {} in all, the longest {}",
            waits.count,
            Time::from(waits.ns as i64),
            Time::from(waits.longest_ns as i64)
        );
    }
    if row.part == Part::LockWait && waits.holds > 0 {
        let _ = write!(
            text,
            ", {} of them ({}) not let go when asked",
            waits.holds,
            Time::from(waits.holds_ns as i64)
        );
    }
    text.push('\n');
}
