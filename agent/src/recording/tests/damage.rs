//! Files that were cut or damaged, and files that are no recording.

use std::{fs, path::Path};

use proptest::prelude::*;

use super::{
    super::{ReadError, RecordingReader, WriteError, codec, writer::Writer},
    LARGE,
    arbitrary::{any_moment, any_update},
    day, header, moment, record, text,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_file_cut_anywhere_is_read_up_to_its_last_whole_frame(
        updates in prop::collection::vec((any_moment(), any_update()), 1..40),
        flush_every in 1_usize..10,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r");
        let mut writer = Writer::create(&path, LARGE, header()).expect("a file");
        // How many updates a file of so many bytes holds.
        let mut whole = vec![(0, 0)];
        for (n, (now, update)) in updates.iter().enumerate() {
            writer.update(*now, update.clone()).expect("written");
            if (n + 1) % flush_every == 0 {
                writer.flush().expect("written");
                whole.push((fs::metadata(&path).expect("a file").len() as usize, n + 1));
            }
        }
        writer.end(None).expect("written");
        let bytes = fs::read(&path).expect("a file");
        let all = text(&updates);
        for cut in 0..bytes.len() {
            let source = std::io::Cursor::new(bytes[..cut].to_vec());
            let Ok(reader) = RecordingReader::new(source) else {
                continue;
            };
            let (read, errors): (Vec<_>, Vec<_>) = reader.partition(Result::is_ok);
            prop_assert!(matches!(errors[..], [Err(ReadError::Truncated { .. })]), "{:?}", errors);
            let expected = whole.iter().rev().find(|(size, _)| *size <= cut).map_or(0, |w| w.1);
            let read: Vec<_> = read.into_iter().flatten().collect();
            prop_assert_eq!(text(&read), &all[..expected]);
        }
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic(
        updates in prop::collection::vec((any_moment(), any_update()), 1..40),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("r");
        record(&path, LARGE, &updates);
        let whole = fs::read(&path).expect("a file");
        let mut bytes = whole.clone();
        for (at, byte) in damage {
            *at.get_mut(&mut bytes) = byte;
        }
        let read = RecordingReader::new(std::io::Cursor::new(bytes.clone()))
            .map(|reader| reader.filter(Result::is_err).count());
        if bytes != whole {
            prop_assert!(!matches!(read, Ok(0)));
        }
    }

    #[test]
    fn records_of_any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut decoder = codec::Decoder::new(moment(0));
        let mut rest = &bytes[..];
        while !rest.is_empty() && decoder.next(&mut rest).is_some() {}
    }
}

#[test]
fn a_file_that_is_no_recording_is_refused_and_not_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r");
    fs::write(&path, "price list").expect("written");
    assert!(matches!(
        RecordingReader::open(&path),
        Err(ReadError::NotARecording)
    ));
    let refused = Writer::create(&path, LARGE, header());
    assert!(
        matches!(refused, Err(WriteError::Foreign(_))),
        "{refused:?}"
    );
    assert_eq!(fs::read(&path).expect("there"), b"price list");

    let device = Writer::create(Path::new("/dev/null"), LARGE, header());
    assert!(matches!(device, Err(WriteError::Foreign(_))), "{device:?}");

    record(&folder.path().join("s"), LARGE, &day(3));
    let mut bytes = fs::read(folder.path().join("s")).expect("there");
    bytes[8] = 99;
    let other = RecordingReader::new(std::io::Cursor::new(bytes));
    assert!(matches!(other, Err(ReadError::Version(99))), "{other:?}");
    let missing = RecordingReader::open(&folder.path().join("t"));
    assert!(matches!(missing, Err(ReadError::Io(_))), "{missing:?}");
}
