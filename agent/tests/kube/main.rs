//! Follows the pods of a server that does everything a real one may do.

mod secure;
mod server;
#[path = "../tls/mod.rs"]
mod tls;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use kube::Config;
use serde_json::json;
use server::{ApiServer, CannedAnswer, pod};
use tag52::{
    domain::{Container, Pod, ProcessInfo},
    kube::{KubeSetup, KubeTimeouts, PodDirectory},
};

const NODE: &str = "node-1.example";

/// Pauses short enough for tests.
const SHORT_TIMEOUTS: KubeTimeouts = KubeTimeouts {
    first_retry: Duration::from_millis(20),
    max_retry: Duration::from_millis(100),
    response: Duration::from_secs(10),
};

/// Follows the pods of the node on a server at this address.
fn follow(address: SocketAddr) -> PodDirectory {
    follow_with_timeout(address, SHORT_TIMEOUTS.response)
}

/// The same, with a limit on answers.
fn follow_with_timeout(address: SocketAddr, response: Duration) -> PodDirectory {
    let mut config = Config::new(format!("http://{address}").parse().expect("an address"));
    config.default_retry = false;
    PodDirectory::start(KubeSetup {
        config,
        node: NODE.to_owned(),
        timeouts: KubeTimeouts {
            response,
            ..SHORT_TIMEOUTS
        },
    })
    .expect("a thread")
}

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(20), "never {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn name(kube: &PodDirectory, uid: &str) -> Option<String> {
    kube.pod(uid).map(|pod| pod.name.clone())
}

fn errors(kube: &PodDirectory) -> BTreeMap<String, u64> {
    let errors = kube.health().errors.into_iter();
    errors.filter(|&(_, n)| n > 0).collect()
}

/// A server with one pod, and a directory that follows it.
fn followed_server() -> (ApiServer, PodDirectory) {
    let server = ApiServer::start();
    server.put(pod("u1", "trading", "oms-0", NODE, &[("engine", "aa")]));
    let kube = follow(server.address());
    eventually("known", || name(&kube, "u1").is_some());
    eventually("watched", || server.watches() == 1);
    (server, kube)
}

#[test]
fn the_pods_of_this_node_and_no_others() {
    let server = ApiServer::start();
    server.put(pod("u1", "trading", "oms-0", NODE, &[("engine", "aa")]));
    server.put(pod(
        "u2",
        "trading",
        "oms-1",
        "another",
        &[("engine", "bb")],
    ));
    let kube = follow(server.address());
    eventually("up", || kube.health().up && server.watches() == 1);
    assert!(kube.has_listed());
    server.put(pod(
        "u3",
        "trading",
        "oms-2",
        "another",
        &[("engine", "cc")],
    ));
    server.put(pod("u4", "trading", "oms-3", NODE, &[("engine", "dd")]));
    eventually("known", || name(&kube, "u4").is_some());
    assert_eq!(
        ["u1", "u2", "u3"].map(|uid| name(&kube, uid)),
        [Some("oms-0".to_owned()), None, None]
    );
    assert_eq!(kube.health().pods, 2);
    assert_eq!(errors(&kube), BTreeMap::new());
    for request in server.requests() {
        let selector = format!("spec.nodeName={NODE}");
        assert!(request.is("fieldSelector", &selector), "{request:?}");
        if request.watch {
            assert!(request.is("allowWatchBookmarks", "true"), "{request:?}");
        } else {
            // From the server's cache.
            assert!(request.is("resourceVersion", "0"), "{request:?}");
        }
    }
}

