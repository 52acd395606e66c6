//! The window against made-up arrivals and receive calls.

use super::{closed::MAX_STRETCHES, *};

/// A reader that is in lock-wait all the time.
fn at(at: u64) -> Snapshot {
    Snapshot {
        at_ns: at,
        state_ns: [0, 0, 0, at, 0, 0],
        tid: 7,
        reserved: 0,
    }
}

fn open(edge: u64) -> WindowOffer {
    WindowOffer {
        offered_bytes: 10_000,
        min_usable_bytes: 1_000,
        edge,
    }
}

fn shut(edge: u64) -> WindowOffer {
    WindowOffer {
        offered_bytes: 10,
        min_usable_bytes: 1_000,
        edge,
    }
}

#[test]
fn a_stretch_in_progress_counts_up_to_the_last_sample() {
    let lock_wait = |window: &ReceiveWindow| {
        let facts = window.facts();
        assert_eq!(facts.closed_ns(), facts.parts[Part::LockWait as usize]);
        (facts.closed, facts.closed_ns(), facts.longest_ns)
    };
    let mut window = window();
    window.reader_sampled(at(650));
    assert_eq!(lock_wait(&window), (3, 300, 100));
    window.arrived(400, shut(410), false, at(700));
    assert_eq!(lock_wait(&window), (3, 300, 100));
    window.reader_sampled(at(900));
    assert_eq!(lock_wait(&window), (4, 500, 200));
    // It ends, and counts once.
    let mut ended = window;
    ended.received(open(10_000), at(1_000));
    assert_eq!(lock_wait(&ended), (4, 600, 300));
    // Another one, which turns out to be none: what was reported stays.
    ended.arrived(500, shut(510), false, at(1_100));
    ended.reader_sampled(at(1_150));
    assert_eq!(lock_wait(&ended), (5, 650, 300));
    ended.arrived(501, open(5_000), false, at(1_200));
    assert!(!ended.is_closed());
    assert_eq!(lock_wait(&ended), (5, 650, 300));
    assert_eq!(ended.held_back(1_100, &at(1_200)).total(), 0);
}

/// Closed 100..200, 300..400, 500..600.
fn window() -> ReceiveWindow {
    let mut window = ReceiveWindow::default();
    let mut end = 0;
    for from in [100, 300, 500] {
        end += 100;
        window.arrived(end, shut(end + 10), false, at(from));
        window.received(open(end + 10_000), at(from + 100));
    }
    window
}

#[test]
fn only_closed_stretches_count() {
    let window = window();
    for (sent, arrived, held) in [
        (0, 50, 0),
        (0, 150, 50),
        (0, 250, 100),
        (150, 250, 50),
        (150, 160, 10),
        (150, 350, 100),
        (150, 650, 250),
        (0, 1_000, 300),
        (250, 290, 0),
        (310, 590, 180),
    ] {
        let waiting = window.held_back(sent, &at(arrived));
        assert_eq!(waiting.total(), held, "{sent}..{arrived}");
        assert_eq!(waiting.part(Part::LockWait), held, "{sent}..{arrived}");
    }
}

#[test]
fn the_first_closing_after_a_sending_is_found() {
    let mut window = window();
    for (sent, arrived, from) in [
        (0, 50, 50),
        (0, 150, 100),
        (150, 250, 150),
        (250, 650, 300),
        (650, 700, 700),
    ] {
        assert_eq!(
            window.first_closed_ns(sent, arrived),
            from,
            "{sent}..{arrived}"
        );
    }
    window.arrived(400, shut(410), false, at(800));
    assert_eq!(window.first_closed_ns(650, 900), 800);
    let facts = window.facts();
    assert_eq!((facts.closed, facts.longest_ns), (3, 100));
    assert_eq!(facts.parts[Part::LockWait as usize], 300);
    assert_eq!(facts.closed_ns(), 300);
}

#[test]
fn a_message_that_fits_into_a_closed_window_is_held_back_until_it_arrives() {
    let mut window = ReceiveWindow::default();
    window.arrived(100, shut(150), false, at(100));
    window.reader_sampled(at(120));
    window.arrived(140, shut(150), false, at(180));
    assert_eq!(window.held_back(110, &at(180)).total(), 70);
}

