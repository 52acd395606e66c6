//! The machine-readable lines, in the names of the accounting model.
//!
//! Written by hand into one reused buffer: at tens of thousands of messages a second a tree of
//! values per line would be most of the agent's work.

use std::io::Write as _;

use crate::model::{
    ASSUMPTIONS, BlameRow, CpuUse, Health, Hook, Interval, Message, Part, ProcessFacts, Qos,
    Samples, SessionFigures, SessionId, Spread, Stage, Summary, Verdict, WhatIf, WindowFacts,
};

/// A line under construction.
#[derive(Debug, Default)]
pub(super) struct Line {
    bytes: Vec<u8>,
}

impl Line {
    /// The line for one message.
    pub(super) fn message(&mut self, m: &Message) -> &[u8] {
        self.start("message");
        self.key("session");
        self.session(&m.session, Some(m.tid));
        self.int("seq", m.seq);
        self.text("msg_type", m.msg_type.as_str());
        self.int("bytes", m.bytes);
        self.bool("poss_dup", m.poss_dup);
        self.int("sent_ns", m.sent.utc_ns);
        self.int("sent_resolution_ns", m.sent.resolution_ns);
        match m.arrived_ns {
            Some(ns) => self.int("arrived_ns", ns),
            None => self.null("arrived_ns"),
        }
        self.int("received_ns", m.received_ns);
        self.int("handed_off_ns", m.handed_off_ns);
        self.int("age_ns", m.split.age_ns());
        if m.sent.resolution_ns > 1_000 {
            // The venue may have stamped it up to one resolution after what it wrote.
            let age_min_ns = m.split.age_ns().saturating_sub(m.sent.resolution_ns);
            self.int("age_min_ns", age_min_ns);
        }
        if let Some((min_ns, max_ns)) = m.age_narrowed() {
            self.key("age_narrowed_ns");
            self.open(b'{');
            self.int("min", min_ns);
            self.int("max", max_ns);
            self.close(b'}');
        }
        self.text("hand_off", m.hand_off.name());
        if m.ack_pending_ns > 0 {
            self.int("ack_pending_ns", m.ack_pending_ns);
        }
        let matrix = m.split.matrix();
        self.matrix(
            matrix
                .nonzero()
                .map(|(s, p, ns)| (s, p.name(), i128::from(ns))),
        );
        self.finish()
    }

    /// The line for one session in an interval.
    pub(super) fn interval(&mut self, interval: &Interval, s: &SessionFigures) -> &[u8] {
        self.start("interval");
        self.int("until_ns", interval.until_ns);
        self.int("length_ns", interval.length.as_nanos());
        self.figures(s);
        self.finish()
    }

    /// The line for the agent's own losses in an interval; `None` when there were none.
    pub(super) fn agent(&mut self, interval: &Interval) -> Option<&[u8]> {
        if interval.lost.is_empty() && interval.anomalies.is_empty() {
            return None;
        }
        self.start("agent");
        self.int("until_ns", interval.until_ns);
        self.int("length_ns", interval.length.as_nanos());
        self.counts("lost", interval.lost.iter().copied());
        self.counts("anomalies", interval.anomalies.iter().copied());
        Some(self.finish())
    }

    /// The last line.
    pub(super) fn summary(&mut self, summary: &Summary) -> &[u8] {
        self.start("summary");
        self.int("since_ns", summary.since_ns);
        self.int("until_ns", summary.until_ns);
        self.int("length_ns", summary.length.as_nanos());
        self.int("sessions_seen", summary.sessions_seen);
        self.key("sessions");
        self.open(b'[');
        for s in &summary.sessions {
            self.comma();
            self.open(b'{');
            self.figures(s);
            self.close(b'}');
        }
        self.close(b']');
        self.text("what_if_assumptions", ASSUMPTIONS);
        self.health(&summary.health);
        self.finish()
    }

