//! Golden files of every page in both sizes, without colours: `snapshots/`.

use super::{drawn, state, text, view};
use crate::outputs::{
    fixtures::stalled,
    top::{
        data::{FigureScope, ScreenData},
        keys::KeyAction,
        page::Page,
        playback::PlaybackStatus,
        state::ScreenState,
    },
};

const SIZES: [(u16, u16); 2] = [(80, 24), (120, 40)];

/// Compares the page with its golden file in both sizes.
fn check(name: &str, data: &ScreenData, state: &ScreenState) {
    for (width, height) in SIZES {
        let page = text(&drawn(data, state, width, height));
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), page);
    }
}

#[test]
fn every_page_of_the_incident() {
    for page in Page::ALL {
        check(page.name(), &view(), &state(page, false));
    }
}

#[test]
fn a_session_since_the_start() {
    let mut state = state(Page::Session, false);
    state.scope = FigureScope::SinceStart;
    check("session_since_the_start", &view(), &state);
}

#[test]
fn a_stall() {
    let data = ScreenData::of(&stalled(), "pid 411");
    for page in [Page::Sessions, Page::Session] {
        let name = format!("stall_{}", page.name());
        check(&name, &data, &state(page, false));
    }
}

#[test]
fn a_quiet_session_beside_a_stalled_one() {
    let data = ScreenData::of(&stalled(), "pid 411");
    let mut state = state(Page::Session, false);
    state.apply(KeyAction::Down, &data);
    state.apply(KeyAction::Down, &data);
    check("quiet_session", &data, &state);
}

#[test]
fn help() {
    let mut state = ScreenState::new(false);
    state.apply(KeyAction::Help, &view());
    check("help", &view(), &state);
    check("help_of_a_replay", &replayed(), &state);
}

#[test]
fn a_replay() {
    check(
        "sessions_of_a_replay",
        &replayed(),
        &state(Page::Sessions, false),
    );
}

fn replayed() -> ScreenData {
    let mut data = view();
    data.playback = Some(PlaybackStatus {
        begin_ns: 1_700_000_000_000_000_000,
        position_ns: 1_700_000_030_000_000_000,
        end_ns: Some(1_700_000_060_000_000_000),
        speed: Some(2.0),
        paused: false,
        seeking: false,
    });
    data
}

#[test]
fn before_the_first_session_and_after_the_end() {
    let mut empty = ScreenData::of(&crate::model::Model::at_zero(), "pid 411");
    check("waiting", &empty, &state(Page::Sessions, false));
    empty.ended = true;
    check("nothing_ever", &empty, &state(Page::Sessions, false));
}
