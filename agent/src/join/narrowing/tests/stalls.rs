//! Stalls, backlogs and closed windows do not make the bounds wrong.

use super::{
    super::StampNarrower,
    world::{Drain, MS, MessageKind, S, START, Truth, World, feed},
};

#[test]
fn a_stall_of_the_network_is_allowed_for_and_gone_soon() {
    for drain in [Drain::AtOnce, Drain::Rounds(40 * MS)] {
        for tenth in 0..10 {
            let from = 11 * S + tenth * 100 * MS;
            let world = World {
                stalls: vec![(from, from + 400 * MS)],
                drain,
                seconds: 24.0,
                ..World::default()
            };
            let found = world.found();
            assert!(found.wrong.is_empty(), "{world:?} {:?}", found.wrong);
            // Those that were delayed do have wide bounds: they may be as old as the stall.
            let first = found.widths[1_100..1_300]
                .iter()
                .position(|w| w.is_none_or(|w| w > 300 * MS));
            assert!(first.is_some(), "{drain:?} {tenth}");
            assert!(found.width(2_200, 1.0) < 100.0, "{drain:?} {tenth}");
        }
    }
}

#[test]
fn a_path_that_becomes_longer_misleads_for_a_second_at_the_most() {
    for by in [50 * MS, -50 * MS, 300 * MS] {
        let world = World {
            base: 60 * MS,
            longer: Some((11 * S + 300 * MS, by)),
            seconds: 40.0,
            ..World::default()
        };
        let found = world.found();
        let (first, last) = (found.wrong.first(), found.wrong.last());
        assert!(first.is_none_or(|&n| n >= 1_130), "{by}: {first:?}");
        assert!(last.is_none_or(|&n| n <= 1_130 + 100), "{by}: {last:?}");
        assert!(found.narrowed(2_000) > 1_500, "{by}");
    }
}

/// The reader takes 15 ms per message for a while: the window closes, messages wait at the sender
/// and arrive at the reader's pace, in no burst.
#[test]
fn a_held_back_stretch_is_allowed_for() {
    let mut messages = World {
        seconds: 40.0,
        ..World::default()
    }
    .run();
    let (from, to) = (START + 11 * S, START + 16 * S);
    let mut free = 0;
    for message in &mut messages {
        let slow = (from..to).contains(&message.arrived);
        if free > message.arrived {
            message.arrived = free;
            message.held_back = true;
        }
        free = message.arrived + if slow { 15 * MS } else { MS };
    }
    let found = feed(&mut StampNarrower::default(), &messages);
    assert!(messages.iter().filter(|m| m.held_back).count() > 500);
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    assert!(found.width(3_000, 1.0) < 100.0);
    // Without the window's history the same is noticed too late: this is what the flag is for.
    for message in &mut messages {
        message.held_back = false;
    }
    let found = feed(&mut StampNarrower::default(), &messages);
    assert!(!found.wrong.is_empty());
}

/// The agent attaches while a backlog of 20 s is read at ten times the rate.
#[test]
fn a_backlog_at_the_start_is_not_taken_for_the_path() {
    for speed in [2.0, 10.0] {
        let mut messages = World {
            seconds: 80.0,
            ..World::default()
        }
        .run();
        for (n, message) in messages.iter_mut().enumerate() {
            let read = START + 20 * S + (n as f64 * 10.0 * MS as f64 / speed) as i64;
            message.arrived = message.arrived.max(read);
        }
        let found = feed(&mut StampNarrower::default(), &messages);
        assert!(found.wrong.is_empty(), "{speed}: {:?}", found.wrong);
        assert!(found.width(7_900, 1.0) < 100.0, "{speed}");
    }
}

#[test]
fn resends_are_no_evidence_and_arrive_all_the_same() {
    let plain = World::default().run();
    let mut messages = Vec::new();
    for (n, message) in plain.iter().enumerate() {
        messages.push(*message);
        if n == 1_100 {
            // A gap fill of a hundred; what is sent meanwhile waits behind it.
            messages.extend((1..=100).map(|k| Truth {
                arrived: message.arrived + k * 300_000,
                sent: message.sent - 5 * S,
                kind: MessageKind::Resend,
                ..*message
            }));
        }
    }
    let mut last = 0;
    for message in &mut messages {
        message.arrived = message.arrived.max(last + 20_000);
        last = message.arrived;
    }
    let found = feed(&mut StampNarrower::default(), &messages);
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    let fresh = messages.iter().zip(&found.widths);
    let late = fresh
        .filter(|(m, _)| m.kind == MessageKind::Fresh)
        .skip(1_200);
    assert!(late.map(|(_, w)| w).all(|w| w.is_some_and(|w| w < 35 * MS)));
}

#[test]
fn an_arrival_that_was_not_observed_costs_little() {
    let mut messages = World {
        stalls: vec![(12 * S, 12 * S + 25 * MS)],
        ..World::default()
    }
    .run();
    for (n, message) in messages.iter_mut().enumerate() {
        if n % 7 == 3 {
            message.kind = MessageKind::Unobserved;
        }
    }
    let found = feed(&mut StampNarrower::default(), &messages);
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    let widths = found.widths[1_000..].iter().flatten();
    assert!(widths.max().is_some_and(|&w| w < 100 * MS));
}

/// What queued up comes 3 ms apart; of those that were observed the spacing is like that of messages
/// which wait for nothing.
#[test]
fn an_arrival_that_was_not_observed_ends_no_run() {
    let mut messages = World::default().run();
    let stall = messages[1_200].arrived - 5 * MS;
    for (n, message) in messages[1_200..1_220].iter_mut().enumerate() {
        message.arrived = message.arrived.max(stall + 80 * MS + n as i64 * 3 * MS);
        if n % 2 == 1 {
            message.kind = MessageKind::Unobserved;
        }
    }
    let found = feed(&mut StampNarrower::default(), &messages);
    assert!(found.wrong.is_empty(), "{:?}", found.wrong);
    assert!(found.width(1_300, 1.0) < 35.0);
}