    fn figures(&mut self, s: &SessionFigures) {
        let f = &s.figures;
        self.key("session");
        match s.name.id() {
            Some(id) => self.session(id, s.tid),
            None => {
                self.open(b'{');
                self.text("sender", s.name.sender());
                self.text("target", s.name.target());
                for key in ["local", "remote", "pid", "tid"] {
                    self.null(key);
                }
                self.close(b'}');
            }
        }
        if let Some(process) = &s.process {
            self.process(process);
        }
        self.bool("ended", s.ended);
        self.int("connections", s.connections);
        match s.last_seq {
            Some(seq) => self.int("last_seq", seq),
            None => self.null("last_seq"),
        }
        self.int("messages", f.messages);
        self.int("age_ns", f.sums.total());
        self.spread("age", f.age.as_ref());
        self.matrix(f.sums.nonzero().map(|(s, p, ns)| (s, p.name(), ns)));
        self.int("unknown_messages", f.unknown_messages);
        self.int("ack_pending_ns", f.ack_pending_ns);
        self.int("uncertainty_ns", f.coarse_ns);
        let narrowed = &f.narrowed;
        if narrowed.messages == 0 {
            self.null("narrowed");
        } else {
            self.key("narrowed");
            self.open(b'{');
            self.int("messages", narrowed.messages);
            self.int("age_min_ns", narrowed.min_sum_ns);
            self.int("age_max_ns", narrowed.max_sum_ns);
            self.int("widest_ns", narrowed.widest_ns);
            self.close(b'}');
        }
        self.key("skew");
        self.open(b'{');
        self.int("messages", f.skew.messages);
        self.int("largest_ns", f.skew.largest_ns);
        self.int("latest_ns", f.skew.latest_ns);
        self.int("sum_ns", f.skew.sum_ns);
        self.close(b'}');
        self.counts("hand_offs", f.hand_offs.iter().map(|(k, n)| (k.name(), n)));
        self.int("resends", f.resends);
        self.spread("resend_age", f.resend_age.as_ref());
        self.counts("excluded", f.excluded.iter().map(|(k, n)| (k.name(), n)));
        self.counts(
            "tap",
            [
                ("garbled", f.tap.garbled),
                ("skipped_bytes", f.tap.skipped_bytes),
                ("lost_bytes", f.tap.lost_bytes),
                ("incomplete_headers", f.tap.incomplete_headers),
            ],
        );
        self.int("lock_waits", s.lock_waits);
        self.int("longest_lock_wait_ns", s.longest_lock_wait_ns);
        self.window(&s.window);
        self.blame(&s.blame);
        match &s.verdict {
            Some(verdict) => self.verdict(verdict),
            None => self.null("verdict"),
        }
        match &s.what_if {
            Some(what_if) => self.what_if(what_if, &s.what_if_lines()),
            None => self.null("what_if"),
        }
    }

    fn window(&mut self, window: &WindowFacts) {
        self.key("window");
        self.open(b'{');
        self.int("closed", window.closed);
        self.int("closed_ns", window.closed_ns());
        self.int("longest_ns", window.longest_ns);
        self.key("parts");
        self.open(b'{');
        for part in Part::ALL {
            let ns = window.parts[part as usize];
            if ns > 0 {
                self.int(part.name(), ns);
            }
        }
        self.close(b'}');
        self.close(b'}');
    }

    /// The rows of a part sum to it; `culprit` is null in the row of all others.
    fn blame(&mut self, rows: &[BlameRow]) {
        self.key("blame");
        self.open(b'[');
        for row in rows {
            self.comma();
            self.open(b'{');
            self.text("part", row.part.name());
            match &row.culprit {
                Some(culprit) => {
                    self.text("culprit", &culprit.to_string());
                    if let Some(thread) = culprit.thread() {
                        self.int("tid", thread.tid);
                        self.int("pid", thread.pid);
                        self.text("comm", &thread.comm);
                    }
                }
                None => self.null("culprit"),
            }
            self.int("ns", row.ns);
            self.int("held_back_ns", row.held_back_ns);
            self.int("waits", row.waits.count);
            self.int("waits_ns", row.waits.ns);
            self.int("longest_ns", row.waits.longest_ns);
            self.int("holds", row.waits.holds);
            self.int("holds_ns", row.waits.holds_ns);
            if row.samples.all > 0 {
                self.samples(&row.samples);
            }
            self.close(b'}');
        }
        self.close(b']');
    }

