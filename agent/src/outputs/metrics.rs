//! The model in the OpenMetrics text format.
//!
//! A collector reads the model at each scrape, so that there is no second store and the series of
//! ended sessions vanish. All values are in base units. Sessions with the same labels (a reconnect)
//! are added up.
//!
//! Counters only go up: where the venue's clock is ahead of ours, time in flight below zero counts
//! as 0 in `tag52_age_seconds_total` and the histograms, and what was left out is in
//! `tag52_negative_in_flight_seconds_total`. The first minus the second is the summed age.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use prometheus_client::{
    collector::Collector,
    encoding::{
        DescriptorEncoder, EncodeLabel, EncodeLabelSet, LabelSetEncoder, MetricEncoder, NoLabelSet,
        text::encode,
    },
    metrics::MetricType,
    registry::{Registry, Unit},
};

use crate::model::{
    Cause, Exclusions, Health, Histograms, Model, Part, Session, Stage, Sums, TapDelta,
    ThreadFacts, Verdict, labels,
};

/// The content type of [`Exposition::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Renders the model for a scrape.
#[derive(Debug)]
pub struct Exposition {
    registry: Registry,
}

impl Exposition {
    /// Of this model.
    #[must_use]
    pub fn new(model: Arc<Mutex<Model>>) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(ModelCollector(model)));
        Self { registry }
    }

    /// The whole text, ended by `# EOF`. Holds the model's lock only to copy its figures.
    ///
    /// # Errors
    /// When a value cannot be encoded, which is a defect.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

struct ModelCollector(Arc<Mutex<Model>>);

impl fmt::Debug for ModelCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ModelCollector")
    }
}

impl Collector for ModelCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        // Copied, so that the run loop does not wait for the text to be written.
        let (groups, agent) = {
            let model = lock(&self.0);
            (groups(&model), Agent::of(&model))
        };
        ages(&mut encoder, &groups)?;
        blame(&mut encoder, &groups)?;
        rest(&mut encoder, &groups)?;
        agent.encode(&mut encoder)
    }
}

/// The model, also after a panic elsewhere: its figures are each valid at any time.
fn lock(model: &Mutex<Model>) -> MutexGuard<'_, Model> {
    model.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sessions with the same labels, added up.
#[derive(Default)]
struct Group {
    labels: Labels,
    histograms: Histograms,
    sums: Sums,
    negative_ns: i128,
    resend_age_ns: i128,
    messages: u64,
    resends: u64,
    unknown: u64,
    ack_pending_ns: u128,
    skewed: u64,
    skew_latest_ns: i64,
    excluded: Exclusions,
    tap: TapDelta,
    threads: ThreadFacts,
    verdict: Option<Verdict>,
    /// Culprits with a series, nanoseconds.
    blame: BTreeMap<(Part, String), u64>,
    /// Of culprits that had a series, nanoseconds.
    retired: BTreeMap<Part, u64>,
}

/// The parts somebody is charged with.
const CHARGED: [Part; 4] = [
    Part::RunQueue,
    Part::Throttle,
    Part::LockWait,
    Part::Blocked,
];

impl Group {
    fn add(&mut self, session: &Session, model: &Model) {
        for part in CHARGED {
            for (culprit, ns) in model.blame_series(session, part) {
                *self.blame.entry((part, culprit.to_string())).or_default() += ns;
            }
            let retired = Model::blame_retired(session, part);
            if retired > 0 {
                *self.retired.entry(part).or_default() += retired;
            }
        }
        let total = &session.total;
        self.histograms.absorb(&session.histograms);
        self.sums.absorb(&total.sums);
        self.negative_ns += total.skew.sum_ns;
        self.resend_age_ns += total.resend_age_sum_ns().max(0);
        self.messages += total.messages();
        self.resends += total.resends();
        self.unknown += total.unknown_messages;
        self.ack_pending_ns += total.ack_pending_ns;
        self.skewed += total.skew.messages;
        // Sessions come in the order of first sight: the latest connection's stays.
        self.skew_latest_ns = total.skew.latest_ns;
        self.verdict.clone_from(&session.verdict);
        self.excluded.absorb(&total.excluded);
        self.tap.absorb(&total.tap);
        let threads = session.threads();
        self.threads.lock_waits += threads.lock_waits;
        self.threads.longest_lock_wait_ns = self
            .threads
            .longest_lock_wait_ns
            .max(threads.longest_lock_wait_ns);
    }
}

