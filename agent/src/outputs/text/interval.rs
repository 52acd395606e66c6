//! One readable line per session and interval.

use std::{fmt::Write as _, io::IsTerminal, time::Duration};

use crate::domain::units::{
    HumanBytes, HumanDuration, HumanPercent, HumanRate, human_name, sanitize_name,
};
use crate::{
    domain::{Part, ProcessInfo, Stage},
    model::{Interval, SessionFigures, SessionName},
    stats::Figures,
    verdict::Verdict,
};

/// Idle sessions listed one by one; more are only counted.
const IDLE_LISTED: usize = 4;

/// Whether to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextStyle {
    /// No control sequences at all.
    Plain,
    /// ANSI colours.
    Colour,
}

impl TextStyle {
    /// Colours on a terminal, unless `NO_COLOR` is set or the terminal is a dumb one.
    #[must_use]
    pub fn of_stdout() -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        if std::io::stdout().is_terminal() && set("NO_COLOR").is_none() && !dumb {
            Self::Colour
        } else {
            Self::Plain
        }
    }

    pub(crate) fn paint(self, code: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\x1b[{code}m{text}\x1b[0m"),
        }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }

    pub(crate) fn alarm(self, text: &str) -> String {
        self.paint("1;31", text)
    }
}

/// A session as humans tell it apart: `VENUE>DROP :5002 411/412`, and in a container where that is:
/// `VENUE>DROP :5002 411/412 trading/oms-0/engine`.
pub(crate) fn label(s: &SessionFigures) -> String {
    match &s.name {
        SessionName::One(id) => {
            let mut text = format!(
                "{}>{} :{} {}",
                sanitize_name(&id.sender),
                sanitize_name(&id.target),
                id.local.port(),
                id.pid
            );
            if let Some(tid) = s.tid {
                let _ = write!(text, "/{tid}");
            }
            if let Some(place) = s.process.as_deref().and_then(place) {
                let _ = write!(text, " {place}");
            }
            text
        }
        SessionName::Other => "other sessions".to_owned(),
        SessionName::Earlier => "earlier sessions".to_owned(),
    }
}

/// Where a process runs: `namespace/pod/container`, with ids where names are not known; a container
/// outside of Kubernetes by its runtime: `podman/1a2b3c4d5e6f`. `None`: on the host.
pub(crate) fn place(process: &ProcessInfo) -> Option<String> {
    let container = process.container.as_ref();
    let Some(pod) = &process.pod else {
        let container = container?;
        let runtime = container.runtime.as_deref().unwrap_or("container");
        return Some(format!(
            "{}/{}",
            sanitize_name(runtime),
            sanitize_name(container.label())
        ));
    };
    let mut text = String::new();
    if let Some(namespace) = &pod.namespace {
        let _ = write!(text, "{}/", sanitize_name(namespace));
    }
    let _ = write!(text, "{}", sanitize_name(pod.label()));
    if let Some(container) = container {
        let _ = write!(text, "/{}", sanitize_name(container.label()));
    }
    Some(text)
}

/// The lines of one interval, each ended by a newline; empty when there is nothing to tell.
pub(crate) fn interval(interval: &Interval, style: TextStyle) -> String {
    let (idle, busy): (Vec<_>, Vec<_>) =
        interval.sessions.iter().partition(|s| s.figures.is_empty());
    let listed = if idle.len() <= IDLE_LISTED {
        interval.sessions.iter().collect()
    } else {
        busy
    };
    let width = listed.iter().map(|s| label(s).chars().count()).max();
    let mut text = String::new();
    for s in &listed {
        session(&mut text, interval, s, width.unwrap_or(0), style);
    }
    if listed.len() < interval.sessions.len() {
        let _ = writeln!(text, "{} sessions without messages", idle.len());
    }
    if let Some(losses) = losses(interval) {
        let _ = writeln!(text, "{}", style.warn(&losses));
    }
    text
}

/// What the agent itself lost or met in the interval.
pub(crate) fn losses(interval: &Interval) -> Option<String> {
    let list = |kinds: &[(&str, u64)]| {
        let each: Vec<_> = kinds
            .iter()
            .map(|(kind, count)| format!("{} {count}", human_name(kind)))
            .collect();
        each.join(", ")
    };
    let mut text = String::new();
    if !interval.lost.is_empty() {
        let _ = write!(
            text,
            "tag52: lost events: {}; the messages they touched count as unknown",
            list(&interval.lost)
        );
    }
    if !interval.anomalies.is_empty() {
        let lead = if text.is_empty() { "tag52: " } else { "; " };
        let _ = write!(text, "{lead}anomalies: {}", list(&interval.anomalies));
    }
    (!text.is_empty()).then_some(text)
}

