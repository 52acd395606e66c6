//! A model with something of everything.

use std::sync::Arc;

use super::{SECOND, at};
use crate::{
    domain::{
        CgroupLevel, CgroupUse, Container, DiscoveryCounts, ExclusionReason, KubeHealth, OwnUse,
        Part, Pod, ProcessInfo, SessionId, Stage, Update,
        fixtures::{message, session, waiting},
    },
    model::Model,
    outputs::fixtures::{observed, switch_cost},
};

pub(in crate::outputs) fn busy_model() -> Model {
    let mut model = Model::at_zero();
    let mut id = (*session(0)).clone();
    id.sender = "A \"quoted\" \\ name\nof two lines".to_owned();
    let id: Arc<SessionId> = Arc::new(id);
    model.apply(
        at(1),
        &Update::Process(Box::new(ProcessInfo {
            pid: id.pid,
            inner_pid: 7,
            comm: "engine".to_owned(),
            container: Some(Container {
                id: "0123456789abcdef".to_owned(),
                ..Container::default()
            }),
            pod: Some(Pod {
                uid: "u-1".to_owned(),
                namespace: Some("desk".to_owned()),
                name: Some("drop-0".to_owned()),
                ..Pod::default()
            }),
            cpu_request_millis: Some(250),
            ..ProcessInfo::default()
        })),
    );
    let level = |path: &str, quota_ns, used| CgroupLevel {
        path: path.to_owned(),
        quota_ns,
        period_ns: 100_000_000,
        usage_ns: Some(used),
        periods: 10,
        throttled_periods: 3,
        throttled_ns: 5_000_000_000,
    };
    model.apply(
        at(1),
        &Update::Cgroup(Box::new(CgroupUse {
            pid: id.pid,
            levels: vec![
                level("/pod/container", Some(200_000_000), 7 * SECOND),
                level("/pod", Some(50_000_000), 9 * SECOND),
                level("/", None, 99 * SECOND),
            ],
        })),
    );
    for seq in 1..20 {
        let age = 5_000_000 * seq as i64;
        let mut m = message(
            &id,
            seq,
            &[
                (Stage::Queued, Part::LockWait, age),
                (Stage::InApp, Part::OnCpu, 1_000),
            ],
        );
        m.handed_off_ns += 1_000_000 * seq as i64;
        m.sent.utc_ns += 1_000_000 * seq as i64;
        model.observe(&m);
    }
    let now = waiting(SECOND, SECOND / 2, Part::Blocked);
    model.apply(at(1), &Update::Waiting(Arc::clone(&id), Box::new(now)));
    let mut resend = message(&id, 1, &[(Stage::InFlight, Part::Network, 60_000_000_000)]);
    resend.poss_dup = true;
    model.observe(&resend);
    model.exclude(&id, ExclusionReason::NoSendingTime);
    let health = model.health_mut();
    health.lose("ring_full", 2);
    health.anomaly("negative_interval", 1);
    health.probes.push(switch_cost(5, 300));
    let hook = observed("arrivals", "tp_btf sk_data_ready");
    health.capabilities.push(hook);
    health.discovery = Some(DiscoveryCounts {
        fix: 1,
        other: 2,
        not_selected: 3,
    });
    health.kube = Some(KubeHealth {
        up: true,
        pods: 4,
        errors: vec![("forbidden".to_owned(), 1)],
    });
    health.own = Some(OwnUse {
        resident_bytes: 1 << 20,
        cpu_ns: SECOND,
        open_fds: 9,
        max_fds: Some(1024),
    });
    model.take_interval(at(2));
    model
}
