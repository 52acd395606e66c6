//! One session: how old its messages are, why, and who is to blame.

use serde_json::{Value, json};

use super::dashboard::{Dashboard, Variable};
use super::look::{self, BAD, PLAIN, WARNING};
use super::panel::{Panel, bars, heatmap, lines, stack, stat, states, table};

const VARIABLES: &[Variable] = &[
    Variable {
        name: "instance",
        label: "Node",
        of: "tag52_messages_total",
        description: "The node an agent runs on",
    },
    Variable {
        name: "namespace",
        label: "Namespace",
        of: "tag52_messages_total",
        description: "Of the pod; empty outside of a cluster",
    },
    Variable {
        name: "pod",
        label: "Pod",
        of: "tag52_messages_total",
        description: "The pod that reads the messages; empty outside of a cluster",
    },
    Variable {
        name: "sender",
        label: "Sender",
        of: "tag52_messages_total",
        description: "SenderCompID (49): the venue",
    },
    Variable {
        name: "target",
        label: "Target",
        of: "tag52_messages_total",
        description: "TargetCompID (56): our side",
    },
    Variable {
        name: "pid",
        label: "PID",
        of: "tag52_messages_total",
        description: "The reading process, as the node numbers it",
    },
];

/// The processes of the chosen sessions: figures of processes have no sender and target.
const OF_THESE: &str = "and on (instance, pid) tag52_session_info{@}";
/// Fresh messages per second.
const MESSAGES: &str =
    "scalar(sum(rate(tag52_messages_total{@,kind=\"fresh\"}[$__rate_interval])))";

/// The dashboard.
pub(super) fn session() -> Dashboard {
    Dashboard::new(
        "tag52-session",
        "tag52 / Session",
        "One FIX session: how old its messages are when the application sees them, on what they spent that age, who is \
         to blame, and what would help. Choose one sender and one target; with several chosen, figures are of all of \
         them together.",
    )
    .variables(VARIABLES)
    .row("Now", now())
    .row("How old, and why", why())
    .row("Who, and what would help", who())
    .row("Flow", flow())
    .row("CPU beside the age", cpu())
    .row("What the figures rest on", rest())
}

fn now() -> Vec<Panel> {
    vec![
        stat(
            "Verdict",
            (5, 4),
            "What the matter is, by rules, in the latest interval; several when causes weigh about the same. healthy: \
             below 10 ms and not growing. The timeline below says what each one means.",
        )
        .query("{{cause}}", "max by (cause) (tag52_verdict{@} == 1)")
        .colours(&look::VERDICTS)
        .show_name()
        .without_data("no messages"),
        stat(
            "Age p99",
            (4, 4),
            "One message in a hundred is older than this when the application is through with it. Below 10 ms is normal.",
        )
        .query(
            "p99",
            "histogram_quantile(0.99, sum by (le) (rate(tag52_message_age_seconds_bucket{@}[$__rate_interval])))",
        )
        .unit("s")
        .decimals(1)
        .without_data("no messages")
        .good_until(&[(0.1, WARNING), (1.0, BAD)]),
        stat(
            "Growth",
            (4, 4),
            "Seconds of age gained per second. 0: the reader keeps up. 1: it stands still. Above 0 for long, the session \
             is lost, and the next figure says when.",
        )
        .query("growth", "max(tag52_age_growth_ratio{@})")
        .unit("suffix: s/s")
        .decimals(2)
        .without_data("too few messages")
        .good_until(&[(0.02, WARNING), (0.2, BAD)]),
        stat(
            "MaxLatency in",
            (4, 4),
            "At the present growth the age reaches MaxLatency in so long; then the engine refuses messages (35=3) and \
             logs out. 0: it has. \"not growing\" is normal.",
        )
        .query("left", "min(tag52_time_to_max_latency_seconds{@})")
        .unit("s")
        .decimals(1)
        .without_data("not growing")
        .from(BAD, &[(600.0, WARNING), (3600.0, look::GOOD)]),
        stat(
            "Backlog",
            (4, 4),
            "Messages sent and not yet handed off, about. A handful is normal. They are in our process, in our socket \
             queue or still at the venue.",
        )
        .query("backlog", "sum(tag52_backlog_messages{@})")
        .decimals(0)
        .without_data("unknown")
        .good_until(&[(100.0, WARNING), (1000.0, BAD)]),
        stat(
            "Unknown",
            (3, 4),
            "Share of messages with time the agent did not see. 0 is normal; it is not spread over the other parts. More \
             than a few per cent: see Node and agent.",
        )
        .query(
            "unknown",
            format!("sum(rate(tag52_messages_unknown_total{{@}}[$__rate_interval])) / {MESSAGES}"),
        )
        .unit("percentunit")
        .decimals(1)
        .without_data("no messages")
        .good_until(&[(0.01, WARNING), (0.05, BAD)]),
    ]
}

