//! Tests of the table with its series and names.

use std::{sync::Arc, time::Duration};

use super::{
    names::CulpritNames,
    series::{HALF_LIFE, MAX_SERIES},
    table::{BlameTable, MAX_CULPRITS, MAX_ROWS},
};
use crate::{
    domain::{
        Charge, Culprit, CulpritId, Matrix, Message, Part, Stage, Wait,
        fixtures::{message, session},
    },
    stats::sums::Sums,
};

/// A message with `lock` nanoseconds of lock-wait.
fn waited(lock: i64, charges: &[Charge]) -> Message {
    let cells = [(Stage::InApp, Part::LockWait, lock)];
    let mut message = message(&session(0), 1, &cells);
    message.charges = charges.to_vec();
    message
}

fn sums(lock: i64) -> Sums {
    let mut matrix = Matrix::default();
    let held_back = lock / 2;
    matrix.add(Stage::HeldBack, Part::LockWait, held_back);
    matrix.add(Stage::InApp, Part::LockWait, lock - held_back);
    matrix.add(Stage::InApp, Part::OnCpu, 7);
    let mut sums = Sums::default();
    sums.add(&matrix);
    sums
}

fn charge(culprit: u32, ns: u64) -> Charge {
    Charge {
        part: Part::LockWait,
        culprit: CulpritId(culprit),
        ns,
        held_back_ns: ns / 3,
    }
}

fn names() -> CulpritNames {
    let mut names = CulpritNames::default();
    for id in 1..200 {
        let cgroup = format!("/{id}");
        names.register(CulpritId(id), &Arc::new(Culprit::Quota { cgroup }));
    }
    names
}

#[test]
fn the_rows_of_a_part_sum_to_it() {
    for culprits in [0, 1, 3, 60, 150] {
        let mut table = BlameTable::default();
        for id in 0..=culprits {
            table.charge(&waited(7_000, &[charge(id, 1 + u64::from(id))]));
        }
        let rows = table.rows(&sums(1_000_000), &names());
        assert_eq!(rows.iter().map(|row| row.ns).sum::<i128>(), 1_000_000);
        let held_back: i128 = rows.iter().map(|row| row.held_back_ns).sum();
        assert_eq!(held_back, 500_000);
        assert!(rows.iter().all(|row| row.held_back_ns <= row.ns));
        assert!(rows.len() <= MAX_ROWS + 1);
    }
}

#[test]
fn series_are_few_and_never_decrease() {
    let mut table = BlameTable::default();
    let promoted = |table: &BlameTable| {
        let mut promoted: Vec<_> = table.series(Part::LockWait).collect();
        promoted.sort_unstable();
        promoted
    };
    table.charge(&waited(1_000, &[charge(1, 40)]));
    assert_eq!(promoted(&table), []);
    table.charge(&waited(100, &[charge(1, 20)]));
    assert_eq!(promoted(&table), [(CulpritId(1), 20)]);
    // Also when others have more by now.
    table.charge(&waited(1_000_000, &[charge(1, 20)]));
    assert_eq!(promoted(&table), [(CulpritId(1), 40)]);
    table.decay(Duration::from_hours(10));
    for id in 2..9 {
        table.charge(&waited(100, &[charge(id, 100)]));
    }
    assert_eq!(promoted(&table).len(), MAX_SERIES);
    let mut heir = BlameTable::default();
    heir.charge(&waited(100, &[charge(39, 100)]));
    heir.absorb(&table);
    assert_eq!(promoted(&heir).len(), MAX_SERIES);
    assert!(promoted(&heir).contains(&(CulpritId(39), 100)));
}

#[test]
fn a_culprit_charged_now_displaces_one_of_long_ago() {
    let mut table = BlameTable::default();
    let promoted = |table: &BlameTable| {
        let mut promoted: Vec<_> = table
            .series(Part::LockWait)
            .map(|promoted| promoted.0.0)
            .collect();
        promoted.sort_unstable();
        promoted
    };
    for id in 1..=8 {
        table.charge(&waited(100, &[charge(id, 100 + u64::from(id))]));
    }
    // Not at once: none of them is outweighed.
    table.charge(&waited(100, &[charge(9, 100)]));
    assert_eq!(promoted(&table), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(table.ended_series_ns(Part::LockWait), 0);
    table.decay(HALF_LIFE * 10);
    table.charge(&waited(100, &[charge(9, 70)]));
    assert_eq!(promoted(&table), [2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(table.ended_series_ns(Part::LockWait), 101);
    // The accounts stay as they are.
    let of = |id| table.charged_ns(Part::LockWait, CulpritId(id));
    assert_eq!((of(1), of(9)), (101, 170));
}

#[test]
fn a_late_culprit_finds_room() {
    let mut table = BlameTable::default();
    for id in 1..1_000 {
        table.charge(&waited(1_000_000, &[charge(id, 10)]));
    }
    assert_eq!(table.len(), MAX_CULPRITS);
    table.charge(&waited(1_000_000, &[charge(1_000, 900_000)]));
    let rows = table.rows(&sums(1_000_000_000), &{
        let mut names = names();
        let cgroup = "/late".to_owned();
        names.register(CulpritId(1_000), &Arc::new(Culprit::Quota { cgroup }));
        names
    });
    assert_eq!(rows[0].ns, 900_000);
}

#[test]
fn retired_names_that_no_table_uses_are_forgotten() {
    let mut names = names();
    let mut table = BlameTable::default();
    table.charge(&waited(100, &[charge(5, 100)]));
    names.retire(CulpritId(5));
    names.retire(CulpritId(6));
    names.forget_unused(|id| table.contains(id));
    assert!(names.get(CulpritId(5)).is_some() && names.get(CulpritId(6)).is_none());
    assert_eq!(names.len(), 198);
    names.forget_unused(|_| false);
    assert_eq!(names.len(), 197);
}

#[test]
fn the_most_charged_comes_first_and_uninterruptible_holds_are_counted_apart() {
    let mut table = BlameTable::default();
    table.charge(&waited(40, &[charge(1, 10), charge(2, 30)]));
    let mut wait = Wait {
        tid: 1,
        part: Part::LockWait,
        culprit: CulpritId(2),
        from_ns: 0,
        to_ns: 20,
        ns: 20,
        timeouts: 1,
    };
    table.add_wait(&wait);
    wait.timeouts = 2;
    table.add_wait(&wait);
    let rows = table.rows(&sums(40), &names());
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].ns, 30);
    assert_eq!((rows[0].waits.count, rows[0].waits.uninterruptible), (2, 1));
}
