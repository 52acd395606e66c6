//! All sessions as a table.

use ratatui::{
    Frame,
    layout::{Constraint, Rect},
    style::{Modifier, Style},
    text::Line,
    widgets::{Cell, Row, Table},
};

use super::{
    diagnosis::cause,
    labels::{percent, session_name},
};
use crate::{
    domain::{
        Waiting,
        units::{HumanBytes, HumanDuration, HumanRate, grouped},
    },
    outputs::top::{
        data::{FigureScope, ScreenData, SessionView},
        palette::Palette,
        state::ScreenState,
        widgets::{bar, sparks},
    },
};

/// From this width on there is room for the median, columns.
const MIN_WIDTH_FOR_MEDIAN: u16 = 88;

/// From this width on causes have a column of their own, columns.
const MIN_WIDTH_FOR_CAUSE: u16 = 110;

/// From this width on there is room for how many messages wait, columns.
const MIN_WIDTH_FOR_COUNT: u16 = 120;

/// Columns of the bar of parts.
const PARTS_WIDTH: u16 = 10;

/// The columns that there is room for.
#[derive(Clone, Copy)]
struct ListLayout {
    width: u16,
    /// Columns of the trend.
    trend: u16,
}

impl ListLayout {
    const fn new(width: u16) -> Self {
        let trend = if width >= MIN_WIDTH_FOR_CAUSE { 10 } else { 8 };
        Self { width, trend }
    }

    const fn has_median(self) -> bool {
        self.width >= MIN_WIDTH_FOR_MEDIAN
    }

    const fn has_cause(self) -> bool {
        self.width >= MIN_WIDTH_FOR_CAUSE
    }

    const fn has_count(self) -> bool {
        self.width >= MIN_WIDTH_FOR_COUNT
    }

    /// Headings and widths; the longest name has so many characters.
    fn columns(self, longest_name: usize) -> Vec<(&'static str, Constraint)> {
        let name = if self.has_cause() {
            Constraint::Length(longest_name.clamp(12, 28) as u16)
        } else {
            Constraint::Fill(1)
        };
        let all = [
            (true, "", Constraint::Length(1)),
            (true, "SESSION", name),
            (true, "PID/TID", Constraint::Length(11)),
            (self.has_median(), "P50", Constraint::Length(6)),
            (true, "P99", Constraint::Length(6)),
            (true, "WAITING", Constraint::Length(7)),
            (self.has_count(), "COUNT", Constraint::Length(7)),
            (true, "TREND", Constraint::Length(self.trend)),
            (true, "MSG/S", Constraint::Length(7)),
            (true, "PARTS", Constraint::Length(PARTS_WIDTH)),
            (true, "HELD", Constraint::Length(5)),
            (self.has_cause(), "CAUSE", Constraint::Fill(1)),
        ];
        all.into_iter()
            .filter(|(fits, ..)| *fits)
            .map(|(_, head, width)| (head, width))
            .collect()
    }
}

/// Draws the table; it scrolls to the selected session.
pub(super) fn draw_list(
    frame: &mut Frame<'_>,
    area: Rect,
    view: &ScreenData,
    state: &ScreenState,
    palette: Palette,
) {
    let layout = ListLayout::new(area.width);
    let names = view
        .sessions
        .iter()
        .map(|s| session_name(s).chars().count());
    let (heads, widths): (Vec<_>, Vec<_>) =
        layout.columns(names.max().unwrap_or(0)).into_iter().unzip();
    let selected = state.index(view);
    let room = usize::from(area.height).saturating_sub(1).max(1);
    let first = (selected + 1).saturating_sub(room);
    let rows = view
        .sessions
        .iter()
        .enumerate()
        .skip(first)
        .take(room)
        .map(|(i, s)| {
            let style = if s.stall().is_some() {
                palette.alarm()
            } else if i == selected {
                palette.head()
            } else {
                Style::new()
            };
            Row::new(row(s, i == selected, layout, palette)).style(style)
        });
    let head = Row::new(heads).style(palette.head().add_modifier(Modifier::UNDERLINED));
    frame.render_widget(Table::new(rows, widths).header(head), area);
}