#[test]
fn a_process_gets_the_names_of_its_pod_and_container() {
    let (_server, kube) = followed_server();
    let mut facts = ProcessInfo {
        pid: 7,
        container: Some(Container {
            id: "aa".to_owned(),
            ..Container::default()
        }),
        pod: Some(Pod {
            uid: "u1".to_owned(),
            ..Pod::default()
        }),
        cpu_request_between: Some((1, 2)),
        ..ProcessInfo::default()
    };
    kube.add_names(&mut facts);
    let (pod, container) = (facts.pod.expect("a pod"), facts.container.expect("one"));
    assert_eq!(pod.namespace.as_deref(), Some("trading"));
    assert_eq!(pod.name.as_deref(), Some("oms-0"));
    assert_eq!(container.name.as_deref(), Some("engine"));
    assert_eq!(facts.cpu_request_millis, Some(250));
    assert_eq!(facts.cpu_request_between, None);
    assert_eq!(facts.cpu_limit_millis, Some(2000));
}

#[test]
fn a_container_is_restarted_and_a_pod_ends() {
    let (server, kube) = followed_server();
    let before = kube.generation();
    let mut again = pod("u1", "trading", "oms-0", NODE, &[("engine", "bb")]);
    again["status"]["containerStatuses"][0]["lastState"] =
        json!({"terminated": {"containerID": "containerd://aa", "exitCode": 1}});
    server.put(again);
    eventually("changed", || kube.generation() != before);
    let facts = kube.pod("u1").expect("known");
    // What it did before the restart is published with its name, too.
    assert_eq!(facts.container("aa"), facts.container("bb"));
    assert!(facts.container("bb").is_some());
    server.delete("u1");
    eventually("gone", || kube.health().pods == 0);
    assert_eq!(name(&kube, "u1").as_deref(), Some("oms-0"));
}

#[test]
fn hundreds_of_pods_come_in_pages() {
    let server = ApiServer::start();
    for n in 0..500 {
        server.put(pod(
            &format!("u{n}"),
            "trading",
            &format!("oms-{n}"),
            NODE,
            &[("engine", "aa"), ("side", "bb")],
        ));
    }
    server.set_page(100);
    let kube = follow(server.address());
    eventually("all known", || kube.has_listed());
    assert_eq!((kube.health().pods, server.lists()), (500, 5));
    assert_eq!(name(&kube, "u499").as_deref(), Some("oms-499"));
    assert_eq!(errors(&kube), BTreeMap::new());
}

#[test]
fn a_watch_that_breaks_off_is_continued() {
    let (server, kube) = followed_server();
    for n in 2..5 {
        let uid = format!("u{n}");
        server.break_off();
        server.put(pod(&uid, "trading", "oms", NODE, &[("engine", "aa")]));
        eventually("known", || name(&kube, &uid).is_some());
        eventually("watched again", || server.watches() >= n);
    }
    assert_eq!(server.lists(), 1);
    eventually("up again", || kube.health().up);
}

#[test]
fn a_watch_continues_from_a_bookmark() {
    let (server, kube) = followed_server();
    let mark = server.bookmark();
    server.put(pod("u2", "trading", "oms-1", "another", &[]));
    // Only the next request shows that the bookmark has arrived.
    eventually("asked from there", || {
        server.break_off();
        std::thread::sleep(Duration::from_millis(50));
        let requests = server.requests();
        requests
            .last()
            .is_some_and(|request| request.is("resourceVersion", &mark.to_string()))
    });
    assert_eq!((server.lists(), kube.health().pods), (1, 1));
}

#[test]
fn an_outdated_version_is_listed_again() {
    let (server, kube) = followed_server();
    server.forget();
    eventually("listed again", || server.lists() == 2);
    // The same as an answer of its own, and with a pod that ended meanwhile.
    server.answer(true, CannedAnswer::Status(410, "too old resource version"));
    server.put(pod("u2", "trading", "oms-1", NODE, &[("engine", "aa")]));
    server.delete("u1");
    server.break_off();
    eventually("listed once more", || server.lists() == 3);
    eventually("replaced", || {
        kube.health().pods == 1 && name(&kube, "u2").is_some()
    });
    eventually("up", || kube.health().up);
    assert_eq!(errors(&kube).get("gone"), Some(&2));
}