fn groups(model: &Model) -> Vec<Group> {
    let mut groups = BTreeMap::new();
    for session in model.sessions_with_metrics() {
        let (sender, target, pid, local_port) = labels(&session.name);
        groups
            .entry((sender, target, pid, local_port))
            .or_insert_with(|| Group {
                labels: Labels {
                    sender: sender.to_owned(),
                    target: target.to_owned(),
                    pid: pid.map(|pid| pid.to_string()).unwrap_or_default(),
                    local_port: local_port.map(|port| port.to_string()).unwrap_or_default(),
                },
                ..Group::default()
            })
            .add(session, model);
    }
    groups.into_values().collect()
}

/// The labels of a session. A group of sessions has no pid and no port.
#[derive(Default)]
struct Labels {
    sender: String,
    target: String,
    pid: String,
    local_port: String,
}

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> fmt::Result {
        for (key, value) in [
            ("sender", &self.sender),
            ("target", &self.target),
            ("pid", &self.pid),
            ("local_port", &self.local_port),
        ] {
            (key, value.as_str()).encode(encoder.encode_label())?;
        }
        Ok(())
    }
}

/// A session's labels and those of a cell.
struct With<'a, const N: usize>(&'a Labels, [(&'a str, &'a str); N]);

impl<const N: usize> EncodeLabelSet for With<'_, N> {
    fn encode(&self, encoder: &mut LabelSetEncoder) -> fmt::Result {
        self.0.encode(encoder)?;
        self.1.encode(encoder)
    }
}

fn seconds(ns: i128) -> f64 {
    ns as f64 / 1e9
}

/// Ages, their histograms and where they went.
fn ages(encoder: &mut DescriptorEncoder, groups: &[Group]) -> fmt::Result {
    let mut e = encoder.encode_descriptor(
        "tag52_message_age",
        "Age of fresh messages, from SendingTime (52) to hand-off; below zero counts as 0",
        Some(&Unit::Seconds),
        MetricType::Histogram,
    )?;
    for g in groups {
        let h = &g.histograms;
        histogram(&mut e, &g.labels, h.age_sum_ns, &h.age.seconds())?;
    }
    let mut e = encoder.encode_descriptor(
        "tag52_resend_age",
        "Age of resends (43=Y) from OrigSendingTime (122); below zero counts as 0",
        Some(&Unit::Seconds),
        MetricType::Histogram,
    )?;
    for g in groups {
        let buckets = g.histograms.resend_age.seconds();
        histogram(&mut e, &g.labels, g.resend_age_ns, &buckets)?;
    }
    let mut e = encoder.encode_descriptor(
        "tag52_stage",
        "How long fresh messages were in each stage",
        Some(&Unit::Seconds),
        MetricType::Histogram,
    )?;
    for g in groups {
        let sums = g.sums.with_skew_put_back(g.negative_ns);
        for stage in Stage::ALL {
            let buckets = g.histograms.stages[stage as usize].seconds();
            let labels = With(&g.labels, [("stage", stage.name())]);
            histogram(&mut e, &labels, sums.stage(stage), &buckets)?;
        }
    }
    let mut e = encoder.encode_descriptor(
        "tag52_part",
        "How long fresh messages waited for each part, over all stages",
        Some(&Unit::Seconds),
        MetricType::Histogram,
    )?;
    for g in groups {
        let sums = g.sums.with_skew_put_back(g.negative_ns);
        for part in Part::ALL {
            let buckets = g.histograms.parts[part as usize].seconds();
            let labels = With(&g.labels, [("part", part.name())]);
            histogram(&mut e, &labels, sums.part(part), &buckets)?;
        }
    }
    let mut e = encoder.encode_descriptor(
        "tag52_age",
        "Summed age of fresh messages by stage and part",
        Some(&Unit::Seconds),
        MetricType::Counter,
    )?;
    for g in groups {
        let sums = g.sums.with_skew_put_back(g.negative_ns);
        for (stage, part) in Stage::ALL
            .into_iter()
            .flat_map(|s| Part::ALL.map(|p| (s, p)))
        {
            let ns = sums.get(stage, part);
            if ns == 0 && !occurs(stage, part) {
                continue;
            }
            let labels = With(&g.labels, [("stage", stage.name()), ("part", part.name())]);
            counter(&mut e, &labels, seconds(ns))?;
        }
    }
    Ok(())
}