fn why() -> Vec<Panel> {
    let quantile = |q: &str| {
        format!(
            "histogram_quantile({q}, sum by (le) (rate(tag52_message_age_seconds_bucket{{@}}[$__rate_interval])))"
        )
    };
    vec![
        lines(
            "Age",
            (12, 10),
            "From the venue's own timestamp (tag 52) to the moment the application is through with the message. The axis is \
             logarithmic. Normal is flat, below 10 ms. When p50 climbs with p99 every message waits: a backlog. When only \
             p99 does, some wait: look for pauses. The dashed line is MaxLatency. Dots are single messages, with their \
             MsgSeqNum and thread. max is the upper end of the histogram's bucket.",
        )
        .query("p50", quantile("0.5"))
        .query("p90", quantile("0.9"))
        .query("p99", quantile("0.99"))
        .exemplars()
        .query("max", quantile("1"))
        .query("MaxLatency", "max(tag52_max_latency_seconds{instance=~\"$instance\"})")
        .only("p50", &[look::fixed("#009E73")])
        .only("p90", &[look::fixed("#56B4E9")])
        .only("p99", &[look::fixed("#E69F00")])
        .only("max", &[look::fixed("#999999"), ("custom.lineWidth", json!(1))])
        .only(
            "MaxLatency",
            &[look::fixed(BAD), dashed([8, 6]), ("custom.fillOpacity", json!(0))],
        )
        .unit("s")
        .logarithmic()
        .without_data("no messages"),
        stack(
            "Mean age by part",
            (12, 10),
            "What the mean message spent its age on: the height of the stack is the mean age, exactly. network: the venue \
             and the wire. on_cpu: the reader's own work. run_queue: other threads had its CPU. throttle: its CPU limit was \
             used up. lock_wait: a mutex or Python's GIL. blocked: a pipe, disk, database. unknown: not observed. The \
             largest colour is where to begin.",
        )
        .query(
            "{{part}}",
            format!("sum by (part) (rate(tag52_age_seconds_total{{@}}[$__rate_interval])) / {MESSAGES}"),
        )
        .colours(&look::PARTS)
        .unit("s")
        .without_data("no messages"),
        stack(
            "Mean age by stage",
            (12, 9),
            "Where the mean message was meanwhile: in_flight with the venue and the network; held_back at the sender because \
             our window was closed (we did not read: it is not the venue's fault); queued in our kernel's socket queue; \
             in_app in our process. Normal is a thin in_flight and a thin in_app.",
        )
        .query(
            "{{stage}}",
            format!("sum by (stage) (rate(tag52_age_seconds_total{{@}}[$__rate_interval])) / {MESSAGES}"),
        )
        .colours(&look::STAGES)
        .unit("s")
        .without_data("no messages"),
        heatmap(
            "Messages by age",
            (12, 9),
            "How many messages per second came out how old. One band is normal; two bands are two kinds of messages, or \
             pauses; a climbing band is a backlog.",
        )
        .query("{{le}}", "sum by (le) (rate(tag52_message_age_seconds_bucket{@}[$__rate_interval]))")
        .unit("s"),
        states(
            "Verdict over time",
            (24, 5),
            "The cause that weighed most in each interval. healthy: nothing to do. starved_by_lock: the reader waits for a \
             lock or the GIL; see who holds it below. throttled: the pod's CPU limit is used up; raise or remove it. \
             run_queue_pressure: others have its CPU; pin it, or give it a request. slow_sink: it sleeps in a call; make \
             that asynchronous. slow_handler: the work on a message is long but it keeps up. overloaded: more comes in than \
             one thread can do. network_or_venue_late: messages arrive old; ask the venue. clock_skew: the venue's clock \
             is ahead of ours; check NTP. unknown: nothing stands out, was not observed, or nothing is handed off any \
             more. A gap is no messages.",
        )
        .query("{{sender}} > {{target}} {{pod}} {{pid}}", verdict_index())
        .mappings(look::mapping(
            &(look::VERDICTS
                .iter()
                .zip(INDEX)
                .map(|(&(name, colour), index)| (index, name, colour))
                .collect::<Vec<_>>()),
        ))
        .without_data("no messages"),
    ]
}

