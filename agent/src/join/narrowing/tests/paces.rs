//! How narrow the bounds are at which pace.

use super::{
    super::{ObservedArrival, StampNarrower, pins::MAX_PINS, traffic::MAX_SECONDS},
    world::{MS, OFFSET, Sends, World, feed},
};
use crate::domain::SentTime;

/// What the issue asks for, and what the module's description says of an even pace.
#[test]
fn after_ten_seconds_of_an_even_pace_three_gaps_are_left() {
    for skew in [0, 250 * MS, -250 * MS, 3_700 * MS] {
        for drift in [0.0, 50.0, -50.0] {
            let world = World {
                skew,
                drift,
                ..World::default()
            };
            let found = world.found();
            assert!(found.wrong.is_empty(), "{world:?}: {:?}", found.wrong);
            assert_eq!(found.narrowed(1_000), 500, "{world:?}");
            assert!(
                found.width(1_000, 1.0) < 35.0,
                "{}",
                found.width(1_000, 1.0)
            );
        }
    }
}

#[test]
fn a_faster_session_is_known_more_exactly() {
    let mut widest = 1_000.0;
    for rate in [20.0, 100.0, 1_000.0, 10_000.0] {
        let world = World {
            rate,
            ..World::default()
        };
        let found = world.found();
        assert!(found.wrong.is_empty(), "{rate}");
        let width = found.width((rate * 10.0) as usize, 0.99);
        assert!(width < widest, "{rate}: {width} ms");
        widest = width;
    }
    assert!(widest < 3.0, "{widest} ms");
}

#[test]
fn a_random_pace_is_narrowed_too() {
    let world = World {
        sends: Sends::Random,
        seconds: 60.0,
        ..World::default()
    };
    let found = world.found();
    assert!(found.wrong.is_empty());
    assert!(
        found.width(1_000, 0.5) < 100.0,
        "{}",
        found.width(1_000, 0.5)
    );
}

/// Messages that arrive together may have been sent together or one by one: the bounds must allow
/// both.
#[test]
fn bursts_of_the_venue_and_stalls_of_the_venue_look_alike() {
    for sends in [Sends::Bursts(10), Sends::Batches(10), Sends::Batches(3)] {
        let world = World {
            sends,
            seconds: 30.0,
            ..World::default()
        };
        let found = world.found();
        assert!(found.wrong.is_empty(), "{sends:?}");
        assert_eq!(found.narrowed(1_000), 2_000, "{sends:?}");
        assert!(found.width(1_000, 1.0) < 310.0, "{sends:?}");
    }
    // All of a second in one go: nothing to narrow, and nothing claimed.
    let world = World {
        sends: Sends::Batches(100),
        ..World::default()
    };
    let found = world.found();
    assert!(found.wrong.is_empty());
}

#[test]
fn jitter_widens_the_bounds() {
    for (jitter, rate, widest) in [(5 * MS, 100.0, 45.0), (20 * MS, 100.0, 90.0)] {
        let world = World {
            jitter,
            rate,
            seconds: 60.0,
            ..World::default()
        };
        let found = world.found();
        assert!(found.wrong.is_empty(), "{jitter}");
        let width = found.width((rate * 10.0) as usize, 0.99);
        assert!(width < widest, "{jitter}: {width} ms");
    }
    // Jitter of many gaps is at the limit of what is assumed.
    let world = World {
        jitter: 5 * MS,
        rate: 1_000.0,
        seconds: 60.0,
        ..World::default()
    };
    let found = world.found();
    assert!(found.wrong.len() < 60, "{} of 60,000", found.wrong.len());
}

#[test]
fn finer_stamps_are_not_narrowed() {
    let mut narrower = StampNarrower::default();
    for message in World::default().run() {
        let stamp = SentTime {
            utc_ns: message.sent / MS * MS,
            resolution_ns: MS,
        };
        let arrival = ObservedArrival {
            at_ns: (message.arrived - OFFSET).cast_unsigned(),
            utc_offset_ns: OFFSET,
            held_back: false,
        };
        assert_eq!(narrower.narrow(stamp, arrival), None);
    }
    assert!(narrower.latest.is_none());
}

#[test]
fn memory_is_bounded() {
    let mut narrower = StampNarrower::default();
    feed(
        &mut narrower,
        &World {
            rate: 10.0,
            seconds: 3_600.0,
            ..World::default()
        }
        .run(),
    );
    assert!(narrower.pins.pins.len() <= MAX_PINS && narrower.pins.pins.capacity() <= 2 * MAX_PINS);
    assert!(narrower.traffic.seconds.len() <= MAX_SECONDS);
}