/// Who is charged with the parts.
fn blame(encoder: &mut DescriptorEncoder, groups: &[Group]) -> fmt::Result {
    let mut e = encoder.encode_descriptor(
        "tag52_blame",
        "Summed age of fresh messages by part and who is charged with it; the series of a part sum to it",
        Some(&Unit::Seconds),
        MetricType::Counter,
    )?;
    for g in groups {
        for part in CHARGED {
            let mut other = g.sums.part(part);
            for ((_, culprit), &ns) in g.blame.iter().filter(|((of, _), _)| *of == part) {
                other -= i128::from(ns);
                let labels = [("part", part.name()), ("culprit", culprit.as_str())];
                counter(&mut e, &With(&g.labels, labels), seconds(ns.into()))?;
            }
            if let Some(&ns) = g.retired.get(&part) {
                other -= i128::from(ns);
                let labels = [("part", part.name()), ("culprit", "earlier")];
                counter(&mut e, &With(&g.labels, labels), seconds(ns.into()))?;
            }
            let labels = [("part", part.name()), ("culprit", "other")];
            counter(&mut e, &With(&g.labels, labels), seconds(other))?;
        }
    }
    Ok(())
}

/// Whether a cell can hold time: in flight it is the network's, elsewhere never.
fn occurs(stage: Stage, part: Part) -> bool {
    part == Part::Unknown || (stage == Stage::InFlight) == (part == Part::Network)
}

/// The other figures of sessions.
fn rest(encoder: &mut DescriptorEncoder, groups: &[Group]) -> fmt::Result {
    let mut e = encoder.encode_descriptor(
        "tag52_messages",
        "Messages with an age, by kind",
        None,
        MetricType::Counter,
    )?;
    for g in groups {
        counter(&mut e, &With(&g.labels, [("kind", "fresh")]), g.messages)?;
        counter(&mut e, &With(&g.labels, [("kind", "resend")]), g.resends)?;
    }
    let mut e = encoder.encode_descriptor(
        "tag52_messages_excluded",
        "Messages without an age, by reason",
        None,
        MetricType::Counter,
    )?;
    for g in groups {
        for (reason, count) in g.excluded.iter() {
            counter(&mut e, &With(&g.labels, [("reason", reason.name())]), count)?;
        }
    }
    counters(
        encoder,
        groups,
        "tag52_messages_unknown",
        "Fresh messages with any time that was not observed",
        None,
        |g| g.unknown as f64,
    )?;
    counters(
        encoder,
        groups,
        "tag52_ack_pending",
        "Time of fresh messages in flight during which an acknowledgement of ours was pending",
        Some(&Unit::Seconds),
        |g| seconds(g.ack_pending_ns as i128),
    )?;
    counters(
        encoder,
        groups,
        "tag52_messages_skewed",
        "Fresh messages that were stamped ahead of our clock",
        None,
        |g| g.skewed as f64,
    )?;
    counters(
        encoder,
        groups,
        "tag52_negative_in_flight",
        "By how much skew made the summed age smaller than the parts of tag52_age",
        Some(&Unit::Seconds),
        |g| seconds(g.negative_ns),
    )?;
    counters(
        encoder,
        groups,
        "tag52_tap_skipped",
        "Bytes of the stream passed over to find the next message",
        Some(&Unit::Bytes),
        |g| g.tap.skipped_bytes as f64,
    )?;
    counters(
        encoder,
        groups,
        "tag52_tap_lost",
        "Bytes of the stream that never reached the agent",
        Some(&Unit::Bytes),
        |g| g.tap.lost_bytes as f64,
    )?;
    counters(
        encoder,
        groups,
        "tag52_tap_garbled",
        "Messages whose framing was wrong",
        None,
        |g| g.tap.garbled as f64,
    )?;
    counters(
        encoder,
        groups,
        "tag52_tap_incomplete_headers",
        "Messages whose header was too long or lacked a field",
        None,
        |g| g.tap.incomplete_headers as f64,
    )?;
    counters(
        encoder,
        groups,
        "tag52_lock_waits",
        "Lock waits of the ingest thread, timed-out ones joined",
        None,
        |g| g.threads.lock_waits as f64,
    )?;
    let mut e = encoder.encode_descriptor(
        "tag52_lock_wait_longest",
        "The longest lock wait of the ingest thread",
        Some(&Unit::Seconds),
        MetricType::Gauge,
    )?;
    for g in groups {
        let longest = seconds(i128::from(g.threads.longest_lock_wait_ns));
        e.encode_family(&g.labels)?.encode_gauge(&longest)?;
    }
    let mut e = encoder.encode_descriptor(
        "tag52_clock_skew",
        "How far the venue's clock was ahead of ours in the latest message",
        Some(&Unit::Seconds),
        MetricType::Gauge,
    )?;
    for g in groups {
        let skew = seconds(i128::from(g.skew_latest_ns));
        e.encode_family(&g.labels)?.encode_gauge(&skew)?;
    }
    verdicts(encoder, groups)
}