/// The values that stand for the verdicts in the timeline.
const INDEX: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// PromQL has no text: a verdict becomes its index; of several the one that weighs most.
fn verdict_index() -> String {
    let each: Vec<String> = look::VERDICTS
        .iter()
        .zip(INDEX)
        .map(|((name, _), index)| {
            format!("0 * (tag52_verdict{{@,cause=\"{name}\"}} == 1) + {index}")
        })
        .collect();
    format!("max by (<session>) ({})", each.join(" or "))
}

fn who() -> Vec<Panel> {
    let share = "sum by (part, culprit) (increase(tag52_blame_seconds_total{@}[$__range])) / scalar(sum(increase(\
                 tag52_age_seconds_total{@}[$__range])))";
    let each = "sum by (part, culprit) (increase(tag52_blame_seconds_total{@}[$__range])) / scalar(sum(increase(\
                tag52_messages_total{@,kind=\"fresh\"}[$__range])))";
    vec![
        table(
            "Who is to blame",
            (14, 9),
            "Whom the messages waited for over the time range, the largest share of the age first: the thread that held the \
             lock, the threads that had the CPU, the cgroup whose limit ran out, the call and what it was on. What the \
             network and the reader's own work took has no culprit. \"other\" is everybody with less than 5 % of the part. \
             Begin with the first row.",
        )
        .query("share", format!("{share} > 0"))
        .query("each", format!("{each} > 0"))
        .transform("merge", json!({}))
        .transform(
            "organize",
            json!({
                "excludeByName": { "Time": true },
                "includeByName": {},
                "indexByName": { "culprit": 0, "part": 1, "Value #A": 2, "Value #B": 3 },
                "renameByName": {
                    "culprit": "Who, or what", "part": "Part", "Value #A": "Share of the age",
                    "Value #B": "Per message",
                },
            }),
        )
        .sorted("Share of the age", true)
        .only(
            "part",
            &[
                ("mappings", look::names(&look::PARTS)),
                ("custom.cellOptions", json!({ "type": "color-text" })),
                ("custom.width", json!(120)),
            ],
        )
        .only(
            "Value #A",
            &[
                ("unit", json!("percentunit")),
                ("decimals", json!(1)),
                ("min", json!(0)),
                ("max", json!(1)),
                ("custom.cellOptions", json!({ "type": "gauge", "mode": "basic", "valueDisplayMode": "text" })),
                ("color", json!({ "mode": "fixed", "fixedColor": BAD })),
                ("custom.width", json!(240)),
            ],
        )
        .only("Value #B", &[("unit", json!("s")), ("decimals", json!(2)), ("custom.width", json!(120))])
        .without_data("nobody is charged"),
        bars(
            "What if",
            (10, 9),
            "The age's p99 of the latest interval, as it was and as it would have been with one cause taken out: the same \
             arrivals, replayed. The shortest bar is the change that pays. It does not know what that change costs. It \
             ignores causes that would only take the first one's place.",
        )
        .query("{{scenario}}", "sort_desc(max by (scenario) (tag52_what_if_age_seconds{@}))")
        .only("none", &[("displayName", json!("as it was")), look::fixed("#999999")])
        .only("lock_wait", &[("displayName", json!("without lock_wait")), look::fixed("#D55E00")])
        .only("throttle", &[("displayName", json!("without throttle")), look::fixed("#CC79A7")])
        .only("run_queue", &[("displayName", json!("without run_queue")), look::fixed("#E69F00")])
        .only("blocked", &[("displayName", json!("without blocked")), look::fixed("#0072B2")])
        .only("half_on_cpu", &[("displayName", json!("handler twice as fast")), look::fixed("#E5D352")])
        .only("throttle_and_run_queue", &[("displayName", json!("more CPU")), look::fixed("#009E73")])
        .unit("s")
        .without_data("too few messages"),
        stack(
            "Lock waits: time of each message by holder",
            (12, 7),
            "The part lock_wait of the mean age, by who held the lock. A single holder: split its calls that hold the lock, \
             or move it to a process of its own. Many: the lock itself is the bottleneck.",
        )
        .query(
            "{{culprit}}",
            format!(
                "sum by (culprit) (rate(tag52_blame_seconds_total{{@,part=\"lock_wait\"}}[$__rate_interval])) / {MESSAGES}"
            ),
        )
        .unit("s")
        .without_data("no messages"),
        lines(
            "Lock waits: how many, and the longest",
            (12, 7),
            "Waits of the ingest thread for locks per second, and the longest one so far. Thousands of short waits are \
             hand-offs; few long ones are calls that do not let go.",
        )
        .query("waits per second", "sum(rate(tag52_lock_waits_total{@}[$__rate_interval]))")
        .query("longest", "max(tag52_lock_wait_longest_seconds{@})")
        .only("waits per second", &[look::fixed("#56B4E9")])
        .only(
            "longest",
            &[look::fixed("#D55E00"), ("unit", json!("s")), ("custom.axisPlacement", json!("right"))],
        )
        .at_least(0.0)
        .unit("suffix: /s")
        .calcs(&["lastNotNull"])
        .without_data("no messages"),
    ]
}

