//! Live: a replay repeats what was written live, and a recording holds no message bodies.

use live::{Bench, Recording, one_at_a_time};

#[test]
fn a_replay_repeats_the_live_output() {
    let _guard = one_at_a_time();
    for json in ["messages", "intervals"] {
        let victim = ["--inject", "mutex", "--hold-us", "3000", "--gap-us", "2000"];
        let bench = Bench::start(1000.0, 2000, &victim).0;
        let recording = Recording::of(bench, &["--json", json, "--interval", "200ms"]);
        let Recording {
            status,
            live,
            notes,
            ..
        } = &recording;
        assert!(status.success(), "{notes}");
        println!("{notes}");
        let lines = live.lines().count();
        assert!(lines > if json == "messages" { 2000 } else { 5 }, "{lines}");
        for (live, again) in live.lines().zip(recording.replay(json).lines()) {
            assert_eq!(live, again);
        }
        assert!(*live == recording.replay(json), "a line is missing");

        // Values of tags 37, 55 and 58, which are in every message of the venue's.
        let bytes = recording.bytes();
        for body in [&b"ORD0"[..], b"ESZ6", b"ACC-0042"] {
            let found = bytes.windows(body.len()).any(|window| window == body);
            assert!(!found, "{body:?}");
        }
        // Packed bytes could hide them; what is replayed is all there is.
        for body in ["ORD0", "ESZ6", "ACC-0042"] {
            assert!(!live.contains(body), "{body}");
        }
    }
}