/// The verdict of the latest interval, for sessions that have one.
fn verdicts(encoder: &mut DescriptorEncoder, groups: &[Group]) -> fmt::Result {
    let judged = || groups.iter().filter_map(|g| Some((g, g.verdict.as_ref()?)));
    let mut e = encoder.encode_descriptor(
        "tag52_verdict",
        "Whether this was a cause of the ages in the latest interval: 1 or 0; no series without messages",
        None,
        MetricType::Gauge,
    )?;
    for (g, verdict) in judged() {
        for cause in Cause::ALL {
            let labels = With(&g.labels, [("cause", cause.name())]);
            let named = u64::from(verdict.causes.contains(&cause));
            e.encode_family(&labels)?.encode_gauge(&named)?;
        }
    }
    let mut e = encoder.encode_descriptor(
        "tag52_seconds_to_max_latency",
        "Time left until the age reaches MaxLatency; 0 when it has, no series when the age does not grow",
        None,
        MetricType::Gauge,
    )?;
    for (g, verdict) in judged() {
        if let Some(left) = verdict.flow.left {
            e.encode_family(&g.labels)?
                .encode_gauge(&left.as_secs_f64())?;
        }
    }
    Ok(())
}

/// The agent's account of itself.
struct Agent {
    health: Health,
    open_sessions: u64,
    started_utc_ns: i64,
}

impl Agent {
    fn of(model: &Model) -> Self {
        Self {
            health: model.health_ref().clone(),
            open_sessions: model.open_sessions() as u64,
            started_utc_ns: model.started_utc_ns(),
        }
    }

