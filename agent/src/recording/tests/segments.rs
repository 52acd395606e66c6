//! The size of a recording and its segments.

use std::{fs, sync::Arc};

use super::{
    super::{MAX_SEGMENTS, RecordingReader, segment_path},
    LARGE, day, moment, read, record, text,
};
use crate::domain::{Culprit, CulpritId, LockWaitTotals, Update, fixtures::session};

#[test]
fn a_message_takes_few_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = record(&folder.path().join("r"), LARGE, &day(10_000));
    let each = written.bytes as f64 / written.messages as f64;
    assert!(each < 45.0, "{each} bytes a message");
}

#[test]
fn the_oldest_segment_goes_first_and_each_can_be_read_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r");
    let max_size = 2 << 20;
    let culprit = Culprit::Quota {
        cgroup: "/pod".to_owned(),
    };
    let facts = LockWaitTotals {
        lock_waits: 3,
        longest_lock_wait_ns: 5,
    };
    let mut updates = vec![
        (moment(0), Update::Culprit(CulpritId(1), Arc::new(culprit))),
        (moment(0), Update::LockWaits(session(0), facts)),
        (moment(0), Update::Health(Box::default())),
    ];
    let repeated_count = updates.len();
    updates.extend(day(120_000));
    let written = record(&path, max_size, &updates);
    assert!(written.dropped_segments > 0, "{written}");
    let room: u64 = fs::read_dir(folder.path())
        .expect("a folder")
        .map(|file| file.expect("a file").metadata().expect("a file").len())
        .sum();
    assert!(room <= max_size, "{room}");
    assert!(room > max_size / 2, "{room}");

    let reader = RecordingReader::open(&path).expect("a recording");
    assert_eq!(reader.header().segment, written.dropped_segments);
    let from = reader.header().from;
    let found = text(&read(reader));
    // Repeated updates are there once; the rest are the last updates.
    let (repeated, rest) = found.split_at(repeated_count);
    let all = text(&updates);
    assert_eq!(rest, &all[all.len() - rest.len()..]);
    assert!(repeated[0].contains("/pod") && repeated[0].contains(&from.utc_ns.to_string()));
    assert!(repeated[1].contains("lock_waits: 3"), "{}", repeated[1]);
    assert!(repeated[2].contains("Health"), "{}", repeated[2]);

    for n in 1..MAX_SEGMENTS {
        let alone = text(&read(
            RecordingReader::open(&segment_path(&path, n)).expect("a segment"),
        ));
        assert!(alone[0].contains("/pod"), "{}", alone[0]);
        let at = all
            .iter()
            .position(|t| *t == alone[repeated_count])
            .expect("written");
        assert_eq!(
            alone[repeated_count..],
            all[at..at + alone.len() - repeated_count]
        );
    }

    // A new recording of that name replaces all of them.
    record(&path, max_size, &updates[..10]);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    let found = read(RecordingReader::open(&path).expect("a recording"));
    assert_eq!(text(&found), all[..10]);
}