fn flow() -> Vec<Panel> {
    vec![
        lines(
            "Messages in and out",
            (12, 7),
            "Arrival: sent by the venue, by its own stamps. Drain: handed off by us. The same is normal. Drain below arrival: \
             the age grows by the difference. Drain above arrival: a backlog is being worked off.",
        )
        .query("arrival", "sum(tag52_arrival_messages_per_second{@})")
        .query("drain", "sum(tag52_drain_messages_per_second{@})")
        .only("arrival", &[look::fixed("#0072B2")])
        .only("drain", &[look::fixed("#E69F00")])
        .unit("suffix: msg/s")
        .at_least(0.0)
        .calcs(&["mean", "lastNotNull"])
        .without_data("no messages"),
        lines(
            "Backlog",
            (12, 7),
            "Sent and not yet handed off, in messages and in bytes, about. Near 0 is normal. More than the socket's receive \
             buffer (6 MiB by default) cannot be with us: the rest is held back at the sender.",
        )
        .query("messages", "sum(tag52_backlog_messages{@})")
        .query("bytes", "sum(tag52_backlog_bytes{@})")
        .only("messages", &[look::fixed("#0072B2")])
        .only(
            "bytes",
            &[look::fixed("#CC79A7"), ("unit", json!("bytes")), ("custom.axisPlacement", json!("right"))],
        )
        .at_least(0.0)
        .without_data("no messages"),
        lines(
            "Growth of the age",
            (8, 7),
            "Seconds of age gained per second. 0 is normal; below 0 a backlog is being worked off; 1 is standstill.",
        )
        .query("growth", "max(tag52_age_growth_ratio{@})")
        .only("growth", &[look::fixed("#D55E00")])
        .unit("suffix: s/s")
        .calcs(&["lastNotNull"])
        .without_data("too few messages"),
        lines(
            "Our window was closed",
            (8, 7),
            "Share of the time our receive window was closed, so that the venue could not send, and how often it closed. A stretch counts when it is over, so \
             that a point can be above 100 %. 0 is normal. Anything else is ours, not the venue's: the reader does not read.",
        )
        .query("closed", "sum(rate(tag52_window_closed_seconds_total{@}[$__rate_interval]))")
        .query("closures per second", "sum(rate(tag52_window_closures_total{@}[$__rate_interval]))")
        .only("closed", &[look::fixed("#882255")])
        .only(
            "closures per second",
            &[look::fixed("#999999"), ("unit", json!("short")), ("custom.axisPlacement", json!("right"))],
        )
        .unit("percentunit")
        .at_least(0.0)
        .calcs(&["lastNotNull"])
        .without_data("no messages"),
        lines(
            "Resends",
            (8, 7),
            "Messages with PossDup (43=Y) per second, and their p99 age since OrigSendingTime (122). They are kept apart from \
             fresh ones. A burst follows a gap in MsgSeqNum: a reconnect, or messages lost.",
        )
        .query("resends per second", "sum(rate(tag52_messages_total{@,kind=\"resend\"}[$__rate_interval]))")
        .query(
            "age p99",
            "histogram_quantile(0.99, sum by (le) (rate(tag52_resend_age_seconds_bucket{@}[$__rate_interval])))",
        )
        .only("resends per second", &[look::fixed("#9A8BD0")])
        .only(
            "age p99",
            &[look::fixed("#E69F00"), ("unit", json!("s")), ("custom.axisPlacement", json!("right"))],
        )
        .at_least(0.0)
        .calcs(&["lastNotNull"])
        .up_to(1.0)
        .without_data("no resends"),
    ]
}