    fn encode(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let health = &self.health;
        let mut e = encoder.encode_descriptor(
            "tag52_events_lost",
            "Events lost by the agent, by kind; the messages they touched are unknown in part",
            None,
            MetricType::Counter,
        )?;
        for (kind, count) in health.lost() {
            counter(&mut e, &[("kind", kind)], count)?;
        }
        let mut e = encoder.encode_descriptor(
            "tag52_anomalies",
            "What should not happen and was survived, by kind",
            None,
            MetricType::Counter,
        )?;
        for (kind, count) in health.anomalies() {
            counter(&mut e, &[("kind", kind)], count)?;
        }
        let mut e = encoder.encode_descriptor(
            "tag52_probe_run",
            "Run time of each probe, by the kernel's statistics",
            Some(&Unit::Seconds),
            MetricType::Counter,
        )?;
        for probe in &health.probes {
            let labels = [("probe", probe.name.as_str())];
            counter(&mut e, &labels, seconds(i128::from(probe.run_time_ns)))?;
        }
        let mut e = encoder.encode_descriptor(
            "tag52_probe_runs",
            "Runs of each probe",
            None,
            MetricType::Counter,
        )?;
        for probe in &health.probes {
            counter(&mut e, &[("probe", probe.name.as_str())], probe.runs)?;
        }
        encoder
            .encode_descriptor(
                "tag52_ring_high_water",
                "The most bytes ever found waiting in the ring",
                Some(&Unit::Bytes),
                MetricType::Gauge,
            )?
            .encode_gauge(&health.ring_high_water_bytes)?;
        encoder
            .encode_descriptor("tag52_sessions", "Open sessions", None, MetricType::Gauge)?
            .encode_gauge(&self.open_sessions)?;
        encoder
            .encode_descriptor("tag52_build", "The agent", None, MetricType::Info)?
            .encode_info(&[
                ("version", env!("CARGO_PKG_VERSION")),
                ("arch", std::env::consts::ARCH),
            ])?;
        encoder
            .encode_descriptor(
                "process_start_time",
                "When the agent started, since 1970 UTC",
                Some(&Unit::Seconds),
                MetricType::Gauge,
            )?
            .encode_gauge(&seconds(i128::from(self.started_utc_ns)))
    }
}

fn counters(
    encoder: &mut DescriptorEncoder,
    groups: &[Group],
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: impl Fn(&Group) -> f64,
) -> fmt::Result {
    let mut e = encoder.encode_descriptor(name, help, unit, MetricType::Counter)?;
    for g in groups {
        counter(&mut e, &g.labels, value(g))?;
    }
    Ok(())
}

fn counter(
    encoder: &mut MetricEncoder,
    labels: &impl EncodeLabelSet,
    value: impl prometheus_client::encoding::EncodeCounterValue,
) -> fmt::Result {
    encoder
        .encode_family(labels)?
        .encode_counter::<NoLabelSet, _, f64>(&value, None)
}