    fn verdict(&mut self, verdict: &Verdict) {
        self.key("verdict");
        self.open(b'{');
        self.texts("causes", verdict.causes.iter().map(|cause| cause.name()));
        self.text("sentence", &verdict.sentence);
        self.text("advice", &verdict.advice);
        self.texts("evidence", verdict.evidence.iter().map(String::as_str));
        let flow = &verdict.flow;
        self.float("arrivals_per_s", flow.arrivals_per_s);
        self.float("drained_per_s", Some(flow.drained_per_s));
        for (key, count) in [
            ("backlog_messages", flow.backlog_messages),
            ("backlog_bytes", flow.backlog_bytes),
        ] {
            match count {
                Some(count) => self.int(key, count),
                None => self.null(key),
            }
        }
        match flow.age_ns {
            Some(ns) => self.int("age_ns", ns),
            None => self.null("age_ns"),
        }
        self.float("age_slope", flow.age_slope);
        let left = flow.left.map(|left| left.as_secs_f64());
        self.float("seconds_to_max_latency", left);
        match &verdict.cpu {
            Some(cpu) => self.cpu(cpu),
            None => self.null("cpu"),
        }
        self.close(b'}');
    }

    fn cpu(&mut self, cpu: &CpuUse) {
        self.key("cpu");
        self.open(b'{');
        self.text("cgroup", &cpu.path);
        self.float("cores_used", cpu.cores);
        match &cpu.limit {
            Some(limit) => {
                self.key("limit");
                self.open(b'{');
                self.text("cgroup", &limit.path);
                self.int("quota_ns", limit.quota_ns);
                self.int("period_ns", limit.period_ns);
                self.float("cores_used", limit.used);
                self.int("periods", limit.periods);
                self.int("throttled_periods", limit.throttled_periods);
                self.close(b'}');
            }
            None => self.null("limit"),
        }
        self.float("request_cores", cpu.request);
        self.close(b'}');
    }

    fn what_if(&mut self, what_if: &WhatIf, lines: &[String]) {
        self.key("what_if");
        self.open(b'{');
        self.spread("measured", Some(&what_if.measured));
        for outcome in &what_if.outcomes {
            self.spread(outcome.scenario.name(), Some(&outcome.age));
        }
        self.texts("lines", lines.iter().map(String::as_str));
        self.close(b'}');
    }

    /// The counts of `doing` sum to `samples`; the state is null in the row of all others.
    fn samples(&mut self, samples: &Samples) {
        self.int("samples", samples.all);
        self.key("doing");
        self.open(b'[');
        for (doing, times) in &samples.doing {
            self.comma();
            self.open(b'{');
            self.text("state", doing.state.name());
            self.optional("call", doing.call.as_deref());
            let function = doing.function.as_ref();
            self.optional("function", function.map(|f| f.name.as_str()));
            self.optional("place", function.map(|f| f.place.as_str()));
            self.int("samples", *times);
            self.close(b'}');
        }
        if samples.other() > 0 {
            self.comma();
            self.open(b'{');
            self.null("state");
            self.int("samples", samples.other());
            self.close(b'}');
        }
        self.close(b']');
    }

    fn health(&mut self, health: &Health) {
        self.key("health");
        self.open(b'{');
        self.counts("lost", health.lost());
        self.counts("anomalies", health.anomalies());
        self.int("ring_high_water_bytes", health.ring_high_water_bytes);
        if let Some(found) = &health.discovery {
            self.key("discovery");
            self.open(b'{');
            self.int("fix", found.fix);
            self.int("other", found.other);
            self.int("not_selected", found.not_selected);
            self.close(b'}');
        }
        self.key("capabilities");
        self.open(b'{');
        for capability in &health.capabilities {
            self.key(&capability.name);
            self.open(b'{');
            match &capability.hook {
                Hook::Chosen(hook) => self.text("hook", hook),
                Hook::Absent(why) => {
                    self.null("hook");
                    self.text("absent", why);
                }
            }
            self.close(b'}');
        }
        self.close(b'}');
        self.key("probes");
        self.open(b'[');
        for probe in &health.probes {
            self.comma();
            self.open(b'{');
            self.text("name", &probe.name);
            self.int("runs", probe.runs);
            self.int("run_time_ns", probe.run_time_ns);
            self.close(b'}');
        }
        self.close(b']');
        self.close(b'}');
    }