fn cpu() -> Vec<Panel> {
    let cores = |metric: &str| {
        format!(
            "max by (instance, namespace, pod, container, pid) ({metric}{{instance=~\"$instance\",pid=~\"$pid\"}}) {OF_THESE}"
        )
    };
    let rate = |metric: &str| {
        format!(
            "max by (instance, namespace, pod, container, pid) (rate({metric}{{instance=~\"$instance\",pid=~\"$pid\"}}[$__rate_interval])) {OF_THESE}"
        )
    };
    vec![
        lines(
            "CPU use against limit and request",
            (12, 7),
            "CPUs used by the pod's cgroup (outside of a pod: the process's), beside its limit and request. Use at the limit \
             means throttling, whatever the mean says: a limit runs out within each 100 ms. Use far below it with an old age \
             means CPU is not the matter. Compare with the age on the right.",
        )
        .query("used {{pod}} {{pid}}", rate("tag52_cpu_usage_seconds_total"))
        .query("limit {{pod}} {{pid}}", cores("tag52_cpu_limit_cores"))
        .query("request {{pod}} {{pid}}", cores("tag52_cpu_request_cores"))
        .overridden(begins("used", &[look::fixed("#0072B2"), ("custom.fillOpacity", json!(20))]))
        .overridden(begins("limit", &[look::fixed(BAD), dashed([8, 6])]))
        .overridden(begins("request", &[look::fixed("#009E73"), dashed([2, 6])]))
        .unit("suffix: CPUs")
        .decimals(2)
        .at_least(0.0)
        .without_data("no figures of this cgroup"),
        lines(
            "Mean age, and what throttling and the run queue took of it",
            (12, 7),
            "On the same time axis as the CPU use on the left: when the age rises while CPU use stays low, more CPU does not help.",
        )
        .query(
            "age",
            format!("sum(rate(tag52_age_seconds_total{{@}}[$__rate_interval])) / {MESSAGES}"),
        )
        .query(
            "{{part}}",
            format!("sum by (part) (rate(tag52_age_seconds_total{{@,part=~\"throttle|run_queue\"}}[$__rate_interval])) / {MESSAGES}"),
        )
        .colours(&look::PARTS)
        .only("age", &[look::fixed("#888888")])
        .unit("s")
        .at_least(0.0)
        .without_data("no messages"),
        lines(
            "Periods throttled",
            (12, 7),
            "Share of the cgroup's CPU periods (100 ms each, usually) in which its limit ran out. 0 is normal for a trading \
             process. Each such period stops the reader for the rest of it: raise the limit, or remove it and keep the request.",
        )
        .query(
            "{{pod}} {{pid}}",
            format!(
                "max by (instance, namespace, pod, container, pid) (rate(tag52_cpu_throttled_periods_total{{instance=~\"$instance\",pid=~\"$pid\"}}[$__rate_interval]) \
                 / (rate(tag52_cpu_periods_total{{instance=~\"$instance\",pid=~\"$pid\"}}[$__rate_interval]) > 0)) {OF_THESE}"
            ),
        )
        .unit("percentunit")
        .at_least(0.0)
        .at_most(1.0)
        .without_data("no CPU limit"),
        lines(
            "Time throttled",
            (12, 7),
            "Seconds per second the cgroup's run queues stood still because its limit had run out, summed over CPUs. 0 is normal.",
        )
        .query("{{pod}} {{pid}}", rate("tag52_cpu_throttled_seconds_total"))
        .unit("suffix: s/s")
        .at_least(0.0)
        .without_data("no CPU limit"),
    ]
}

/// An override of the series whose names begin with a word.
fn begins(word: &str, properties: &[(&str, Value)]) -> Value {
    let mut rule = look::by_name("", properties);
    rule["matcher"] = json!({ "id": "byRegexp", "options": format!("^{word}.*") });
    rule
}

/// A dashed line.
fn dashed(pattern: [u32; 2]) -> (&'static str, Value) {
    (
        "custom.lineStyle",
        json!({ "fill": "dash", "dash": pattern }),
    )
}