fn histogram(
    encoder: &mut MetricEncoder,
    labels: &impl EncodeLabelSet,
    sum_ns: i128,
    buckets: &[(f64, u64)],
) -> fmt::Result {
    let count = buckets.iter().map(|&(_, count)| count).sum();
    encoder
        .encode_family(labels)?
        .encode_histogram::<NoLabelSet>(seconds(sum_ns), count, buckets, None)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        model::{
            Charge, Culprit, CulpritId, Excluded, Input, Message, Moment, ProbeCost, SessionId,
            samples::{any_message, message, session},
        },
        outputs::openmetrics::{Exposed, parse},
    };

    fn exposed(model: Model) -> (String, Exposed) {
        let text = Exposition::new(Arc::new(Mutex::new(model)))
            .text()
            .expect("encodes");
        let parsed = parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        (text, parsed)
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
    }

    fn check(all: &[Message], n: u16) -> Result<(), TestCaseError> {
        let mut model = Model::at_zero();
        all.iter().for_each(|m| model.observe(m));
        let (_, parsed) = exposed(model);
        let port = session(n).local.port().to_string();
        let of = [("local_port", port.as_str())];
        let fresh: Vec<_> = all.iter().filter(|m| m.session == session(n)).collect();
        let resends = fresh.iter().filter(|m| m.poss_dup).count();
        if fresh.is_empty() {
            return Ok(());
        }
        let fresh: Vec<_> = fresh.into_iter().filter(|m| !m.poss_dup).collect();
        let kind = |kind| parsed.sum("tag52_messages_total", &[of[0], ("kind", kind)]);
        prop_assert_eq!(kind("fresh"), fresh.len() as f64);
        prop_assert_eq!(kind("resend"), resends as f64);
        let count = parsed.sum("tag52_message_age_seconds_count", &of);
        prop_assert_eq!(count, fresh.len() as f64);
        let cells = parsed.sum("tag52_age_seconds_total", &of);
        let negative = parsed.sum("tag52_negative_in_flight_seconds_total", &of);
        let age: i128 = fresh.iter().map(|m| i128::from(m.split.age_ns())).sum();
        prop_assert!(close(cells - negative, seconds(age)));
        let age: i128 = fresh
            .iter()
            .map(|m| i128::from(m.split.age_ns().max(0)))
            .sum();
        prop_assert!(close(
            parsed.sum("tag52_message_age_seconds_sum", &of),
            seconds(age)
        ));
        for stage in Stage::ALL {
            let of = [of[0], ("stage", stage.name())];
            let sum = parsed.sum("tag52_stage_seconds_sum", &of);
            prop_assert!(close(sum, parsed.sum("tag52_age_seconds_total", &of)));
        }
        for part in CHARGED {
            let of = [of[0], ("part", part.name())];
            let sum = parsed.sum("tag52_blame_seconds_total", &of);
            prop_assert!(close(sum, parsed.sum("tag52_age_seconds_total", &of)));
        }
        for part in Part::ALL {
            let of = [of[0], ("part", part.name())];
            let sum = parsed.sum("tag52_part_seconds_sum", &of);
            prop_assert!(close(sum, parsed.sum("tag52_age_seconds_total", &of)));
            let count = parsed.sum("tag52_part_seconds_count", &of);
            prop_assert_eq!(count, fresh.len() as f64);
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn metrics_parse_and_agree_with_the_messages(
            all in prop::collection::vec((0_u16..3).prop_flat_map(any_message), 0..20),
        ) {
            for n in 0..3 {
                check(&all, n)?;
            }
        }
    }

    #[test]
    fn the_blame_of_a_part_sums_to_it_and_names_who_is_worth_it() {
        let mut model = Model::at_zero();
        for id in 1..=2 {
            let cgroup = format!("/{id}");
            let culprit = Arc::new(Culprit::Quota { cgroup });
            model.take(Moment::default(), &Input::Culprit(CulpritId(id), culprit));
        }
        let mut m = message(&session(0), 1, &[(Stage::Queued, Part::Throttle, 1_000)]);
        let charge = |id, ns| Charge {
            part: Part::Throttle,
            culprit: CulpritId(id),
            ns,
            held_back_ns: 0,
        };
        m.charges = vec![charge(1, 900), charge(2, 10)];
        model.observe(&m);
        let (text, parsed) = exposed(model);
        let of = |culprit| {
            let labels = [("part", "throttle"), ("culprit", culprit)];
            parsed.sum("tag52_blame_seconds_total", &labels) * 1e9
        };
        assert!(close(of("the quota of /1"), 900.0), "{text}");
        assert!(close(of("other"), 100.0), "{text}");
        assert!(!text.contains("the quota of /2"), "{text}");
    }

    fn busy_model() -> Model {
        let mut model = Model::at_zero();
        let mut id = (*session(0)).clone();
        id.sender = "A \"quoted\" \\ name\nof two lines".to_owned();
        let id: Arc<SessionId> = Arc::new(id);
        model.observe(&message(&id, 1, &[(Stage::Queued, Part::LockWait, 5_000)]));
        model.exclude(&id, Excluded::NoSendingTime);
        model.health().lose("ring_full", 2);
        model.health().anomaly("negative_interval", 1);
        model.health().probes.push(ProbeCost {
            name: "sched_switch".to_owned(),
            runs: 5,
            run_time_ns: 300,
        });
        model
    }

    #[test]
    fn names_are_the_ones_of_the_accounting_model() {
        let (text, parsed) = exposed(busy_model());
        for name in [
            "tag52_message_age_seconds_bucket",
            "tag52_stage_seconds_bucket",
            "tag52_part_seconds_bucket",
            "tag52_age_seconds_total",
            "tag52_blame_seconds_total",
            "tag52_messages_total",
            "tag52_messages_unknown_total",
            "tag52_messages_excluded_total",
            "tag52_messages_skewed_total",
            "tag52_ack_pending_seconds_total",
            "tag52_clock_skew_seconds",
            "tag52_tap_skipped_bytes_total",
            "tag52_tap_garbled_total",
            "tag52_lock_waits_total",
            "tag52_lock_wait_longest_seconds",
            "tag52_events_lost_total",
            "tag52_anomalies_total",
            "tag52_probe_run_seconds_total",
            "tag52_probe_runs_total",
            "tag52_build_info",
            "tag52_sessions",
            "process_start_time_seconds",
        ] {
            assert!(parsed.has(name), "{name} is missing in\n{text}");
        }
        let reason = [("reason", "no_sending_time")];
        assert_eq!(parsed.sum("tag52_messages_excluded_total", &reason), 1.0);
        assert_eq!(parsed.sum("tag52_lock_waits_total", &[]), 0.0);
        let sender = [("sender", "A \"quoted\" \\ name\nof two lines")];
        let cell = [sender[0], ("part", "lock_wait"), ("stage", "queued")];
        assert!(close(parsed.sum("tag52_age_seconds_total", &cell), 5e-6));
        assert!(text.ends_with("\n# EOF\n"));
    }

    #[test]
    fn the_verdict_has_a_series_per_cause() {
        let mut model = Model::at_zero();
        let old = [(Stage::Queued, Part::LockWait, 130_000_000_000)];
        model.observe(&message(&session(0), 1, &old));
        model.interval_now();
        let (text, parsed) = exposed(model);
        let of = |cause| parsed.sum("tag52_verdict", &[("cause", cause)]);
        assert_eq!(of("starved_by_lock"), 1.0, "{text}");
        assert_eq!(parsed.sum("tag52_verdict", &[]), 1.0);
        assert!(text.contains(r#"cause="healthy"} 0"#), "{text}");
        assert!(parsed.has("tag52_seconds_to_max_latency"));
        assert_eq!(parsed.sum("tag52_seconds_to_max_latency", &[]), 0.0);
    }

    #[test]
    fn reconnects_do_not_repeat_a_series() {
        let mut model = Model::at_zero();
        for port in 1..4 {
            let mut id = (*session(0)).clone();
            id.remote.set_port(port);
            let id = Arc::new(id);
            model.observe(&message(&id, 1, &[(Stage::InApp, Part::OnCpu, 1_000)]));
            model.end_session(&id);
        }
        let (_, parsed) = exposed(model);
        assert_eq!(
            parsed.sum("tag52_messages_total", &[("kind", "fresh")]),
            3.0
        );
    }

    #[test]
    fn a_thousand_sessions_stay_bounded() {
        let mut model = Model::at_zero();
        for n in 0..1000 {
            model.observe(&message(&session(n), 1, &[(Stage::InApp, Part::OnCpu, 1)]));
        }
        let started = std::time::Instant::now();
        let (text, parsed) = exposed(model);
        println!(
            "{} bytes in {:?} with parsing",
            text.len(),
            started.elapsed()
        );
        assert_eq!(parsed.sum("tag52_messages_total", &[]), 1000.0);
        assert_eq!(
            parsed.sum("tag52_messages_total", &[("sender", "other")]),
            744.0
        );
        assert_eq!(parsed.sum("tag52_sessions", &[]), 257.0);
    }

    /// An oracle that is not ours, where it is installed.
    #[test]
    fn promtool_accepts_the_metrics() {
        use std::{io::Write as _, process::Stdio};
        // Its `check metrics` reads the older text format: the same lines, without units, the info
        // type and the end mark.
        let (text, _) = exposed(busy_model());
        let text: String = text
            .lines()
            .filter(|l| !l.starts_with("# UNIT") && !l.ends_with(" info") && *l != "# EOF")
            .flat_map(|l| [l, "\n"])
            .collect();
        let child = std::process::Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            println!("promtool is not installed: not checked");
            return;
        };
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(text.as_bytes()).expect("it reads");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("error while linting"), "{said}");
    }
}
