//! Any updates come back in their order.

use proptest::prelude::*;

use super::{
    super::{Recorder, RecordingReader, writer::Writer},
    LARGE,
    arbitrary::{any_moment, any_update},
    day, header, moment, read, record, text,
};
use crate::{
    domain::{
        CulpritId, OwnerEvidence, Part, Sink as _, SleepObject, Update,
        fixtures::{session, waiting},
    },
    pipeline::RecordingSink as _,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn what_was_written_is_read_back(
        updates in prop::collection::vec((any_moment(), any_update()), 0..60),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r");
        record(&path, LARGE, &updates);
        let mut reader = RecordingReader::open(&path).expect("a recording");
        prop_assert_eq!(reader.header(), &header());
        let found: Vec<_> = reader.by_ref().map(|update| update.expect("whole")).collect();
        prop_assert_eq!(text(&found), text(&updates));
        let until = updates.last().map_or(moment(0), |(now, _)| *now);
        prop_assert_eq!((reader.until(), reader.lost()), (until, 0));
    }

    #[test]
    fn what_was_recorded_is_read_back(
        updates in prop::collection::vec((any_moment(), any_update()), 0..60),
        hand_over_every in 1_usize..20,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r");
        let mut recorder = Recorder::start(&path, LARGE, header()).expect("a file");
        for (n, (now, update)) in updates.iter().enumerate() {
            recorder.publish(*now, update.clone());
            if n % hand_over_every == 0 {
                recorder.flush();
            }
        }
        let written = recorder.close().expect("written");
        prop_assert_eq!((written.updates, written.lost), (updates.len() as u64, 0));
        let found = read(RecordingReader::open(&path).expect("a recording"));
        prop_assert_eq!(text(&found), text(&updates));
    }
}

#[test]
fn what_waits_is_read_back_without_what_only_attribution_needs() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r");
    let mut waiting = waiting(9_000, 2_000, Part::LockWait);
    let reader = waiting.reader.as_mut().expect("a reader");
    reader.culprit = Some(CulpritId(3));
    reader.owner = OwnerEvidence::LastRelease;
    reader.sleep = Some(SleepObject::Lock {
        pid: 411,
        address: 0x7f00,
    });
    let sampled = Update::Waiting(session(0), Box::new(waiting.clone()));
    record(&path, LARGE, &[(moment(3), sampled)]);
    let found = read(RecordingReader::open(&path).expect("a recording"));
    let [(now, Update::Waiting(id, found))] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!((*now, id), (moment(3), &session(0)));
    if let Some(reader) = &mut waiting.reader {
        reader.sleep = None;
    }
    assert_eq!(**found, waiting);
}

#[test]
fn intervals_and_the_end_are_recorded_and_losses_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r");
    let mut recorder = Recorder::start(&path, LARGE, header()).expect("a file");
    for (now, update) in day(5000) {
        recorder.publish(now, update);
    }
    recorder.publish(moment(1), Update::IntervalEnded);
    recorder.end(moment(2));
    let written = recorder.close().expect("written");
    assert_eq!((written.messages, written.lost), (5000, 0));
    let mut reader = RecordingReader::open(&path).expect("a recording");
    let mut updates = Vec::new();
    for next in reader.by_ref() {
        updates.push(next.expect("whole"));
    }
    assert_eq!(updates.len(), 5001);
    assert!(matches!(updates[5000], (now, Update::IntervalEnded) if now == moment(1)));
    assert_eq!(reader.until(), moment(2));

    let mut writer = Writer::create(&path, LARGE, header()).expect("a file");
    writer.lost(7).expect("written");
    writer.end(Some(moment(9))).expect("written");
    let mut reader = RecordingReader::open(&path).expect("a recording");
    assert!(reader.next().is_none());
    assert_eq!((reader.lost(), reader.until()), (7, moment(9)));
}
