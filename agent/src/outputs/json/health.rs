//! The agent's account of itself.

use super::line::JsonLine;
use crate::domain::{Availability, Health};

impl JsonLine {
    pub(super) fn health(&mut self, health: &Health) {
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
            match &capability.availability {
                Availability::Observed(hook) => self.text("hook", hook),
                Availability::Unavailable(why) => {
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

    pub(super) fn counts(
        &mut self,
        key: &str,
        counts: impl IntoIterator<Item = (&'static str, u64)>,
    ) {
        self.key(key);
        self.open(b'{');
        for (kind, count) in counts {
            self.int(kind, count);
        }
        self.close(b'}');
    }
}
