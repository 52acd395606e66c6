//! The closing account, for humans.

use std::fmt::{self, Write as _};

use crate::outputs::text::{
    blame,
    interval::{TextStyle, ack_pending, label, names, time_left},
};
use crate::{
    domain::{
        Availability, Discovery, Health, Part, ProcessInfo, Stage,
        units::{
            HumanBytes, HumanDuration, HumanPercent, HumanRate, human_name, sanitize_name, wrap,
        },
    },
    model::{SessionFigures, Summary},
    stats::{Figures, Quantiles},
    verdict::Flow,
    what_if::ASSUMPTIONS,
};

/// Sessions described in full; the rest is counted (and whole in JSON).
const SESSIONS_IN_FULL: usize = 16;

/// The whole text; `watched` names the processes.
pub(crate) fn summary(summary: &Summary, watched: &str, style: TextStyle) -> String {
    let mut text = String::new();
    let seconds = summary.length.as_secs_f64();
    let _ = writeln!(
        text,
        "\n{} {watched} watched for {}, {} session{}",
        style.bold("tag52 summary:"),
        HumanDuration((seconds * 1e9) as i128),
        summary.sessions_observed,
        if summary.sessions_observed == 1 {
            ""
        } else {
            "s"
        }
    );
    let mut sessions: Vec<_> = summary.sessions.iter().collect();
    // With more than can be read, those that waited most.
    if sessions.len() > SESSIONS_IN_FULL {
        sessions.sort_by_key(|s| std::cmp::Reverse(outside_network(&s.figures)));
    }
    for s in sessions.iter().take(SESSIONS_IN_FULL) {
        session(&mut text, s, seconds, style);
    }
    if let Some(rest) = sessions.len().checked_sub(SESSIONS_IN_FULL + 1) {
        let _ = writeln!(text, "\nand {} more, whose messages waited less", rest + 1);
    }
    if summary.sessions.iter().any(|s| s.what_if.is_some()) {
        text.push('\n');
        text.push_str(&wrapped(ASSUMPTIONS, ""));
    }
    health(&mut text, &summary.health, style);
    text
}

fn session(text: &mut String, s: &SessionFigures, seconds: f64, style: TextStyle) {
    let f = &s.figures;
    let rate = HumanRate {
        events: f.messages,
        seconds,
    };
    let _ = write!(
        text,
        "\n{}  {} messages, {rate} msg/s",
        style.bold(&label(s)),
        f.messages
    );
    if let Some(seq) = s.last_seq {
        let _ = write!(text, ", last seq {seq}");
    }
    if s.connections > 1 {
        let _ = write!(text, ", {} connections", s.connections);
    }
    text.push_str(if s.ended { ", ended\n" } else { "\n" });
    if let Some(contained) = s.process.as_deref().and_then(contained) {
        let _ = writeln!(text, "  {contained}");
    }
    if let Some(age) = &f.age {
        spread(text, "age", age);
        matrix(text, f, style);
        blame::lines(text, s);
    }
    counts(text, s);
    let sentence = sentence(f);
    let _ = writeln!(text, "  {}", style.bold(&sentence));
    judged(text, s, style);
}

/// The process as its container has it, when it is in one.
fn contained(process: &ProcessInfo) -> Option<String> {
    let container = process.container.as_ref();
    if container.is_none() && process.pod.is_none() {
        return None;
    }
    let mut text = format!(
        "{} is pid {} in its container",
        sanitize_name(&process.comm),
        process.inner_pid
    );
    if let Some(container) = container {
        let id = container.id.get(..12).unwrap_or(&container.id);
        let runtime = container.runtime.as_deref().unwrap_or("container");
        let _ = write!(text, " ({} {})", sanitize_name(runtime), sanitize_name(id));
    }
    if let Some(pod) = &process.pod {
        let _ = write!(text, ", pod {}", sanitize_name(&pod.uid));
        if let Some(qos) = pod.qos {
            let _ = write!(text, ", {}", qos.name());
        }
    }
    match (process.cpu_request_millis, process.cpu_request_between) {
        (Some(millis), _) => {
            let _ = write!(text, ", asked for {} CPUs", Cpus(millis));
        }
        (None, Some((least, most))) => {
            let _ = write!(text, ", asked for {} to {} CPUs", Cpus(least), Cpus(most));
        }
        (None, None) => {}
    }
    if let Some(millis) = process.cpu_limit_millis {
        let _ = write!(text, ", limit {}", Cpus(millis));
    }
    Some(text)
}

