//! Clocks that are stepped.

use super::{
    super::StampNarrower,
    world::{MS, S, World, feed},
};

#[test]
fn stamps_that_go_backwards_begin_anew() {
    let mut messages = World {
        seconds: 30.0,
        ..World::default()
    }
    .run();
    for message in &mut messages[1_234..] {
        message.sent -= 2 * S;
    }
    let found = feed(&mut StampNarrower::default(), &messages);
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    assert!(found.widths[1_234..1_600].iter().all(Option::is_none));
    assert!(found.width(2_300, 1.0) < 35.0);
}

/// A leap back by a part of a second shows only where the stamps do go backwards; there it misleads
/// nobody.
#[test]
fn stamps_that_go_backwards_a_little_begin_anew() {
    let mut messages = World {
        seconds: 30.0,
        ..World::default()
    }
    .run();
    let first =
        |at: usize| (at..messages.len()).find(|&n| messages[n].sent % S < messages[n - 1].sent % S);
    let from = first(1_200).expect("a second begins") + 5;
    for message in &mut messages[from..] {
        message.sent -= 300 * MS;
    }
    let found = feed(&mut StampNarrower::default(), &messages);
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    assert!(found.width(from + 600, 1.0) < 35.0);
}

#[test]
fn a_venue_whose_clock_leaps_ahead_is_narrowed_again_soon() {
    let mut messages = World {
        seconds: 30.0,
        ..World::default()
    }
    .run();
    for message in &mut messages[1_234..] {
        message.sent += 2 * S;
    }
    let found = feed(&mut StampNarrower::default(), &messages);
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    assert!(found.width(2_100, 1.0) < 35.0);
}

/// Both clocks are stepped, or ours alone.
#[test]
fn a_step_of_our_clock_begins_anew() {
    for by in [2 * S, -2 * S, 300 * MS] {
        for both in [true, false] {
            let mut messages = World {
                seconds: 30.0,
                ..World::default()
            }
            .run();
            for message in &mut messages[1_234..] {
                message.offset += by;
                message.arrived += by;
                message.sent += if both { by } else { 0 };
            }
            let found = feed(&mut StampNarrower::default(), &messages);
            assert!(found.wrong.is_empty(), "{by} {both}: {:?}", found.wrong);
            assert!(found.widths[1_234..1_600].iter().all(Option::is_none));
            assert!(found.width(2_300, 1.0) < 35.0, "{by} {both}");
        }
    }
}