fn session(
    text: &mut String,
    interval: &Interval,
    s: &SessionFigures,
    width: usize,
    style: TextStyle,
) {
    let f = &s.figures;
    let name = format!("{:width$}", label(s));
    let rate = HumanRate {
        events: f.messages,
        seconds: interval.length.as_secs_f64(),
    };
    let _ = write!(text, "{}  {rate} msg/s  ", style.bold(&name));
    match &f.age {
        Some(age) => {
            let _ = write!(
                text,
                "age p50 {} p99 {} max {} | {}{} | held-back {} | ",
                HumanDuration::from(age.p50_ns),
                HumanDuration::from(age.p99_ns),
                HumanDuration::from(age.max_ns),
                parts(s, style),
                ack_pending(f)
                    .map(|share| format!(" (our ACK pending {share} of network)"))
                    .unwrap_or_default(),
                HumanPercent {
                    part: f.sums.stage(Stage::HeldBack),
                    whole: f.sums_without_skew().total(),
                },
            );
            let unknown = format!("unknown {}", f.unknown_messages);
            if f.unknown_messages > 0 {
                text.push_str(&style.warn(&unknown));
            } else {
                text.push_str(&unknown);
            }
        }
        None => text.push_str("no fresh messages"),
    }
    for note in notes(s) {
        let _ = write!(text, " {}", style.warn(&format!("[{note}]")));
    }
    text.push('\n');
    verdict(text, s, style);
}

/// What is the matter, when something is.
fn verdict(text: &mut String, s: &SessionFigures, style: TextStyle) {
    let Some(verdict) = s.verdict.as_ref().filter(|v| !v.is_healthy()) else {
        return;
    };
    let _ = write!(text, "    {}", style.warn(&names(verdict)));
    let _ = write!(text, ": {}", verdict.sentence);
    if let Some(left) = verdict.flow.until_max_latency {
        let _ = write!(text, " {}", style.alarm(&time_left(left)));
    }
    text.push('\n');
}

/// The causes by name.
pub(crate) fn names(verdict: &Verdict) -> String {
    let names: Vec<_> = verdict
        .causes
        .iter()
        .map(|c| human_name(c.name()))
        .collect();
    names.join(" and ")
}

/// What is left until MaxLatency.
pub(crate) fn time_left(left: Duration) -> String {
    if left.is_zero() {
        "MaxLatency is passed.".to_owned()
    } else {
        let ns = i128::try_from(left.as_nanos()).unwrap_or(i128::MAX);
        format!("MaxLatency in {}.", HumanDuration(ns))
    }
}

/// Every part that shows, the largest first.
fn parts(s: &SessionFigures, style: TextStyle) -> String {
    let sums = s.figures.sums_without_skew();
    let whole = sums.total();
    let mut shares: Vec<_> = Part::ALL
        .into_iter()
        .map(|part| {
            let share = HumanPercent {
                part: sums.part(part),
                whole,
            };
            (part, share)
        })
        .filter(|(_, share)| share.shows())
        .collect();
    shares.sort_by_key(|(_, share)| std::cmp::Reverse(share.part));
    let each: Vec<_> = shares
        .into_iter()
        .map(|(part, share)| {
            let text = format!("{} {share}", human_name(part.name()));
            if part != Part::Network && share.ratio() >= 0.5 {
                style.alarm(&text)
            } else {
                text
            }
        })
        .collect();
    each.join(" ")
}

/// The share of the network's time in which an acknowledgement of ours was pending, where that is
/// worth a word: a tenth of it, and the network itself a hundredth of the age.
pub(crate) fn ack_pending(f: &Figures) -> Option<HumanPercent> {
    let sums = f.sums_without_skew();
    let network = sums.part(Part::Network);
    let pending = HumanPercent {
        part: i128::try_from(f.ack_pending_ns).unwrap_or(i128::MAX),
        whole: network,
    };
    let whole = sums.total();
    let of_age = HumanPercent {
        part: network,
        whole,
    };
    (pending.ratio() >= 0.1 && of_age.ratio() >= 0.01).then_some(pending)
}