/// Thousandths of a CPU: `0.25`, `2`.
struct Cpus(u64);

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 as f64 / 1000.0)
    }
}

/// The verdict and the what-if.
fn judged(text: &mut String, s: &SessionFigures, style: TextStyle) {
    if let Some(verdict) = &s.verdict {
        let mut said = format!("Verdict: {}: {}", names(verdict), verdict.sentence);
        if !verdict.advice.is_empty() {
            let _ = write!(said, " {}", verdict.advice);
        }
        if let Some(left) = verdict.flow.until_max_latency {
            let _ = write!(said, " {}", time_left(left));
        }
        let said = wrapped(&said, "  ");
        text.push_str(&if verdict.is_healthy() {
            said
        } else {
            style.bold(&said)
        });
        text.push_str(&wrapped(&flow(&verdict.flow), "  "));
    }
    for line in s.what_if_lines() {
        text.push_str(&wrapped(&format!("What if: {line}."), "  "));
    }
}

/// The words in lines of at most 120 characters, as long as words allow that.
fn wrapped(words: &str, indent: &str) -> String {
    let mut text = String::new();
    for line in wrap(words, 120 - indent.len()) {
        let _ = writeln!(text, "{indent}{line}");
    }
    text
}

fn flow(flow: &Flow) -> String {
    let mut text = String::new();
    if let Some(arrivals) = flow.arrivals_per_s {
        let _ = write!(text, "{arrivals:.1} messages a second sent, ");
    }
    let _ = write!(text, "{:.1} handed off", flow.drained_per_s);
    if let Some(backlog) = flow.backlog_messages {
        let _ = write!(text, "; backlog at the end about {backlog} messages");
    }
    if let Some(bytes) = flow.backlog_bytes {
        let _ = write!(text, ", {}", HumanBytes(bytes));
    }
    if let Some(slope) = flow.age_slope {
        let _ = write!(text, "; the age grew by {slope:.3} s/s");
    }
    text
}

fn spread(text: &mut String, name: &str, age: &Quantiles) {
    let _ = writeln!(
        text,
        "  {name}: p50 {}  p90 {}  p99 {}  p99.9 {}  min {}  max {}",
        HumanDuration::from(age.p50_ns),
        HumanDuration::from(age.p90_ns),
        HumanDuration::from(age.p99_ns),
        HumanDuration::from(age.p999_ns),
        HumanDuration::from(age.min_ns),
        HumanDuration::from(age.max_ns),
    );
}

/// Stages down, parts across, each with its share of the summed age; parts without any are left
/// out.
fn matrix(text: &mut String, f: &Figures, style: TextStyle) {
    let sums = f.sums_without_skew();
    let whole = sums.total();
    let parts: Vec<_> = Part::ALL
        .into_iter()
        .filter(|&part| sums.part(part) != 0)
        .collect();
    let cell = |ns: i128| {
        if ns == 0 {
            "-".to_owned()
        } else {
            format!(
                "{} {:>6}",
                HumanDuration(ns),
                HumanPercent { part: ns, whole }
            )
        }
    };
    let _ = write!(text, "  {:<10}", "");
    for part in &parts {
        let _ = write!(text, " {:>14}", human_name(part.name()));
    }
    let _ = writeln!(text, " {:>14}", "all");
    for stage in Stage::ALL {
        let _ = write!(text, "  {:<10}", human_name(stage.name()));
        for &part in &parts {
            let _ = write!(text, " {:>14}", cell(sums.get(stage, part)));
        }
        let _ = writeln!(text, " {:>14}", cell(sums.stage(stage)));
    }
    let _ = write!(text, "  {:<10}", "all");
    for &part in &parts {
        let text_of = format!("{:>14}", cell(sums.part(part)));
        let major = part != Part::Network && sums.part(part) * 2 >= whole;
        let shown = if major {
            style.alarm(&text_of)
        } else {
            text_of
        };
        let _ = write!(text, " {shown}");
    }
    let _ = writeln!(text, " {:>14}", cell(whole));
}

