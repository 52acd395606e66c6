//! CPU use beside the age.

use serde_json::{Value, json};

use super::{MESSAGES, OF_THESE};
use crate::panel::{Panel, lines};
use crate::style::{self, BAD};

pub(super) fn panels() -> Vec<Panel> {
    let cores = |metric: &str| {
        format!(
            "max by (instance, namespace, pod, container, pid) \
             ({metric}{{instance=~\"$instance\",pid=~\"$pid\"}}) {OF_THESE}"
        )
    };
    let rate = |metric: &str| {
        format!(
            "max by (instance, namespace, pod, container, pid) \
             (rate({metric}{{instance=~\"$instance\",pid=~\"$pid\"}}[$__rate_interval])) {OF_THESE}"
        )
    };
    vec![
        lines(
            "CPU use against limit and request",
            (12, 7),
            "CPUs used by the pod's cgroup (outside of a pod: the process's), beside its limit and \
             request. Use at the limit means throttling, whatever the mean says: a limit runs out \
             within each 100 ms. Use far below it with an old age means CPU is not the problem. \
             Compare with the age on the right.",
        )
        .query(
            "used {{pod}} {{pid}}",
            rate("tag52_cpu_usage_seconds_total"),
        )
        .query("limit {{pod}} {{pid}}", cores("tag52_cpu_limit_cores"))
        .query("request {{pod}} {{pid}}", cores("tag52_cpu_request_cores"))
        .overridden(begins(
            "used",
            &[style::fixed("#0072B2"), ("custom.fillOpacity", json!(20))],
        ))
        .overridden(begins("limit", &[style::fixed(BAD), style::dashed([8, 6])]))
        .overridden(begins(
            "request",
            &[style::fixed("#009E73"), style::dashed([2, 6])],
        ))
        .unit("suffix: CPUs")
        .decimals(2)
        .at_least(0.0)
        .without_data("no figures of this cgroup"),
        lines(
            "Mean age, and what throttling and the run queue took of it",
            (12, 7),
            "On the same time axis as the CPU use on the left: when the age rises while CPU use \
             stays low, more CPU does not help.",
        )
        .query(
            "age",
            format!("sum(rate(tag52_age_seconds_total{{@}}[$__rate_interval])) / {MESSAGES}"),
        )
        .query(
            "{{part}}",
            format!(
                "sum by (part) (rate(tag52_age_seconds_total{{@,part=~\"throttle|run_queue\"}}\
                 [$__rate_interval])) / {MESSAGES}"
            ),
        )
        .colours(&style::PARTS)
        .only("age", &[style::fixed("#888888")])
        .unit("s")
        .at_least(0.0)
        .without_data("no messages"),
        lines(
            "Periods throttled",
            (12, 7),
            "Share of the cgroup's CPU periods (100 ms each, usually) in which its limit ran out. \
             0 is normal for a trading process. Each such period stops the reader for the rest of \
             it: raise the limit, or remove it and keep the request.",
        )
        .query(
            "{{pod}} {{pid}}",
            format!(
                "max by (instance, namespace, pod, container, pid) \
                 (rate(tag52_cpu_throttled_periods_total\
                 {{instance=~\"$instance\",pid=~\"$pid\"}}[$__rate_interval]) / \
                 (rate(tag52_cpu_periods_total\
                 {{instance=~\"$instance\",pid=~\"$pid\"}}[$__rate_interval]) > 0)) {OF_THESE}"
            ),
        )
        .unit("percentunit")
        .at_least(0.0)
        .at_most(1.0)
        .without_data("no CPU limit"),
        lines(
            "Time throttled",
            (12, 7),
            "Seconds per second the cgroup's run queues stood still because its limit had run out, \
             summed over CPUs. 0 is normal.",
        )
        .query("{{pod}} {{pid}}", rate("tag52_cpu_throttled_seconds_total"))
        .unit("suffix: s/s")
        .at_least(0.0)
        .without_data("no CPU limit"),
    ]
}

/// Returns an override of the series whose names begin with `word`.
fn begins(word: &str, properties: &[(&str, Value)]) -> Value {
    let mut rule = style::by_name("", properties);
    rule["matcher"] = json!({ "id": "byRegexp", "options": format!("^{word}.*") });
    rule
}
