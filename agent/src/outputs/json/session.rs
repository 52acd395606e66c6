//! The figures of a session.

use super::line::JsonLine;
use crate::{
    domain::{Part, ProcessInfo, Qos, SessionId, Stage, WindowClosures},
    model::SessionFigures,
    stats::AgeQuantiles,
};

impl JsonLine {
    pub(super) fn figures(&mut self, s: &SessionFigures) {
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
        self.waiting(s.waiting.as_ref());
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

    fn window(&mut self, window: &WindowClosures) {
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

    pub(super) fn session(&mut self, id: &SessionId, tid: Option<u32>) {
        self.open(b'{');
        self.text("sender", &id.sender);
        self.text("target", &id.target);
        self.display("local", id.local);
        self.display("remote", id.remote);
        self.int("pid", id.pid);
        match tid {
            Some(tid) => self.int("tid", tid),
            None => self.null("tid"),
        }
        self.close(b'}');
    }

    /// The process that reads a session; the keys of containers and pods only where it is in one.
    pub(super) fn process(&mut self, process: &ProcessInfo) {
        self.key("process");
        self.open(b'{');
        self.int("pid", process.pid);
        self.int("container_pid", process.inner_pid);
        self.text("comm", &process.comm);
        if let Some(container) = &process.container {
            self.text("container_id", &container.id);
            self.optional_text("container", container.name.as_deref());
            self.optional_text("runtime", container.runtime.as_deref());
        }
        if let Some(pod) = &process.pod {
            self.text("pod_uid", &pod.uid);
            self.optional_text("namespace", pod.namespace.as_deref());
            self.optional_text("pod", pod.name.as_deref());
            self.optional_text("qos", pod.qos.map(Qos::name));
            self.optional_int("cpu_request_millis", process.cpu_request_millis);
            if let Some((least, most)) = process.cpu_request_between {
                self.int("cpu_request_min_millis", least);
                self.int("cpu_request_max_millis", most);
            }
            self.optional_int("cpu_limit_millis", process.cpu_limit_millis);
        }
        self.close(b'}');
    }

    pub(super) fn spread(&mut self, key: &str, spread: Option<&AgeQuantiles>) {
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
    pub(super) fn matrix(&mut self, cells: impl Iterator<Item = (Stage, &'static str, i128)>) {
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
}