fn counts(text: &mut String, s: &SessionFigures) {
    let f = &s.figures;
    let mut facts = vec![format!("unknown in {} messages", f.unknown_messages)];
    if f.coarse_ns > 0 {
        facts.push(format!(
            "tag 52 is in steps of {}: ages are upper bounds, true ones up to that much less",
            HumanDuration::from(f.coarse_ns)
        ));
    }
    if let Some((min, max)) = f.narrowed.mean_ns() {
        facts.push(format!(
            "the order of the venue's sends narrows that to {} or less in {} messages, whose mean age is {} to {}",
            HumanDuration::from(f.narrowed.widest_ns),
            f.narrowed.messages,
            HumanDuration(min),
            HumanDuration(max)
        ));
    }
    if f.skew.messages > 0 {
        facts.push(format!(
            "the venue's clock was ahead of ours in {} messages, by at most {} ({} in all)",
            f.skew.messages,
            HumanDuration::from(f.skew.largest_ns),
            HumanDuration(f.skew.sum_ns)
        ));
    }
    if let Some(share) = ack_pending(f) {
        facts.push(format!(
            "an ACK of ours was pending for {share} of the time in the network (a venue without \
             TCP_NODELAY waits for it)"
        ));
    }
    if s.lock_waits > 0 {
        facts.push(format!(
            "{} lock waits, the longest {}",
            s.lock_waits,
            HumanDuration(i128::from(s.longest_lock_wait_ns))
        ));
    }
    facts.extend(window(s));
    let named = |counts: Vec<(&str, u64)>| {
        let each: Vec<_> = counts
            .into_iter()
            .filter(|&(_, count)| count > 0)
            .map(|(name, count)| format!("{} {count}", human_name(name)))
            .collect();
        (!each.is_empty()).then(|| each.join(", "))
    };
    if let Some(kinds) = named(f.hand_offs.iter().map(|(k, n)| (k.name(), n)).collect()) {
        facts.push(format!("hand-offs: {kinds}"));
    }
    if let Some(reasons) = named(f.excluded.iter().map(|(k, n)| (k.name(), n)).collect()) {
        facts.push(format!("without an age: {reasons}"));
    }
    if let Some(tap) = named(vec![
        ("garbled messages", f.tap.garbled),
        ("skipped bytes", f.tap.skipped_bytes),
        ("lost bytes", f.tap.lost_bytes),
        ("incomplete headers", f.tap.incomplete_headers),
    ]) {
        facts.push(format!("stream: {tap}"));
    }
    let _ = writeln!(text, "  {}", facts.join("; "));
    if let Some(age) = &f.resend_age {
        let name = format!("{} resends, age since first sent", f.resends);
        spread(text, &name, age);
    }
}

/// When our window was closed, and what the ingest thread was doing meanwhile.
fn window(s: &SessionFigures) -> Option<String> {
    let window = &s.window;
    let whole = i128::from(window.closed_ns());
    let mut parts: Vec<_> = Part::ALL
        .into_iter()
        .map(|part| (i128::from(window.parts[part as usize]), part))
        .filter(|&(part, _)| HumanPercent { part, whole }.shows())
        .collect();
    parts.sort_by_key(|&(ns, _)| std::cmp::Reverse(ns));
    let parts: Vec<_> = parts
        .into_iter()
        .map(|(part, name)| {
            format!(
                "{} {}",
                human_name(name.name()),
                HumanPercent { part, whole }
            )
        })
        .collect();
    (window.closed > 0).then(|| {
        format!(
            "our window was closed {} times, for {} in all, the longest {}: {}",
            window.closed,
            HumanDuration(whole),
            HumanDuration(i128::from(window.longest_ns)),
            parts.join(", ")
        )
    })
}