    fn session(&mut self, id: &SessionId, tid: Option<u32>) {
        self.open(b'{');
        self.text("sender", &id.sender);
        self.text("target", &id.target);
        self.shown("local", id.local);
        self.shown("remote", id.remote);
        self.int("pid", id.pid);
        match tid {
            Some(tid) => self.int("tid", tid),
            None => self.null("tid"),
        }
        self.close(b'}');
    }

    /// Who reads a session; what there is to say of containers and pods only where it is in one.
    fn process(&mut self, process: &ProcessFacts) {
        self.key("process");
        self.open(b'{');
        self.int("pid", process.pid);
        self.int("container_pid", process.inner_pid);
        self.text("comm", &process.comm);
        if let Some(container) = &process.container {
            self.text("container_id", &container.id);
            self.optional("container", container.name.as_deref());
            self.optional("runtime", container.runtime.as_deref());
        }
        if let Some(pod) = &process.pod {
            self.text("pod_uid", &pod.uid);
            self.optional("namespace", pod.namespace.as_deref());
            self.optional("pod", pod.name.as_deref());
            self.optional("qos", pod.qos.map(Qos::name));
            self.whole("cpu_request_millis", process.cpu_request_millis);
            if let Some((least, most)) = process.cpu_request_between {
                self.int("cpu_request_min_millis", least);
                self.int("cpu_request_max_millis", most);
            }
            self.whole("cpu_limit_millis", process.cpu_limit_millis);
        }
        self.close(b'}');
    }

    fn spread(&mut self, key: &str, spread: Option<&Spread>) {
        let Some(s) = spread else {
            return self.null(key);
        };
        self.key(key);
        self.open(b'{');
        self.int("p50_ns", s.p50_ns);
        self.int("p90_ns", s.p90_ns);
        self.int("p99_ns", s.p99_ns);
        self.int("p999_ns", s.p999_ns);
        self.int("min_ns", s.min_ns);
        self.int("max_ns", s.max_ns);
        self.close(b'}');
    }