fn rest() -> Vec<Panel> {
    vec![
        lines(
            "Clock of the venue",
            (8, 7),
            "How far the venue's clock was ahead of ours in the latest message that was stamped ahead, and the share of such \
             messages. 0 is normal. With skew the part network is too small by as much: check NTP or PTP here, then ask the \
             venue.",
        )
        .query("ahead", "max(tag52_clock_skew_seconds{@})")
        .query("share of messages", format!("sum(rate(tag52_messages_skewed_total{{@}}[$__rate_interval])) / {MESSAGES}"))
        .query(
            "hidden from the age",
            format!("sum(rate(tag52_negative_in_flight_seconds_total{{@}}[$__rate_interval])) / {MESSAGES}"),
        )
        .only("ahead", &[look::fixed("#9A8BD0")])
        .only("hidden from the age", &[look::fixed("#0072B2")])
        .only(
            "share of messages",
            &[look::fixed("#999999"), ("unit", json!("percentunit")), ("custom.axisPlacement", json!("right"))],
        )
        .unit("s")
        .calcs(&["lastNotNull"])
        .up_to(0.001)
        .without_data("no messages"),
        lines(
            "Messages that could not be measured",
            (8, 7),
            "Per second: with unknown time, excluded (by reason), garbled, with a header that could not be read. All 0 is \
             normal. They are counted here and in no other figure.",
        )
        .query("unknown in part", "sum(rate(tag52_messages_unknown_total{@}[$__rate_interval]))")
        .query("excluded: {{reason}}", "sum by (reason) (rate(tag52_messages_excluded_total{@}[$__rate_interval])) > 0")
        .query("garbled", "sum(rate(tag52_tap_garbled_total{@}[$__rate_interval]))")
        .query("header incomplete", "sum(rate(tag52_tap_incomplete_headers_total{@}[$__rate_interval]))")
        .unit("suffix: msg/s")
        .at_least(0.0)
        .calcs(&["lastNotNull"])
        .up_to(1.0)
        .without_data("no messages"),
        lines(
            "Bytes of the stream passed over or lost",
            (8, 7),
            "Bytes per second the agent skipped to find the next message, and those that never reached it. 0 is normal; a few \
             when it attached to a running session.",
        )
        .query("passed over", "sum(rate(tag52_tap_skipped_bytes_total{@}[$__rate_interval]))")
        .query("lost", "sum(rate(tag52_tap_lost_bytes_total{@}[$__rate_interval]))")
        .unit("Bps")
        .at_least(0.0)
        .calcs(&["lastNotNull"])
        .up_to(100.0)
        .without_data("no messages"),
        lines(
            "In flight: our own late acknowledgements",
            (12, 7),
            "Of the mean time in flight, how much an acknowledgement of ours was pending. 0 is normal. Otherwise the venue waits \
             for our ACK before it sends (Nagle): it is our delay, not the network's; ask the venue for TCP_NODELAY.",
        )
        .query(
            "in flight",
            format!("sum(rate(tag52_stage_seconds_sum{{@,stage=\"in_flight\"}}[$__rate_interval])) / {MESSAGES}"),
        )
        .query(
            "acknowledgement pending",
            format!("sum(rate(tag52_ack_pending_seconds_total{{@}}[$__rate_interval])) / {MESSAGES}"),
        )
        .only("in flight", &[look::fixed("#56B4E9")])
        .only("acknowledgement pending", &[look::fixed("#D55E00")])
        .unit("s")
        .at_least(0.0)
        .calcs(&["lastNotNull"])
        .without_data("no messages"),
        lines(
            "Messages with more than 10 ms of a part",
            (12, 7),
            "Share of messages that spent more than 10 ms on each part: whether a part touches all messages or only some. 0 is \
             normal.",
        )
        .query(
            "{{part}}",
            "1 - sum by (part) (rate(tag52_part_seconds_bucket{@,le=\"0.01\"}[$__rate_interval])) / sum by (part) \
             (rate(tag52_part_seconds_count{@}[$__rate_interval]))",
        )
        .colours(&look::PARTS)
        .unit("percentunit")
        .at_least(0.0)
        .at_most(1.0)
        .without_data("no messages"),
        table(
            "What the session is",
            (24, 4),
            "The reading process and where it runs. container_pid is its pid as seen inside of its container.",
        )
        .query(
            "info",
            "max by (sender, target, pid, comm, container_pid, instance, node, namespace, pod, container, pod_uid, \
             container_id) (tag52_session_info{@})",
        )
        .transform(
            "organize",
            json!({
                "excludeByName": { "Time": true, "Value": true },
                "includeByName": {},
                "indexByName": {
                    "sender": 0, "target": 1, "comm": 2, "pid": 3, "container_pid": 4, "instance": 5, "node": 6,
                    "namespace": 7, "pod": 8, "container": 9, "pod_uid": 10, "container_id": 11,
                },
                "renameByName": {},
            }),
        )
        .from(PLAIN, &[])
        .without_data("no session"),
    ]
}