#[test]
fn a_window_opened_by_the_acknowledgement_was_never_closed() {
    let mut window = ReceiveWindow::default();
    window.arrived(100, shut(110), false, at(100));
    window.arrived(500, open(10_000), false, at(200));
    assert_eq!(window.held_back(50, &at(200)).total(), 0);
    // Beyond the old edge, but small again: closed anew from here.
    let mut window = ReceiveWindow::default();
    window.arrived(100, shut(110), false, at(100));
    window.arrived(1_500, shut(1_510), false, at(200));
    window.received(open(9_000), at(300));
    assert_eq!(window.held_back(50, &at(400)).total(), 100);
}

#[test]
fn an_edge_moved_by_too_little_leaves_the_window_closed() {
    let mut window = ReceiveWindow::default();
    window.arrived(100, shut(110), false, at(100));
    // 526 bytes past what was offered_bytes: less than the sender uses before its persist timer
    // fires.
    window.arrived(636, shut(636), false, at(320));
    assert_eq!(window.held_back(110, &at(320)).total(), 210);
    window.received(open(9_000), at(400));
    assert_eq!(window.held_back(110, &at(400)).total(), 290);
}

#[test]
fn a_receive_call_under_way_opens_the_window_before_its_record() {
    let mut window = ReceiveWindow::default();
    window.arrived(100, shut(110), false, at(100));
    window.arrived(500, shut(500), true, at(200));
    window.received(shut(500), at(201));
    assert_eq!(window.held_back(50, &at(200)).total(), 100);
    assert!(window.is_closed());
}

#[test]
fn closed_when_first_observed_is_unknown_until_a_reader_is() {
    let mut window = ReceiveWindow::default();
    window.observed_from(100, shut(50));
    window.received(shut(60), at(150));
    window.received(open(9_000), at(200));
    let held = window.held_back(10, &at(300));
    assert_eq!((held.part(Part::Unknown), held.total()), (50, 100));
    assert_eq!(held.part(Part::LockWait), 50);
}

#[test]
fn a_new_reader_leaves_only_the_gap_unknown() {
    let by = |tid, now| Snapshot { tid, ..at(now) };
    let mut window = ReceiveWindow::default();
    window.arrived(100, shut(110), false, by(7, 100));
    window.reader_sampled(by(7, 180));
    window.received(shut(120), by(8, 200));
    window.received(open(9_000), by(8, 300));
    let held = window.held_back(100, &by(8, 400));
    assert_eq!((held.part(Part::Unknown), held.total()), (20, 200));
    assert_eq!(held.part(Part::LockWait), 180);
    // A message sent in the old reader's time.
    let held = window.held_back(140, &by(8, 400));
    assert_eq!((held.part(Part::Unknown), held.total()), (20, 160));
}

#[test]
fn what_was_dropped_is_unknown() {
    let mut window = ReceiveWindow::default();
    let mut end = 0;
    for i in 0..(MAX_STRETCHES as u64 + 10) {
        end += 100;
        window.arrived(end, shut(end), false, at(i * 100));
        window.received(open(end + 10_000), at(i * 100 + 50));
    }
    let now = at((MAX_STRETCHES as u64 + 20) * 100);
    assert_eq!(window.closed.len(), MAX_STRETCHES);
    assert_eq!(window.observed_since_ns(), 9 * 100 + 50);
    assert_eq!(window.held_back(0, &now), window.held_back(950, &now));
}

#[test]
fn a_loss_makes_what_was_before_unknown() {
    let mut window = window();
    window.events_lost();
    window.arrived(400, open(20_000), false, at(700));
    assert_eq!(window.observed_since_ns(), 700);
    assert_eq!(window.held_back(0, &at(800)).total(), 0);
}

#[test]
fn stretches_that_no_message_needs_are_released() {
    let mut window = window();
    window.release_until(350);
    assert_eq!(window.closed.len(), 2);
    assert_eq!(window.held_back(350, &at(1_000)).total(), 150);
}