fn outside_network(f: &Figures) -> i128 {
    f.sums.total() - f.sums.part(Part::Network)
}

/// Names the part to look at.
fn sentence(f: &Figures) -> String {
    let outside = outside_network(f);
    let worst = Part::ALL
        .into_iter()
        .filter(|&part| part != Part::Network)
        .max_by_key(|&part| f.sums.part(part));
    let Some(part) = worst.filter(|_| outside > 0) else {
        return if f.messages == 0 {
            "No fresh message was seen.".to_owned()
        } else {
            "No time was spent outside of the network.".to_owned()
        };
    };
    let ns = f.sums.part(part);
    let mut text = format!(
        "{} of the age outside the network ({} of {}) was {}: {}.",
        HumanPercent {
            part: ns,
            whole: outside
        },
        HumanDuration(ns),
        HumanDuration(outside),
        human_name(part.name()),
        meaning(part)
    );
    let held_back = HumanPercent {
        part: f.sums.stage(Stage::HeldBack),
        whole: outside,
    };
    if held_back.shows() {
        let _ = write!(
            text,
            " {held_back} of it passed at the sender, held back because the process did not read."
        );
    }
    text
}

const fn meaning(part: Part) -> &'static str {
    match part {
        Part::Network => "the venue and the network held the messages",
        Part::OnCpu => "the ingest thread was running, so the work itself takes that long",
        Part::RunQueue => "the ingest thread was ready to run while others had the CPU",
        Part::Throttle => "the CPU quota of the ingest thread's cgroup was used up",
        Part::LockWait => "the ingest thread slept, waiting for a lock that another thread held",
        Part::Blocked => {
            "the ingest thread slept in the kernel, in something else than a lock (a pipe, a disk, \
             another socket, a page fault)"
        }
        Part::Unknown => "not observed, so nothing is to be concluded from it",
    }
}

