//! Who is charged with what, as a table.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    style::Modifier,
    widgets::{Cell, Row, Table},
};

use crate::outputs::top::palette::Palette;
use crate::{
    domain::{
        Part,
        units::{HumanDuration, HumanPercent, human_name, sanitize},
    },
    model::SessionFigures,
    stats::{BlameRow, WaitStats},
};

/// From this width on there is room for times, columns.
const WIDE: u16 = 110;

/// Parts below this share of the age outside the network have no rows, per cent.
const MIN_PART_PERCENT: i128 = 1;

/// Culprits below this share of their part share one row, per cent.
const MIN_CULPRIT_PERCENT: i128 = 1;

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CulpritRow {
    part: Part,
    /// The time of the part, nanoseconds.
    whole: i128,
    /// Who; `None`: all others.
    who: Option<String>,
    ns: i128,
    waits: WaitStats,
}

/// The rows, the part with most of the age first; within it the most charged culprit first, and all
/// others last. The rows of a part sum to the part.
fn rows(s: &SessionFigures) -> Vec<CulpritRow> {
    let sums = s.figures.sums_without_skew();
    let outside = sums.total() - sums.part(Part::Network);
    let mut parts: Vec<_> = Part::ALL
        .into_iter()
        .map(|part| (part, sums.part(part)))
        .filter(|&(part, whole)| {
            whole > 0
                && whole * 100 >= outside * MIN_PART_PERCENT
                && s.blame.iter().any(|row| row.part == part)
        })
        .collect();
    parts.sort_by_key(|&(_, whole)| std::cmp::Reverse(whole));
    let mut shown = Vec::new();
    for (part, whole) in parts {
        let has_row =
            |row: &&BlameRow| row.part == part && row.ns * 100 >= whole * MIN_CULPRIT_PERCENT;
        let mut rest = whole;
        for row in s.blame.iter().filter(has_row) {
            let Some(who) = &row.culprit else { continue };
            rest -= row.ns;
            shown.push(CulpritRow {
                part,
                whole,
                who: Some(sanitize(&who.to_string())),
                ns: row.ns,
                waits: row.waits,
            });
        }
        if rest * 1000 >= whole {
            shown.push(CulpritRow {
                part,
                whole,
                who: None,
                ns: rest,
                waits: WaitStats::default(),
            });
        }
    }
    shown
}

/// Lines that the whole table takes.
pub(super) fn height(s: Option<&SessionFigures>) -> u16 {
    let rows = s.map_or(0, |s| rows(s).len());
    rows.max(1) as u16 + 1
}

/// Draws the rows there is room for, and how many more there are.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, s: &SessionFigures, palette: Palette) {
    let wide = area.width >= WIDE;
    let all = rows(s);
    let room = usize::from(area.height).saturating_sub(1);
    let shown = if all.len() > room {
        room.saturating_sub(1).max(1)
    } else {
        all.len()
    };
    let whole_age = s.figures.sums_without_skew().total();
    let mut before = None;
    let mut table: Vec<_> = all
        .iter()
        .take(shown)
        .map(|row| {
            let head = (before != Some(row.part)).then_some(whole_age);
            before = Some(row.part);
            line(row, head, wide, palette)
        })
        .collect();
    if all.is_empty() {
        table.push(Row::new(["", "nobody is charged"]));
    } else if shown < all.len() {
        let more = format!("and {} more", all.len() - shown);
        table.push(Row::new([Cell::from(""), Cell::from(more)]));
    }
    let mut heads = vec!["WAITED", "FOR", "SHARE", "WAITS", "LONGEST", "HOLDS"];
    let mut widths = vec![
        Constraint::Length(16),
        Constraint::Fill(1),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(7),
        Constraint::Length(7),
    ];
    if wide {
        heads.extend(["HANDOVERS", "TIME"]);
        widths.extend([Constraint::Length(9), Constraint::Length(7)]);
    }
    let head = Row::new(heads).style(palette.head().add_modifier(Modifier::UNDERLINED));
    frame.render_widget(Table::new(table, widths).header(head), area);
}

/// One row; `head` is the whole age where the part is named.
fn line(row: &CulpritRow, head: Option<i128>, wide: bool, palette: Palette) -> Row<'static> {
    let part = head.map_or_else(String::new, |age| {
        let share = HumanPercent {
            part: row.whole,
            whole: age,
        };
        format!("{} {share}", human_name(row.part.name()))
    });
    let share = HumanPercent {
        part: row.ns,
        whole: row.whole,
    };
    let waits = row.waits;
    let dash = || "-".to_owned();
    let recorded = waits.count > 0;
    let lock = row.part == Part::LockWait && recorded;
    let others = || "all others, and waits too short to record".to_owned();
    let who = row.who.clone().unwrap_or_else(others);
    let held = |count: u64| if lock { count.to_string() } else { dash() };
    let mut cells = vec![
        Cell::from(part).style(palette.part(row.part)),
        Cell::from(who),
        Cell::from(share.to_string()),
        Cell::from(if recorded {
            waits.count.to_string()
        } else {
            dash()
        }),
        Cell::from(if recorded {
            HumanDuration(waits.longest_ns.into()).to_string()
        } else {
            dash()
        }),
        Cell::from(held(waits.uninterruptible)),
    ];
    if wide {
        cells.push(Cell::from(held(waits.count - waits.uninterruptible)));
        cells.push(Cell::from(HumanDuration(row.ns).to_string()));
    }
    Row::new(cells)
}