fn row(
    s: &SessionView,
    selected: bool,
    layout: ListLayout,
    palette: Palette,
) -> Vec<Cell<'static>> {
    let ids = match (s.pid(), s.tid) {
        (Some(pid), Some(tid)) => format!("{pid}/{tid}"),
        (Some(pid), None) => pid.to_string(),
        _ => String::new(),
    };
    let with_age = s.point().filter(|p| p.has_age());
    let time =
        |ns: Option<i64>| ns.map_or("-".to_owned(), |ns| HumanDuration::from(ns).to_string());
    let waiting = s.waiting().map(|now| &now.waiting);
    let p50s: Vec<i64> = s.points.iter().map(|p| p.p50_ns).collect();
    let mut cells = vec![
        Cell::from(if selected { ">" } else { "" }),
        Cell::from(session_name(s)),
        Cell::from(ids),
    ];
    if layout.has_median() {
        cells.push(Cell::from(time(with_age.map(|p| p.p50_ns))));
    }
    cells.push(Cell::from(time(with_age.map(|p| p.p99_ns))));
    let waits = waiting.filter(|waiting| !waiting.is_empty());
    cells.push(Cell::from(time(waits.map(Waiting::age_ns))));
    if layout.has_count() {
        cells.push(Cell::from(
            waiting.map_or_else(|| "-".to_owned(), waiting_count),
        ));
    }
    cells.extend([
        Cell::from(sparks(&p50s, usize::from(layout.trend))),
        Cell::from(rate(s)),
        Cell::from(with_age.map_or_else(Line::default, |p| bar(&p.parts, PARTS_WIDTH, palette))),
        Cell::from(with_age.map_or("-".to_owned(), |p| percent(p.held_back))),
    ]);
    if layout.has_cause() {
        let style = match s.verdict(FigureScope::LatestInterval) {
            Some(verdict) if !verdict.is_healthy() => palette.alarm(),
            Some(_) => palette.good(),
            None => Style::new(),
        };
        cells.push(Cell::from(cause(s, FigureScope::LatestInterval)).style(style));
    }
    cells
}

/// The rate of hand-offs, or that there are none any more.
fn rate(s: &SessionView) -> String {
    match s.point() {
        _ if s.ended => "ended".to_owned(),
        _ if s.stall().is_some() => "STALLED".to_owned(),
        Some(point) => HumanRate {
            events: point.messages,
            seconds: point.length.as_secs_f64(),
        }
        .to_string(),
        None => "-".to_owned(),
    }
}

/// Messages in hand and in the receive queue: `13`, `~5,593`; bytes before the first message has
/// been read.
fn waiting_count(waiting: &Waiting) -> String {
    let in_hand = waiting.in_hand.messages;
    match waiting.queued.messages {
        _ if waiting.queued.bytes == 0 && in_hand == 0 => "-".to_owned(),
        _ if waiting.queued.bytes == 0 => grouped(in_hand),
        Some(queued) if in_hand + queued > 99_999 => format!("~{}k", (in_hand + queued) / 1_000),
        Some(queued) => format!("~{}", grouped(in_hand + queued)),
        None => HumanBytes(waiting.queued.bytes).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{InHand, Part, Queued, fixtures::waiting};

    #[test]
    fn counts_of_what_waits_fit_and_say_when_they_are_estimates() {
        let count = |in_hand: u64, bytes: u64, queued: Option<u64>| {
            let mut waiting = waiting(9, 1, Part::Blocked);
            waiting.in_hand = InHand {
                messages: in_hand,
                bytes: in_hand * 200,
            };
            waiting.queued = Queued {
                bytes,
                messages: queued,
                since_ns: None,
            };
            waiting_count(&waiting)
        };
        assert_eq!(count(0, 0, None), "-");
        assert_eq!(count(13, 0, None), "13");
        assert_eq!(count(13, 2_311_000, Some(5_580)), "~5,593");
        assert_eq!(count(0, 40_000_000, Some(100_000)), "~100k");
        assert_eq!(count(0, 2_311_000, None), "2.2 MiB");
        assert!(count(0, 1 << 29, None).len() <= 9);
    }

    #[test]
    fn columns_are_dropped_where_there_is_no_room() {
        let heads = |width| {
            let columns = ListLayout::new(width).columns(16);
            let heads: Vec<_> = columns.iter().map(|(head, _)| *head).collect();
            heads.join(" ")
        };
        let narrow = " SESSION PID/TID P99 WAITING TREND MSG/S PARTS HELD";
        assert_eq!(heads(80), narrow);
        assert_eq!(heads(88), narrow.replace("P99", "P50 P99"));
        assert!(heads(110).ends_with("HELD CAUSE"));
        assert!(heads(120).contains("WAITING COUNT TREND"));
    }
}