fn health(text: &mut String, health: &Health, style: TextStyle) {
    let list = |kinds: &mut dyn Iterator<Item = (&'static str, u64)>| {
        let each: Vec<_> = kinds
            .filter(|&(_, count)| count > 0)
            .map(|(kind, count)| format!("{} {count}", human_name(kind)))
            .collect();
        (!each.is_empty()).then(|| each.join(", "))
    };
    let _ = write!(text, "\n{} ", style.bold("The agent itself:"));
    match list(&mut health.lost()) {
        Some(lost) => text.push_str(&style.warn(&format!("lost events: {lost}"))),
        None => text.push_str("no events lost"),
    }
    if let Some(anomalies) = list(&mut health.anomalies()) {
        let _ = write!(text, "; anomalies: {anomalies}");
    }
    let _ = writeln!(
        text,
        "; at most {} waiting in the ring",
        HumanBytes(health.ring_high_water_bytes)
    );
    if let Some(found) = health.discovery {
        let Discovery {
            fix,
            other,
            not_selected,
        } = found;
        let _ = writeln!(
            text,
            "  streams found: {fix} of FIX, {other} of anything else, {not_selected} of FIX left out by a selector"
        );
    }
    let names = health
        .capabilities
        .iter()
        .map(|c| c.name.len())
        .chain(health.probes.iter().map(|p| p.name.len()))
        .max()
        .unwrap_or(0);
    for capability in &health.capabilities {
        let hook = match &capability.availability {
            Availability::Observed(hook) => hook.clone(),
            Availability::Unavailable(why) => style.warn(&format!("absent: {why}")),
        };
        let _ = writeln!(text, "  {:<names$}  {hook}", capability.name);
    }
    for probe in &health.probes {
        let _ = write!(
            text,
            "  {:<names$}  {:>12} runs  {:>8}",
            probe.name,
            probe.runs,
            HumanDuration(i128::from(probe.run_time_ns))
        );
        if let Some(mean) = probe.mean_ns() {
            let _ = write!(text, "  {mean:.0}ns each");
        }
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{
            Capability, Container, Pod, ProbeCost, Qos, SentBetween,
            fixtures::{message, session as session_id},
        },
        model::Model,
    };

    #[test]
    fn a_process_in_a_container_is_told_with_its_pid_there() {
        let mut process = ProcessInfo {
            pid: 411,
            inner_pid: 7,
            comm: "oms".to_owned(),
            ..ProcessInfo::default()
        };
        assert_eq!(contained(&process), None);
        process.container = Some(Container {
            id: "09d185410c4e25236cc2".to_owned(),
            runtime: Some("containerd".to_owned()),
            name: None,
        });
        let said = |process: &ProcessInfo| contained(process).expect("in a container");
        assert_eq!(
            said(&process),
            "oms is pid 7 in its container (containerd 09d185410c4e)"
        );
        process.pod = Some(Pod {
            uid: "u1".to_owned(),
            qos: Some(Qos::Burstable),
            ..Pod::default()
        });
        process.cpu_request_between = Some((90, 250));
        let told = said(&process);
        let end = ", pod u1, burstable, asked for 0.09 to 0.25 CPUs";
        assert!(told.ends_with(end), "{told}");
        process.cpu_request_millis = Some(250);
        process.cpu_limit_millis = Some(2000);
        let told = said(&process);
        assert!(told.ends_with("asked for 0.25 CPUs, limit 2"), "{told}");
    }

    #[test]
    fn the_summary_names_the_part() {
        let mut model = Model::at_zero();
        let s = session_id(0);
        for seq in 0..100 {
            model.observe(&message(
                &s,
                seq,
                &[
                    (Stage::InFlight, Part::Network, 900_000_000),
                    (Stage::HeldBack, Part::LockWait, 10_000_000),
                    (Stage::Queued, Part::LockWait, 80_000_000),
                    (Stage::InApp, Part::OnCpu, 10_000_000),
                ],
            ));
        }
        model.health_mut().lose("ring_full", 2);
        model.health_mut().probes.push(ProbeCost {
            name: "sched_switch".to_owned(),
            runs: 100,
            run_time_ns: 9_000,
        });
        model.health_mut().capabilities.push(Capability {
            name: "arrivals".to_owned(),
            availability: Availability::Observed("sk_data_ready".to_owned()),
        });
        let text = summary(&model.summary_now(), "pid 411", TextStyle::Plain);
        println!("{text}");
        assert!(text.contains(
            "90.0% of the age outside the network (9.00s of 10.0s) was lock-wait: the ingest \
             thread slept, waiting for a lock that another thread held. 10.0% of it passed at the \
             sender"
        ));
        assert!(text.contains("lost events: ring-full 2"));
        assert!(text.contains("\n  Verdict: network-or-venue-late: messages arrive 900ms old"));
        assert!(text.contains("\n  What if: "), "{text}");
        assert!(text.contains("\nWhat-if replays the queue of the messages read"));
        assert!(text.contains("90ns each"));
        assert!(
            text.lines()
                .all(|l| l.starts_with("  9") || l.chars().count() <= 130)
        );
    }

    #[test]
    fn whole_seconds_are_said_and_what_narrows_them() {
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
        let text = summary(&model.summary_now(), "pid 411", TextStyle::Plain);
        assert!(text.contains("tag 52 is in steps of 1.00s: ages are upper bounds"));
        assert!(text.contains(
            "the order of the venue's sends narrows that to 40.0ms or less in 1 messages, whose mean \
             age is 10.0ms to 50.0ms"
        ));
    }

    #[test]
    fn nothing_seen_is_said() {
        let text = summary(
            &Model::at_zero().summary_now(),
            "pids 7 and 8",
            TextStyle::Plain,
        );
        assert!(text.contains("pids 7 and 8 watched for"));
        assert!(text.contains("0 sessions"));
        assert!(text.contains("no events lost"));
        let mut model = Model::at_zero();
        model.observe(&message(&session_id(0), 1, &[]));
        let text = summary(&model.summary_now(), "pid 411", TextStyle::Plain);
        assert!(text.contains("No time was spent outside of the network."));
    }
}
