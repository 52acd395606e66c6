//! Who is charged with what, as a table.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    style::Modifier,
    widgets::{Cell, Row, Table},
};

use super::paint::Paint;
use crate::{
    model::{BlameRow, Part, SessionFigures},
    units::{Share, Time, harmless_only, humanly},
};

/// From this width on there is room for times.
const WIDE: u16 = 110;

/// Parts below this share of the age outside the network are not worth a culprit, per cent.
const WORTH: i128 = 1;

/// The rows worth a look with the time of their part, the part with most of the age first; within it the
/// most charged first.
fn rows(s: &SessionFigures) -> Vec<(&BlameRow, i128)> {
    let sums = s.figures.sums_without_skew();
    let outside = sums.total() - sums.part(Part::Network);
    let mut rows: Vec<_> = s
        .blame
        .iter()
        .map(|row| (row, sums.part(row.part)))
        .filter(|&(_, whole)| whole * 100 >= outside * WORTH)
        .collect();
    rows.sort_by_key(|&(row, whole)| (std::cmp::Reverse(whole), row.part as usize));
    rows
}

/// Lines that all of it takes.
pub(super) fn height(s: Option<&SessionFigures>) -> u16 {
    let rows = s.map_or(0, |s| rows(s).len());
    rows.max(1) as u16 + 1
}

/// Draws as much as there is room for; that there is more is said.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, s: &SessionFigures, paint: Paint) {
    let wide = area.width >= WIDE;
    let all = rows(s);
    let room = usize::from(area.height).saturating_sub(1);
    let shown = if all.len() > room {
        room.saturating_sub(1)
    } else {
        all.len()
    };
    let whole_age = s.figures.sums_without_skew().total();
    let mut before = None;
    let mut table: Vec<_> = all
        .iter()
        .take(shown)
        .map(|&(row, whole)| {
            let head = (before != Some(row.part)).then_some(whole_age);
            before = Some(row.part);
            line(row, whole, head, wide, paint)
        })
        .collect();
    if all.is_empty() {
        table.push(Row::new(["", "nobody is charged"]));
    } else if shown < all.len() {
        let more = format!("and {} more", all.len() - shown);
        table.push(Row::new([Cell::from(""), Cell::from(more)]));
    }
    let mut heads = vec!["WAITED", "FOR", "SHARE", "WAITS", "LONGEST", "HELD ON"];
    let mut widths = vec![
        Constraint::Length(16),
        Constraint::Fill(1),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Length(7),
        Constraint::Length(7),
    ];
    if wide {
        heads.extend(["HANDED ON", "TIME"]);
        widths.extend([Constraint::Length(9), Constraint::Length(7)]);
    }
    let head = Row::new(heads).style(paint.head().add_modifier(Modifier::UNDERLINED));
    frame.render_widget(Table::new(table, widths).header(head), area);
}

/// One row; `head` is the whole age where the part is named.
fn line(
    row: &BlameRow,
    whole: i128,
    head: Option<i128>,
    wide: bool,
    paint: Paint,
) -> Row<'static> {
    let part = head.map_or_else(String::new, |age| {
        let share = Share {
            part: whole,
            whole: age,
        };
        format!("{} {share}", humanly(row.part.name()))
    });
    let share = Share {
        part: row.ns,
        whole,
    };
    let waits = row.waits;
    let dash = || "-".to_owned();
    let seen = waits.count > 0;
    let lock = row.part == Part::LockWait && seen;
    let who = row.culprit.as_ref().map_or_else(
        || "all others, and what was too short to tell".to_owned(),
        |who| harmless_only(&who.to_string()),
    );
    let held = |count: u64| if lock { count.to_string() } else { dash() };
    let mut cells = vec![
        Cell::from(part).style(paint.part(row.part)),
        Cell::from(who),
        Cell::from(share.to_string()),
        Cell::from(if seen { waits.count.to_string() } else { dash() }),
        Cell::from(if seen {
            Time(waits.longest_ns.into()).to_string()
        } else {
            dash()
        }),
        Cell::from(held(waits.holds)),
    ];
    if wide {
        cells.push(Cell::from(held(waits.count - waits.holds)));
        cells.push(Cell::from(Time(row.ns).to_string()));
    }
    Row::new(cells)
}