    /// All four stages, and the cells given, which must come stage by stage.
    fn matrix(&mut self, cells: impl Iterator<Item = (Stage, &'static str, i128)>) {
        let mut cells = cells.peekable();
        self.key("matrix");
        self.open(b'{');
        for stage in Stage::ALL {
            self.key(stage.name());
            self.open(b'{');
            while let Some((_, part, ns)) = cells.next_if(|&(s, ..)| s == stage) {
                self.int(part, ns);
            }
            self.close(b'}');
        }
        self.close(b'}');
    }

    fn counts(&mut self, key: &str, counts: impl IntoIterator<Item = (&'static str, u64)>) {
        self.key(key);
        self.open(b'{');
        for (kind, count) in counts {
            self.int(kind, count);
        }
        self.close(b'}');
    }

    fn start(&mut self, kind: &str) {
        self.bytes.clear();
        self.open(b'{');
        self.text("type", kind);
    }

    fn finish(&mut self) -> &[u8] {
        self.close(b'}');
        self.bytes.push(b'\n');
        &self.bytes
    }

    fn open(&mut self, bracket: u8) {
        self.bytes.push(bracket);
    }

    fn close(&mut self, bracket: u8) {
        self.bytes.push(bracket);
    }

    /// Separates from what came before on the same level, if anything did.
    fn comma(&mut self) {
        if !matches!(self.bytes.last(), Some(b'{' | b'[')) {
            self.bytes.push(b',');
        }
    }

    fn key(&mut self, key: &str) {
        self.comma();
        self.string(key);
        self.bytes.push(b':');
    }

    fn int(&mut self, key: &str, value: impl Integer) {
        self.key(key);
        value.write(&mut self.bytes);
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.string(value);
    }

    fn texts<'a>(&mut self, key: &str, values: impl Iterator<Item = &'a str>) {
        self.key(key);
        self.open(b'[');
        for value in values {
            self.comma();
            self.string(value);
        }
        self.close(b']');
    }

    /// Three digits after the point; null when there is none, or none that JSON can write.
    fn float(&mut self, key: &str, value: Option<f64>) {
        match value.filter(|value| value.is_finite()) {
            Some(value) => {
                self.key(key);
                print(&mut self.bytes, format_args!("{value:.3}"));
            }
            None => self.null(key),
        }
    }

    fn whole(&mut self, key: &str, value: Option<u64>) {
        match value {
            Some(value) => self.int(key, value),
            None => self.null(key),
        }
    }

    fn optional(&mut self, key: &str, value: Option<&str>) {
        match value {
            Some(value) => self.text(key, value),
            None => self.null(key),
        }
    }

    fn bool(&mut self, key: &str, value: bool) {
        self.key(key);
        let word: &[u8] = if value { b"true" } else { b"false" };
        self.bytes.extend_from_slice(word);
    }

    fn null(&mut self, key: &str) {
        self.key(key);
        self.bytes.extend_from_slice(b"null");
    }

    /// A value whose text needs no escaping.
    fn shown(&mut self, key: &str, value: impl std::fmt::Display) {
        self.key(key);
        self.bytes.push(b'"');
        print(&mut self.bytes, value);
        self.bytes.push(b'"');
    }

    fn string(&mut self, text: &str) {
        self.bytes.push(b'"');
        let plain = |b: &u8| *b >= 0x20 && !matches!(b, b'"' | b'\\');
        if text.as_bytes().iter().all(plain) {
            self.bytes.extend_from_slice(text.as_bytes());
        } else {
            for c in text.chars() {
                match c {
                    '"' | '\\' => self.bytes.extend_from_slice(&[b'\\', c as u8]),
                    '\0'..='\x1f' => {
                        print(&mut self.bytes, format_args!("\\u{:04x}", c as u32));
                    }
                    _ => print(&mut self.bytes, c),
                }
            }
        }
        self.bytes.push(b'"');
    }
}

fn print(bytes: &mut Vec<u8>, value: impl std::fmt::Display) {
    // Writing to memory does not fail.
    let _ = write!(bytes, "{value}");
}

/// What is written as a JSON integer. Summed ages may exceed 64 bits.
trait Integer {
    fn write(self, bytes: &mut Vec<u8>);
}

macro_rules! integers {
    ($($t:ty)*) => {$(
        impl Integer for $t {
            fn write(self, bytes: &mut Vec<u8>) {
                print(bytes, self);
            }
        }
    )*};
}

integers!(u32 u64 u128 i64 i128);

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Instant};

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::model::{
        Capability, Charge, Container, Culprit, CulpritId, Doing, Excluded, Function, Input, Lock,
        Model, Moment, Part, Pod, ProbeCost, Sample, SentBetween, ThreadName,
        samples::{any_message, message, session},
    };

    fn parse(line: &[u8]) -> Value {
        assert_eq!(line.iter().filter(|&&b| b == b'\n').count(), 1);
        serde_json::from_slice(line).expect("a line is JSON")
    }

    fn cell_sum(matrix: &Value) -> i64 {
        let stages = matrix.as_object().expect("an object");
        assert_eq!(
            stages.keys().map(String::as_str).collect::<Vec<_>>(),
            ["held_back", "in_app", "in_flight", "queued"] // sorted by the parser
        );
        stages
            .values()
            .flat_map(|parts| parts.as_object().expect("an object").values())
            .map(|ns| ns.as_i64().expect("an integer"))
            .sum()
    }

    #[test]
    fn a_process_in_a_pod_is_told_with_all_that_is_known() {
        let told = |process: &ProcessFacts| {
            let mut line = Line::default();
            line.open(b'{');
            line.process(process);
            let v = parse(line.finish());
            v["process"].clone()
        };
        let mut process = ProcessFacts {
            pid: 411,
            inner_pid: 1,
            comm: "oms".to_owned(),
            ..ProcessFacts::default()
        };
        let on_the_host = serde_json::json!({"pid": 411, "container_pid": 1, "comm": "oms"});
        assert_eq!(told(&process), on_the_host);
        process.container = Some(Container {
            id: "aa".to_owned(),
            runtime: Some("containerd".to_owned()),
            name: None,
        });
        process.pod = Some(Pod {
            uid: "u".to_owned(),
            qos: Some(Qos::Burstable),
            ..Pod::default()
        });
        process.cpu_request_between = Some((90, 250));
        assert_eq!(
            told(&process),
            serde_json::json!({
                "pid": 411, "container_pid": 1, "comm": "oms",
                "container_id": "aa", "container": null, "runtime": "containerd",
                "pod_uid": "u", "namespace": null, "pod": null, "qos": "burstable",
                "cpu_request_millis": null, "cpu_request_min_millis": 90, "cpu_request_max_millis": 250,
                "cpu_limit_millis": null,
            })
        );
    }

    proptest! {
        #[test]
        fn a_message_line_reads_back_and_sums(m in any_message(0)) {
            let mut line = Line::default();
            let v = parse(line.message(&m));
            prop_assert_eq!(&v["type"], "message");
            prop_assert_eq!(v["seq"].as_u64(), Some(m.seq));
            prop_assert_eq!(v["bytes"].as_u64(), Some(m.bytes.into()));
            prop_assert_eq!(v["poss_dup"].as_bool(), Some(m.poss_dup));
            prop_assert_eq!(v["sent_ns"].as_i64(), Some(m.sent.utc_ns));
            prop_assert_eq!(v["arrived_ns"].as_i64(), m.arrived_ns);
            prop_assert!(v.get("arrived_ns").is_some());
            prop_assert_eq!(v["received_ns"].as_i64(), Some(m.received_ns));
            prop_assert_eq!(v["handed_off_ns"].as_i64(), Some(m.handed_off_ns));
            let age = v["age_ns"].as_i64().expect("an integer");
            prop_assert_eq!(age, m.split.age_ns());
            prop_assert_eq!(cell_sum(&v["matrix"]), age);
            prop_assert_eq!(
                v["handed_off_ns"].as_i64().unwrap() - v["sent_ns"].as_i64().unwrap(), age
            );
            let age_min = (m.sent.resolution_ns > 1_000).then(|| age - m.sent.resolution_ns);
            prop_assert_eq!(v.get("age_min_ns").and_then(Value::as_i64), age_min);
            let narrowed = v.get("age_narrowed_ns");
            prop_assert_eq!(narrowed.is_some(), m.sent_between.is_some());
            if let Some(narrowed) = narrowed {
                let bound = |key: &str| narrowed[key].as_i64().expect("an integer");
                prop_assert!(age - m.sent.resolution_ns <= bound("min"));
                prop_assert!(bound("min") <= bound("max") && bound("max") <= age);
            }
            for (stage, part, ns) in m.split.matrix().nonzero() {
                prop_assert_eq!(v["matrix"][stage.name()][part.name()].as_i64(), Some(ns));
            }
        }

        #[test]
        fn any_name_survives(sender in any::<String>(), target in "[\\x00-\\x7f]*") {
            let mut m = message(&session(0), 1, &[]);
            let mut id = (*m.session).clone();
            (id.sender, id.target) = (sender, target);
            m.session = Arc::new(id);
            let mut line = Line::default();
            let v = parse(line.message(&m));
            prop_assert_eq!(v["session"]["sender"].as_str(), Some(&*m.session.sender));
            prop_assert_eq!(v["session"]["target"].as_str(), Some(&*m.session.target));
        }
    }

    #[test]
    fn the_message_line_is_the_one_of_the_accounting_model() {
        let m = message(
            &session(0),
            17,
            &[
                (Stage::Queued, Part::LockWait, 5),
                (Stage::InApp, Part::OnCpu, 2),
            ],
        );
        let line = String::from_utf8(Line::default().message(&m).to_vec()).expect("UTF-8");
        assert_eq!(
            line,
            concat!(
                r#"{"type":"message","session":{"sender":"VENUE","target":"DROP","#,
                r#""local":"127.0.0.1:5002","remote":"127.0.0.1:40112","pid":411,"tid":412},"#,
                r#""seq":17,"msg_type":"8","bytes":250,"poss_dup":false,"sent_ns":1700000000000000000,"#,
                r#""sent_resolution_ns":1000000,"arrived_ns":1700000000000000000,"#,
                r#""received_ns":1700000000000000005,"handed_off_ns":1700000000000000007,"#,
                r#""age_ns":7,"age_min_ns":-999993,"hand_off":"wait","#,
                r#""matrix":{"in_flight":{},"held_back":{},"queued":{"lock_wait":5},"#,
                r#""in_app":{"on_cpu":2}}}"#,
                "\n"
            )
        );
    }

    #[test]
    fn what_a_holder_did_is_told_with_its_row() {
        let s = session(0);
        let mut model = Model::at_zero();
        let thread = ThreadName {
            tid: 9,
            pid: 8,
            comm: "hog".to_owned(),
        };
        let lock = Lock::Gil;
        let culprit = Arc::new(Culprit::Holder { lock, thread });
        model.take(Moment::default(), &Input::Culprit(CulpritId(1), culprit));
        let mut m = message(&s, 1, &[(Stage::Queued, Part::LockWait, 100)]);
        m.charges = vec![Charge {
            part: Part::LockWait,
            culprit: CulpritId(1),
            ns: 90,
            held_back_ns: 0,
        }];
        model.observe(&m);
        let mut sample = |waiter, line: u32| {
            let sample = Sample {
                at_ns: 0,
                waiter,
                culprit: CulpritId(1),
                doing: Doing {
                    state: Part::OnCpu,
                    call: None,
                    function: Some(Function {
                        name: "hash".to_owned(),
                        place: format!("hog.py:{line}"),
                    }),
                },
            };
            model.take(Moment::default(), &Input::Sample(Box::new(sample)));
        };
        for line in 0..8 {
            sample(m.tid, line);
        }
        sample(m.tid, 7);
        // Somebody else waited.
        sample(m.tid + 1, 0);
        let mut line = Line::default();
        let v = parse(line.summary(&model.summary_now()));
        let row = &v["sessions"][0]["blame"][0];
        assert_eq!((&row["ns"], &row["samples"]), (&90.into(), &9.into()));
        let doing = row["doing"].as_array().expect("rows");
        assert_eq!(doing.len(), 6);
        assert_eq!(
            doing[0],
            serde_json::json!({"state": "on_cpu", "call": null, "function": "hash",
                "place": "hog.py:7", "samples": 2})
        );
        assert_eq!(doing[5], serde_json::json!({"state": null, "samples": 3}));
        let others = &v["sessions"][0]["blame"][1];
        assert!(others.get("doing").is_none(), "{others}");
        // An interval has its own.
        let interval = model.interval_now();
        let v = parse(line.interval(&interval, &interval.sessions[0]));
        assert_eq!(v["blame"][0]["samples"], 9);
        model.observe(&m);
        let interval = model.interval_now();
        let v = parse(line.interval(&interval, &interval.sessions[0]));
        assert!(v["blame"][0].get("samples").is_none(), "{v}");
    }

    #[test]
    fn an_acknowledgement_pending_is_a_field_of_its_own() {
        let mut m = message(&session(0), 17, &[(Stage::InFlight, Part::Network, 50)]);
        m.ack_pending_ns = 40;
        let mut line = Line::default();
        let v = parse(line.message(&m));
        assert_eq!(v["ack_pending_ns"], 40);
        assert_eq!(cell_sum(&v["matrix"]), 50);
        let mut model = Model::at_zero();
        model.observe(&m);
        model.observe(&m);
        let interval = model.interval_now();
        let v = parse(line.interval(&interval, &interval.sessions[0]));
        assert_eq!(v["ack_pending_ns"], 80);
        let v = parse(line.summary(&model.summary_now()));
        assert_eq!(v["sessions"][0]["ack_pending_ns"], 80);
    }

    #[test]
    fn intervals_and_summary_read_back() {
        let mut model = Model::at_zero();
        let s = session(0);
        for seq in 0..10 {
            model.observe(&message(
                &s,
                seq,
                &[(Stage::HeldBack, Part::Throttle, 1_000)],
            ));
        }
        let mut coarse = message(&s, 10, &[(Stage::HeldBack, Part::Throttle, 900_000_000)]);
        coarse.sent.resolution_ns = 1_000_000_000;
        coarse.sent_between = Some(SentBetween {
            earliest_ns: coarse.sent.utc_ns + 100_000_000,
            latest_ns: coarse.sent.utc_ns + 130_000_000,
        });
        model.observe(&coarse);
        model.exclude(&s, Excluded::NoSendingTime);
        model.health().lose("ring_full", 3);
        model.health().probes.push(ProbeCost {
            name: "sched_switch".to_owned(),
            runs: 5,
            run_time_ns: 300,
        });
        model.health().capabilities.push(Capability {
            name: "throttle".to_owned(),
            hook: Hook::Absent("no \"field\"".to_owned()),
        });
        let interval = model.interval_now();
        let mut line = Line::default();
        let v = parse(line.interval(&interval, &interval.sessions[0]));
        assert_eq!(v["type"], "interval");
        assert_eq!(v["age_ns"], 900_010_000);
        assert_eq!(cell_sum(&v["matrix"]), 900_010_000);
        assert_eq!(v["uncertainty_ns"], 1_000_000_000);
        assert_eq!(v["narrowed"]["messages"], 1);
        assert_eq!(v["narrowed"]["age_min_ns"], 770_000_000);
        assert_eq!(v["narrowed"]["age_max_ns"], 800_000_000);
        assert_eq!(v["narrowed"]["widest_ns"], 30_000_000);
        assert_eq!(v["excluded"]["no_sending_time"], 1);
        // All of that age may be the stamp's whole second.
        assert_eq!(v["verdict"]["causes"][0], "healthy");
        assert!(
            v["verdict"]["sentence"]
                .as_str()
                .is_some_and(|text| text.contains("p99"))
        );
        assert!(v["verdict"]["drained_per_s"].is_number());
        assert!(v["verdict"]["age_ns"].is_number());
        assert_eq!(v["what_if"]["without_throttle"]["max_ns"], 0);
        assert_eq!(v["what_if"]["without_lock"], v["what_if"]["as_it_was"]);
        let v = parse(line.agent(&interval).expect("there are losses"));
        assert_eq!(v["lost"]["ring_full"], 3);
        assert!(line.agent(&model.interval_now()).is_none());
        let v = parse(line.summary(&model.summary_now()));
        assert_eq!(v["type"], "summary");
        assert_eq!(v["sessions"][0]["messages"], 11);
        assert_eq!(v["sessions"][0]["session"]["tid"], 412);
        assert_eq!(v["sessions"][0]["verdict"]["causes"][0], "healthy");
        assert!(v["what_if_assumptions"].is_string());
        assert_eq!(v["health"]["lost"]["ring_full"], 3);
        assert_eq!(v["health"]["probes"][0]["run_time_ns"], 300);
        assert_eq!(
            v["health"]["capabilities"]["throttle"]["absent"],
            "no \"field\""
        );
    }

    /// Not a test of correctness: `cargo test --release -- --ignored --nocapture lines_a_second`.
    #[test]
    #[ignore = "a measurement"]
    fn lines_a_second() {
        let m = message(
            &session(0),
            1_234_567,
            &[
                (Stage::InFlight, Part::Network, 123_456),
                (Stage::HeldBack, Part::LockWait, 1_123_456_789),
                (Stage::Queued, Part::LockWait, 5_123_456_789),
                (Stage::Queued, Part::RunQueue, 123_456),
                (Stage::Queued, Part::OnCpu, 123_456),
                (Stage::InApp, Part::OnCpu, 23_456),
                (Stage::InApp, Part::LockWait, 5_123_456),
            ],
        );
        let (mut line, mut model) = (Line::default(), Model::at_zero());
        let rounds = 1_000_000;
        let started = Instant::now();
        let bytes: usize = (0..rounds).map(|_| line.message(&m).len()).sum();
        let json = started.elapsed();
        let started = Instant::now();
        (0..rounds).for_each(|_| model.observe(&m));
        let observed = started.elapsed();
        println!(
            "{:.0} JSON lines/s of {} bytes; {:.0} messages/s observed",
            f64::from(rounds) / json.as_secs_f64(),
            bytes / rounds as usize,
            f64::from(rounds) / observed.as_secs_f64()
        );
    }
}