#[test]
fn refusals_are_counted_by_kind() {
    let server = ApiServer::start();
    server.put(pod("u1", "trading", "oms-0", NODE, &[("engine", "aa")]));
    let why = "pods is forbidden: User \"system:serviceaccount:monitoring:tag52\" cannot list \
               resource \"pods\"";
    for _ in 0..3 {
        server.answer(false, CannedAnswer::Status(403, why));
    }
    server.answer(false, CannedAnswer::Status(401, "Unauthorized"));
    server.answer(false, CannedAnswer::Status(503, "apiserver not ready"));
    server.answer(true, CannedAnswer::Status(403, why));
    let kube = follow(server.address());
    eventually("refused", || errors(&kube).contains_key("forbidden"));
    eventually("known", || name(&kube, "u1").is_some());
    eventually("up", || kube.health().up && server.watches() == 2);
    let expected = [("forbidden", 4), ("server", 1), ("unauthorized", 1)];
    assert_eq!(
        errors(&kube),
        expected.map(|(kind, n)| (kind.to_owned(), n)).into()
    );
    // All kinds are reported from the beginning.
    assert_eq!(kube.health().errors.len(), 9);
}

#[test]
fn the_server_may_start_later_and_stop_again() {
    // No other test has a server on this address, so that the port stays free.
    let address = ApiServer::at(SocketAddr::from(([127, 0, 0, 2], 0))).address();
    let kube = follow(address);
    eventually("tried", || errors(&kube).get("unreachable") > Some(&1));
    assert!(!kube.health().up && !kube.has_listed());
    let server = ApiServer::at(address);
    server.put(pod("u1", "trading", "oms-0", NODE, &[("engine", "aa")]));
    eventually("up", || kube.health().up && name(&kube, "u1").is_some());
    drop(server);
    eventually("down", || !kube.health().up);
    // The names are retained.
    assert_eq!(name(&kube, "u1").as_deref(), Some("oms-0"));
}

#[test]
fn answers_that_cannot_be_decoded_are_counted() {
    let server = ApiServer::start();
    server.put(pod("u1", "trading", "oms-0", NODE, &[("engine", "aa")]));
    server.answer(false, CannedAnswer::Garbage);
    let kube = follow(server.address());
    eventually("up", || kube.health().up && server.watches() == 1);
    assert_eq!(errors(&kube).get("decode"), Some(&1));
    server.garble();
    server.put(pod("u2", "trading", "oms-1", NODE, &[("engine", "bb")]));
    eventually("known", || name(&kube, "u2").is_some());
    assert!(errors(&kube).get("decode") > Some(&1));
}

#[test]
fn a_silent_server_is_given_up_on() {
    let server = ApiServer::start();
    server.put(pod("u1", "trading", "oms-0", NODE, &[("engine", "aa")]));
    server.answer(false, CannedAnswer::Silence(Duration::from_secs(4)));
    server.answer(true, CannedAnswer::Silence(Duration::from_secs(4)));
    let kube = follow_with_timeout(server.address(), Duration::from_millis(500));
    eventually("known", || name(&kube, "u1").is_some());
    eventually("watched", || server.watches() >= 2 && kube.health().up);
    assert!(errors(&kube).get("unreachable") >= Some(&2));
}

#[test]
fn ended_jobs_leave_nothing_behind() {
    let (server, kube) = followed_server();
    for n in 0..1000 {
        let uid = format!("job-{n}");
        let mut job = pod(&uid, "trading", &uid, NODE, &[("job", "cc")]);
        server.put(job.clone());
        job["status"]["phase"] = json!("Succeeded");
        server.put(job);
        server.delete(&uid);
    }
    server.put(pod("last", "trading", "last", NODE, &[]));
    eventually("through", || name(&kube, "last").is_some());
    assert_eq!(kube.health().pods, 2);
}
