//! Steps and slews of the wall clock.

use super::*;

struct Fake {
    now: u64,
    offset: i64,
}

impl TimeSource for Fake {
    fn monotonic(&mut self) -> u64 {
        self.now += 20;
        self.now
    }

    fn realtime(&mut self) -> i64 {
        self.now += 20;
        self.now as i64 + self.offset
    }
}

#[test]
fn a_step_changes_later_times_only() {
    let mut clock = UtcClock::new(Fake {
        now: 1_000,
        offset: 5_000_000_000,
    });
    for _ in 0..10 {
        clock.source.now += 100_000_000;
        clock.track();
    }
    let before = clock.source.now;
    clock.source.offset += 3_000_000_000;
    clock.source.now += 10_000_000;
    clock.track();
    assert_eq!(clock.steps(), 1);
    assert_eq!(clock.offset_at(before), 5_000_000_000);
    assert_eq!(clock.offset_at(clock.source.now), 8_000_000_000);
}

#[test]
fn a_slew_is_followed_and_is_no_step() {
    let mut clock = UtcClock::new(Fake {
        now: 1_000,
        offset: 0,
    });
    for _ in 0..100 {
        clock.source.now += 300_000_000;
        clock.source.offset += 150_000;
        clock.track();
    }
    assert_eq!(clock.steps(), 0);
    let (at, offset) = clock.latest();
    assert_eq!(offset, 15_000_000);
    assert_eq!(clock.offset_at(at), offset);
    assert!(clock.offset_at(at - 400_000_000) < offset);
}

#[test]
fn a_simulated_step_is_seen_as_one() {
    let at = SystemClocks.monotonic() + 100_000_000;
    let mut clock = UtcClock::new(RunClocks::Stepped(SteppedClocks {
        step_at_ns: at,
        step_by_ns: -2_000_000_000,
    }));
    let before = clock.latest().1;
    while clock.monotonic() <= at {
        clock.track();
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    clock.track();
    assert_eq!(clock.steps(), 1);
    let by = clock.latest().1 - before;
    assert!((by + 2_000_000_000).abs() < MIN_STEP_NS, "{by}");
    assert_eq!(clock.offset_at(at - 1), before);
}

#[test]
fn the_machine_has_clocks() {
    let mut clock = UtcClock::new(SystemClocks);
    let now = clock.monotonic();
    let utc = now as i64 + clock.offset_at(now);
    let wall = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    assert!((utc - wall.as_nanos() as i64).abs() < 1_000_000_000);
}