/// What makes the figures less than the whole truth.
fn notes(s: &SessionFigures) -> Vec<String> {
    let f = &s.figures;
    let mut notes = Vec::new();
    if f.coarse_ns > 0 {
        let mut note = format!("\u{b1}{}s", f.coarse_ns / 1_000_000_000);
        if let Some((min, max)) = f.narrowed.mean_ns() {
            note.push_str(", narrowed");
            if f.narrowed.messages < f.messages {
                let share = HumanPercent {
                    part: f.narrowed.messages.into(),
                    whole: f.messages.into(),
                };
                let _ = write!(note, " for {share}");
            }
            let _ = write!(
                note,
                ": mean age {} to {}",
                HumanDuration(min),
                HumanDuration(max)
            );
        }
        notes.push(note);
    }
    if f.skew.messages > 0 {
        notes.push(format!("skew {}", HumanDuration::from(f.skew.largest_ns)));
    }
    if f.resends > 0 {
        notes.push(format!("resends {}", f.resends));
    }
    if f.excluded.total() > 0 {
        notes.push(format!("excluded {}", f.excluded.total()));
    }
    if f.tap.garbled > 0 {
        notes.push(format!("garbled {}", f.tap.garbled));
    }
    if f.tap.skipped_bytes > 0 {
        notes.push(format!("skipped {}", HumanBytes(f.tap.skipped_bytes)));
    }
    if f.tap.lost_bytes > 0 {
        notes.push(format!("lost {}", HumanBytes(f.tap.lost_bytes)));
    }
    if f.tap.incomplete_headers > 0 {
        notes.push(format!("incomplete headers {}", f.tap.incomplete_headers));
    }
    if s.ended {
        notes.push("ended".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        domain::{
            Container, Pod, SentBetween, TapCounts, Update,
            fixtures::{message, session as session_id},
        },
        model::Model,
    };

    fn one(model: &mut Model) -> Interval {
        let mut interval = model.interval_now();
        interval.length = Duration::from_secs(1);
        interval
    }

    #[test]
    fn where_a_process_runs_is_said_as_far_as_it_is_known() {
        let id = "09d185410c4e25236cc24717f881589bb0978b24eafd101624e627a4dd8d3439";
        let container = |name: Option<&str>, runtime: Option<&str>| Container {
            id: id.to_owned(),
            runtime: runtime.map(str::to_owned),
            name: name.map(str::to_owned),
        };
        let mut process = ProcessInfo::default();
        assert_eq!(place(&process), None);
        process.container = Some(container(None, Some("podman")));
        assert_eq!(place(&process).as_deref(), Some("podman/09d185410c4e"));
        process.container = Some(container(None, None));
        assert_eq!(place(&process).as_deref(), Some("container/09d185410c4e"));
        process.pod = Some(Pod {
            uid: "03f3f104".to_owned(),
            ..Pod::default()
        });
        assert_eq!(place(&process).as_deref(), Some("03f3f104/09d185410c4e"));
        process.pod = Some(Pod {
            uid: "03f3f104".to_owned(),
            namespace: Some("trading".to_owned()),
            name: Some("oms-0".to_owned()),
            qos: None,
        });
        process.container = Some(container(Some("engine"), None));
        assert_eq!(place(&process).as_deref(), Some("trading/oms-0/engine"));
        process.container = None;
        assert_eq!(place(&process).as_deref(), Some("trading/oms-0"));
    }

    #[test]
    fn a_session_bears_the_name_of_its_pod() {
        let mut model = Model::at_zero();
        let s = session_id(0);
        model.observe(&message(&s, 1, &[]));
        let process = ProcessInfo {
            pid: s.pid,
            pod: Some(Pod {
                uid: "u".to_owned(),
                namespace: Some("trading".to_owned()),
                name: Some("oms-0\u{1b}[2J".to_owned()),
                qos: None,
            }),
            ..ProcessInfo::default()
        };
        model.apply(model.now(), &Update::Process(Box::new(process)));
        let text = interval(&one(&mut model), TextStyle::Plain);
        let begin = "VENUE>DROP :5002 411/412 trading/oms-0";
        assert!(text.starts_with(begin), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn a_line_is_readable() {
        let mut model = Model::at_zero();
        let s = session_id(0);
        for seq in 0..600 {
            model.observe(&message(
                &s,
                seq,
                &[
                    (Stage::InFlight, Part::Network, 100_000),
                    (Stage::HeldBack, Part::LockWait, 1_000_000),
                    (Stage::Queued, Part::LockWait, 8_700_000),
                    (Stage::InApp, Part::OnCpu, 200_000),
                ],
            ));
        }
        let line = interval(&one(&mut model), TextStyle::Plain);
        assert_eq!(
            line,
            "VENUE>DROP :5002 411/412  600 msg/s  age p50 10.0ms p99 10.0ms max 10.0ms | \
             lock-wait 97.0% on-cpu 2.0% network 1.0% | held-back 10.0% | unknown 0\n    \
             starved-by-lock: the ingest thread waits for a lock (97.0% of the age); the holder is not known.\n"
        );
        assert!(line.lines().all(|line| line.len() <= 160));
        assert_eq!(
            interval(&one(&mut model), TextStyle::Plain),
            "VENUE>DROP :5002 411/412  0 msg/s  no fresh messages\n"
        );
    }

    #[test]
    fn the_verdict_has_a_line_of_its_own_when_something_is_the_matter() {
        let text = |age: i64| {
            let mut model = Model::at_zero();
            model.observe(&message(
                &session_id(0),
                1,
                &[(Stage::Queued, Part::Blocked, age)],
            ));
            interval(&one(&mut model), TextStyle::Plain)
        };
        assert_eq!(text(1_000_000).lines().count(), 1);
        let late = text(121_000_000_000);
        assert!(late.contains("\n    slow-sink: "), "{late}");
        assert!(late.ends_with(" MaxLatency is passed.\n"), "{late}");
        let left = time_left(Duration::from_secs(90));
        assert_eq!(left, "MaxLatency in 1m30s.");
    }

    #[test]
    fn an_acknowledgement_pending_is_said_where_it_matters() {
        let line = |network, pending| {
            let mut model = Model::at_zero();
            let mut m = message(
                &session_id(0),
                1,
                &[
                    (Stage::InFlight, Part::Network, network),
                    (Stage::InApp, Part::OnCpu, 1_000_000),
                ],
            );
            m.ack_pending_ns = pending;
            model.observe(&m);
            interval(&one(&mut model), TextStyle::Plain)
        };
        let text = line(39_000_000, 31_200_000);
        assert!(text.contains("network 97.5% on-cpu 2.5% (our ACK pending 80.0% of network) | h"));
        for (network, pending) in [(39_000_000, 3_800_000), (9_000, 9_000), (-5_000, 0), (0, 0)] {
            let text = line(network, pending);
            assert!(!text.contains("ACK"), "{text}");
        }
    }

    #[test]
    fn what_limits_the_figures_is_noted() {
        let mut model = Model::at_zero();
        let s = session_id(0);
        let mut m = message(&s, 1, &[(Stage::InFlight, Part::Network, -5_000_000)]);
        m.sent.resolution_ns = 1_000_000_000;
        model.observe(&m);
        m.poss_dup = true;
        model.observe(&m);
        model.tap(
            &s,
            TapCounts {
                lost_bytes: 2048,
                ..TapCounts::default()
            },
        );
        model.health_mut().lose("ring_full", 7);
        let text = interval(&one(&mut model), TextStyle::Plain);
        assert!(text.contains("[\u{b1}1s] [skew 5.00ms] [resends 1] [lost 2.0 KiB]\n"));
        assert!(text.contains("tag52: lost events: ring-full 7; "));
    }

    #[test]
    fn what_narrows_whole_seconds_is_noted() {
        let mut model = Model::at_zero();
        let mut m = message(
            &session_id(0),
            1,
            &[(Stage::Queued, Part::LockWait, 700_000_000)],
        );
        m.sent.resolution_ns = 1_000_000_000;
        m.sent_between = Some(SentBetween {
            earliest_ns: m.sent.utc_ns + 650_000_000,
            latest_ns: m.sent.utc_ns + 690_000_000,
        });
        model.observe(&m);
        let text = interval(&one(&mut model), TextStyle::Plain);
        let note = "[\u{b1}1s, narrowed: mean age 10.0ms to 50.0ms]";
        assert!(text.contains(note), "{text}");
        model.observe(&m);
        m.sent_between = None;
        model.observe(&m);
        let text = interval(&one(&mut model), TextStyle::Plain);
        let note = "[\u{b1}1s, narrowed for 50.0%: mean age 10.0ms to 50.0ms]";
        assert!(text.contains(note), "{text}");
    }

    #[test]
    fn plain_text_has_no_control_sequences() {
        let mut model = Model::at_zero();
        let mut id = (*session_id(0)).clone();
        id.sender = "EVIL\x1b]0;x\x07".to_owned();
        let id = Arc::new(id);
        model.observe(&message(&id, 1, &[(Stage::Queued, Part::LockWait, 5)]));
        let taken = one(&mut model);
        let plain = interval(&taken, TextStyle::Plain);
        assert!(
            plain.chars().all(|c| c == '\n' || !c.is_control()),
            "{plain:?}"
        );
        let coloured = interval(&taken, TextStyle::Colour);
        assert!(coloured.contains("\x1b[1;31mlock-wait 100%\x1b[0m"));
        assert!(!coloured.contains("\x1b]"));
    }

    #[test]
    fn many_idle_sessions_are_counted() {
        let mut model = Model::at_zero();
        for n in 0..9 {
            model.observe(&message(&session_id(n), 1, &[]));
        }
        model.interval_now();
        model.observe(&message(&session_id(3), 2, &[]));
        let text = interval(&one(&mut model), TextStyle::Plain);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.ends_with("8 sessions without messages\n"));
    }
}
