//! What a stall looks like.

use ratatui::style::Color;

use super::{drawn, has, state, text};
use crate::{
    domain::{
        Culprit, Lock, Part, ThreadName, Update,
        fixtures::{session, waiting},
    },
    outputs::{
        fixtures::{at, stalled, stalled_on},
        top::{data::ScreenData, keys::KeyAction, page::Page, state::ScreenState},
    },
};

#[test]
fn a_stalled_session_is_the_first_and_in_the_alarm_colour() {
    let view = ScreenData::of(&stalled(), "pid 411");
    for (width, height) in [(80, 24), (120, 40)] {
        let buffer = drawn(&view, &state(Page::Sessions, true), width, height);
        let page = text(&buffer);
        has(
            &page,
            &[
                "WAITING",
                "> VENUE>DROP :5003",
                "9.00s",
                "STALLED",
                "VENUE>DROP :5002",
                "400us",
                "VENUE>DROP :5004",
                "1 of 3  STALLED 9.00s  slow-sink  MaxLatency 2m00s in 1m51s",
                "nothing was handed off for 9.00s with 13 messages in hand and about 5580 queued",
            ],
        );
        let rows: Vec<_> = buffer.content.chunks(usize::from(width)).collect();
        let colour = |row: usize, column: usize| rows[row][column].fg;
        // Below the heading of the table: the stalled session, then the quick one.
        assert_eq!((colour(3, 2), colour(4, 2)), (Color::Red, Color::Reset));
    }
}

#[test]
fn the_page_of_a_stalled_session_says_what_waits_and_what_its_reader_does() {
    let view = ScreenData::of(&stalled(), "pid 411");
    for (width, height) in [(80, 24), (120, 40)] {
        let page = text(&drawn(&view, &state(Page::Session, false), width, height));
        has(
            &page,
            &[
                "VENUE>DROP :5003  nothing handed off\n",
                "STALLED 9.00s  13 in hand, ~5,580 queued (2.2 MiB), window closed 4.50s\n",
                "last hand-off 00:00:03; waiting age 9.00s: blocked 9.00s >99.9%\n",
                "now: thread 412 blocked for 9.00s: recvfrom on a socket to 10.0.0.7:5432\n",
                "mean age (in a stall: waiting age), last 12.0s",
                " 9.00s\u{2524}",
                "BBB",
                "waiting ",
                "in-app    9.00s",
                "WAITED",
                "recvfrom on a socket to 10.0.0.7:",
            ],
        );
    }
}

#[test]
fn the_age_beside_the_cpu_limit_is_that_of_what_waits() {
    let view = ScreenData::of(&stalled(), "pid 411");
    let page = text(&drawn(&view, &state(Page::Cgroup, false), 80, 24));
    has(
        &page,
        &[
            "VENUE>DROP :5003: stalled, the oldest message is 9.00s old\n",
            "9.00s\u{2524}",
        ],
    );
}

#[test]
fn a_deadlock_names_its_threads() {
    let thread = |tid, comm: &str| ThreadName {
        tid,
        pid: 411,
        comm: comm.to_owned(),
    };
    let culprit = Culprit::Holder {
        lock: Lock::Futex {
            address: 0x7f00_1000,
        },
        thread: thread(415, "orders"),
    };
    let cycle = [thread(415, "orders"), thread(416, "risk")];
    let model = stalled_on(Part::LockWait, culprit, &cycle);
    let view = ScreenData::of(&model, "pid 411");
    let page = text(&drawn(&view, &state(Page::Session, false), 80, 24));
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    has(
        &words,
        &[
            "thread 412 lock-wait for 9.00s: lock 0x7f001000, held by orders/415 ",
            "DEADLOCK: the reader -> orders/415 -> risk/416 -> the reader, each waits for the next",
        ],
    );
}

#[test]
fn a_quiet_session_says_so() {
    let view = ScreenData::of(&stalled(), "pid 411");
    let mut state = ScreenState::new(false);
    state.apply(KeyAction::Down, &view);
    state.apply(KeyAction::Down, &view);
    let page = text(&drawn(&view, &state, 120, 40));
    has(
        &page,
        &[
            "> VENUE>DROP :5004",
            "quiet",
            "3 of 3  quiet: nothing waits, last hand-off 00:00:00",
        ],
    );
    state.page = Page::Session;
    let page = text(&drawn(&view, &state, 80, 24));
    has(
        &page,
        &["VENUE>DROP :5004  no fresh messages\nquiet: nothing waits, last hand-off 00:00:00\n"],
    );
    state.apply(KeyAction::Scope, &view);
    let page = text(&drawn(&view, &state, 120, 40));
    has(
        &page,
        &[
            "VENUE>DROP :5004  since start",
            "1 message  nothing waits\n",
        ],
    );
}

#[test]
fn a_session_that_is_behind_and_hands_off_is_not_stalled() {
    let mut model = stalled();
    let mut now = waiting(at(12).monotonic_ns, 900_000_000, Part::OnCpu);
    now.last_hand_off_ns = Some(at(12).monotonic_ns - 1_000_000);
    model.apply(at(12), &Update::Waiting(session(0), Box::new(now)));
    let view = ScreenData::of(&model, "pid 411");
    let mut state = ScreenState::new(false);
    state.apply(KeyAction::Down, &view);
    let page = text(&drawn(&view, &state, 120, 40));
    has(&page, &["> VENUE>DROP :5002", "900ms", "~5,593", "45 "]);
    assert_eq!(page.matches("STALLED").count(), 1, "{page}");
    state.page = Page::Session;
    let page = text(&drawn(&view, &state, 80, 24));
    has(
        &page,
        &[
            "VENUE>DROP :5002  age p50 400us",
            "45 msg/s\nwaiting 900ms  13 in hand, ~5,580 queued",
            "last hand-off 00:00:11; waiting age 900ms: on-cpu 900ms",
            "now: thread 412 on-cpu for 900ms\n",
        ],
    );
}
