//! Every page on a terminal that is a buffer.

mod golden;
mod navigation;
mod pages;
mod stalls;

use ratatui::{Terminal, backend::TestBackend, buffer::Buffer};

use super::{data::ScreenData, draw::draw, page::Page, state::ScreenState};
use crate::outputs::fixtures::incident;

fn view() -> ScreenData {
    ScreenData::of(&incident(), "pid 411")
}

fn drawn(view: &ScreenData, state: &ScreenState, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal
        .draw(|frame| draw(frame, view, state))
        .expect("drawn");
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let width = usize::from(buffer.area.width);
    let lines = buffer.content.chunks(width).map(|row| {
        let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        line.trim_end().to_owned() + "\n"
    });
    lines.collect()
}

fn state(page: Page, colour: bool) -> ScreenState {
    let mut state = ScreenState::new(colour);
    state.page = page;
    state
}

/// The page in both sizes, without colours.
fn both(page: Page) -> [String; 2] {
    [(80, 24), (120, 40)].map(|(w, h)| text(&drawn(&view(), &state(page, false), w, h)))
}

/// All of these are on the page, in this order.
fn has(page: &str, all: &[&str]) {
    let mut from = 0;
    for what in all {
        match page[from..].find(what) {
            Some(at) => from += at + what.len(),
            None => panic!("{what:?} is missing after byte {from}:\n{page}"),
        }
    }
}
