//! Keys, help, sizes, colours, and what is shown before and after there is anything.

use ratatui::{buffer::Buffer, style::Color};

use super::{drawn, has, state, text, view};
use crate::{
    domain::{
        Part, Stage,
        fixtures::{message, session},
    },
    model::Model,
    outputs::{
        fixtures::{at, incident},
        top::{
            data::ScreenData,
            keys::{KEYS, KEYS_REPLAY, KeyAction},
            page::Page,
            playback::PlaybackStatus,
            state::ScreenState,
        },
    },
};

#[test]
fn a_recording_shows_where_it_is() {
    let mut view = view();
    view.playback = Some(PlaybackStatus {
        begin_ns: 1_700_000_000_000_000_000,
        position_ns: 1_700_000_030_000_000_000,
        end_ns: Some(1_700_000_060_000_000_000),
        speed: Some(2.0),
        paused: false,
        seeking: false,
    });
    let of = |view: &ScreenData| text(&drawn(view, &state(Page::Sessions, false), 80, 24));
    let half = "30.0s of 1m00s \u{2501}\u{2501}\u{2501}\u{2500}";
    has(
        &of(&view),
        &[
            "tag52 replay  pid 411  2023-11-14 22:13:50 UTC\n",
            "2x  ",
            half,
            "> VENUE>DROP",
            "Space pause  n step",
            "q quit",
        ],
    );
    if let Some(playback) = &mut view.playback {
        playback.paused = true;
        playback.end_ns = None;
    }
    has(&of(&view), &["paused  30.0s\n"]);
    view.ended = true;
    let over = of(&view);
    has(&over, &["end  30.0s"]);
    assert!(!over.contains("ended"), "{over}");
}

#[test]
fn help_fits_and_goes_away() {
    let mut view = view();
    for playing in [false, true] {
        view.playback = playing.then_some(PlaybackStatus {
            begin_ns: 0,
            position_ns: 0,
            end_ns: None,
            speed: None,
            paused: false,
            seeking: false,
        });
        let mut state = ScreenState::new(false);
        state.apply(KeyAction::Help, &view);
        let page = text(&drawn(&view, &state, 80, 24));
        has(
            &page,
            &[
                "select a session",
                "quit; the summary is printed",
                "L lock-wait",
                "What-if replays the queue",
                "Quantiles are at most 1 %",
                "too high.",
            ],
        );
        assert_eq!(page.contains("10 seconds, a minute"), playing, "{page}");
        // Nothing is cut off.
        let all = KEYS.iter().chain(KEYS_REPLAY.iter().filter(|_| playing));
        for (key, what) in all {
            has(&page, &[key, what]);
        }
        state.apply(KeyAction::Back, &view);
        let page = text(&drawn(&view, &state, 80, 24));
        has(&page, &["[1 sessions]", "> VENUE>DROP"]);
    }
}

#[test]
fn colours_only_where_wanted() {
    let coloured = |buffer: &Buffer| {
        let with = |c: &ratatui::buffer::Cell| c.fg != Color::Reset || c.bg != Color::Reset;
        buffer.content.iter().filter(|c| with(c)).count()
    };
    for page in Page::ALL {
        for (width, height) in [(80, 24), (120, 40)] {
            let plain = drawn(&view(), &state(page, false), width, height);
            assert_eq!(coloured(&plain), 0, "{page:?}");
            let bright = drawn(&view(), &state(page, true), width, height);
            if (page, width) != (Page::Threads, 80) {
                assert!(coloured(&bright) > 10, "{page:?}");
            }
            assert!(!text(&bright).contains("LLLL"), "{page:?}");
        }
    }
    let bright = drawn(&view(), &state(Page::Session, true), 80, 24);
    let red = |c: &&ratatui::buffer::Cell| c.symbol() == "\u{2588}" && c.fg == Color::Red;
    assert!(bright.content.iter().filter(red).count() > 10);
}

#[test]
fn a_terminal_that_is_too_small_shows_what_is_needed() {
    for (width, height) in [(79, 24), (80, 23), (24, 3), (1, 1)] {
        let page = text(&drawn(&view(), &state(Page::Sessions, true), width, height));
        assert!(!page.contains("SESSION"), "{page}");
        if width > 20 {
            has(&page, &["is too small\n", "needs 80x24\n", "q quits\n"]);
        }
    }
}

#[test]
fn nothing_yet_and_nothing_ever() {
    let mut empty = ScreenData::of(&Model::at_zero(), "pid 411");
    for page in Page::ALL {
        let waiting = text(&drawn(&empty, &state(page, false), 80, 24));
        if page != Page::Cgroup {
            has(&waiting, &["observed yet, waiting (pid 411)"]);
        }
    }
    empty.ended = true;
    let over = text(&drawn(&empty, &state(Page::Sessions, false), 80, 24));
    has(
        &over,
        &["ended\n", "pid 411 has ended; no FIX session was observed"],
    );
}

#[test]
fn the_selection_stays_with_its_session() {
    let mut view = view();
    let mut state = ScreenState::new(false);
    state.apply(KeyAction::Down, &view);
    state.apply(KeyAction::Down, &view);
    assert_eq!(state.index(&view), 1);
    view.sessions.swap(0, 1);
    assert_eq!(state.index(&view), 0);
    state.apply(KeyAction::Open, &view);
    assert_eq!(state.page, Page::Session);
    let page = text(&drawn(&view, &state, 80, 24));
    has(&page, &["[2 session]", "VENUE>DROP :5003"]);
    state.apply(KeyAction::Back, &view);
    state.apply(KeyAction::Next, &view);
    state.apply(KeyAction::Next, &view);
    assert_eq!(state.page, Page::Threads);
    state.apply(KeyAction::Previous, &view);
    assert_eq!(state.page, Page::Session);
    state.apply(KeyAction::Pause, &view);
    let page = text(&drawn(&view, &state, 80, 24));
    has(&page, &["paused\n"]);
    view.sessions.remove(0);
    assert_eq!(state.index(&view), 0);
}

#[test]
fn many_sessions_scroll() {
    let mut model = Model::at_zero();
    for n in 0..100 {
        model.observe(&message(&session(n), 1, &[(Stage::Queued, Part::OnCpu, 5)]));
    }
    model.take_interval(at(1));
    let view = ScreenData::of(&model, "pid 411");
    let mut state = ScreenState::new(false);
    for _ in 0..70 {
        state.apply(KeyAction::Down, &view);
    }
    let page = text(&drawn(&view, &state, 80, 24));
    has(&page, &["> VENUE>DROP :5072", "71 of 100"]);
    assert!(!page.contains(":5002"), "{page}");
}

#[test]
fn ended_sessions_come_last_and_keep_their_figures() {
    let mut model = incident();
    model.end_session(&session(0));
    model.take_interval(at(13));
    model.take_interval(at(14));
    let view = ScreenData::of(&model, "pid 411");
    let page = text(&drawn(&view, &ScreenState::new(false), 80, 24));
    has(
        &page,
        &["> VENUE>DROP :5003", "VENUE>DROP :5002", "12.0s", "ended"],
    );
}
