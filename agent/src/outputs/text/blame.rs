//! Who is to blame, as text.

use std::fmt::Write as _;

use crate::{
    domain::{
        Part, ThreadActivity,
        units::{HumanDuration, HumanPercent, counted, human_name, sanitize},
    },
    model::SessionFigures,
    stats::{BlameRow, HolderSamples},
};

/// Parts below this share of the age outside the network are not worth a culprit, per cent.
const MIN_PART_PERCENT: i128 = 1;

/// A line per part and culprit, most charged first; the share is that of the part.
pub(super) fn lines(text: &mut String, s: &SessionFigures) {
    let sums = s.figures.sums_without_skew();
    let outside = sums.total() - sums.part(Part::Network);
    for part in Part::ALL {
        let whole = sums.part(part);
        if whole * 100 < outside * MIN_PART_PERCENT {
            continue;
        }
        for row in s.blame.iter().filter(|row| row.part == part) {
            line(text, row, whole);
        }
    }
}

fn line(text: &mut String, row: &BlameRow, whole: i128) {
    let share = HumanPercent {
        part: row.ns,
        whole,
    };
    let part = human_name(row.part.name());
    let Some(culprit) = &row.culprit else {
        let _ = writeln!(
            text,
            "  {part} {share}: all others, and waits too short to record"
        );
        return;
    };
    let waits = row.waits;
    let _ = write!(text, "  {part} {share}: {}", sanitize(&culprit.to_string()));
    if waits.count > 0 {
        let _ = write!(
            text,
            "; {}, {} in total, the longest {}",
            counted(waits.count, "wait"),
            HumanDuration::from(waits.ns as i64),
            HumanDuration::from(waits.longest_ns as i64)
        );
    }
    if row.part == Part::LockWait && waits.uninterruptible > 0 {
        let _ = write!(
            text,
            "; {} ({})",
            counted(waits.uninterruptible, "uninterruptible hold"),
            HumanDuration::from(waits.uninterruptible_ns as i64)
        );
    }
    let held_back = HumanPercent {
        part: row.held_back_ns,
        whole: row.ns,
    };
    if held_back.shows() {
        let _ = write!(text, "; {held_back} of it held back at the sender");
    }
    text.push('\n');
    if row.samples.total > 0 {
        samples_line(text, &row.samples);
    }
}

/// What the holder was doing when it was sampled.
fn samples_line(text: &mut String, samples: &HolderSamples) {
    let share = |part: u64| HumanPercent {
        part: part.into(),
        whole: samples.total.into(),
    };
    let _ = write!(text, "    sampled {}: ", counted(samples.total, "time"));
    for (i, (activity, times)) in samples.activities.iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}{} ", share(*times));
        text.push_str(&sanitize(&activity_text(activity)));
    }
    if samples.other() > 0 {
        let _ = write!(text, ", {} something else", share(samples.other()));
    }
    text.push('\n');
}

/// As in "on-cpu in `encode` (json/encoder.py:183)".
fn activity_text(activity: &ThreadActivity) -> String {
    let mut text = match activity.state {
        Part::Unknown => "running or ready to run".to_owned(),
        Part::RunQueue => "waiting for a CPU".to_owned(),
        part => human_name(part.name()),
    };
    if let Some(call) = &activity.call {
        let _ = write!(text, " in {call}");
    }
    if let Some(function) = &activity.function {
        let by = if activity.call.is_some() { "by" } else { "in" };
        let _ = write!(text, " {by} {function}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Function;

    #[test]
    fn the_line_of_samples_has_state_call_and_function() {
        let activity = |state, call: Option<&str>, name: Option<&str>| ThreadActivity {
            state,
            call: call.map(str::to_owned),
            function: name.map(|name| Function {
                name: name.to_owned(),
                location: "lab/hog.py:42".to_owned(),
            }),
        };
        let samples = HolderSamples {
            total: 200,
            activities: vec![
                (activity(Part::OnCpu, None, Some("hash_rows")), 160),
                (activity(Part::Blocked, Some("write"), Some("log")), 20),
                (activity(Part::RunQueue, None, None), 12),
                (activity(Part::Unknown, None, None), 4),
            ],
        };
        let mut text = String::new();
        samples_line(&mut text, &samples);
        assert_eq!(
            text,
            "    sampled 200 times: 80.0% on-cpu in hash_rows (lab/hog.py:42), \
             10.0% blocked in write by log (lab/hog.py:42), 6.0% waiting for a CPU, \
             2.0% running or ready to run, 2.0% something else\n"
        );
    }
}
