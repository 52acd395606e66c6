//! Who a process is on a cluster: real cgroups named as a kubelet names them, a PID namespace, and
//! an API server that is not always of help.

#[expect(dead_code, reason = "the agent's own tests use the rest of it")]
#[path = "../../../../agent/tests/kube/server/mod.rs"]
mod server;
#[path = "../../../../agent/tests/tls/mod.rs"]
mod tls;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lab::agent::AgentProcess;
use lab::bench::Bench;
use lab::blame::Blame;
use lab::cgroup::Cgroup;
use lab::cpu;
use lab::venue::{self, Venue};
use lab::victims_program;
use server::{ApiServer, CannedAnswer, pod};

use live::{END_LIMIT, agent_binary, attached, one_at_a_time};

const NODE: &str = "node-1";
const UID: &str = "03f3f104-3215-44f2-9686-d4dd1f05a7ed";
const ID: &str = "09d185410c4e25236cc24717f881589bb0978b24eafd101624e627a4dd8d3439";

/// A victim with these options in a PID namespace of its own, and its pid out here.
fn contained(rate: f64, count: u64, victim: &[&str]) -> (Bench, i32) {
    let venue = Venue::start(venue::VenueOptions::of(rate, count)).expect("a venue");
    let port = venue.port().to_string();
    let victims = victims_program::path().expect("the victims");
    let bench = Bench::of(venue, |log| {
        let mut command = Command::new("unshare");
        command
            .args(["--pid", "--fork", "--kill-child"])
            .arg(victims)
            .args(["victim", "--venue", &port, "--log"])
            .arg(log)
            .args(victim);
        command
    })
    .expect("a bench");
    let outer = bench.victim.pid();
    let children = fs::read_to_string(format!("/proc/{outer}/task/{outer}/children"));
    let pid = children.expect("children").trim().parse().expect("one");
    (bench, pid)
}

fn kubeconfig(folder: &Path, server: &ApiServer) -> String {
    let file = folder.join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: c, cluster: {{server: 'http://{}'}}}}]\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         users: [{{name: u, user: {{}}}}]\n",
        server.address()
    );
    fs::write(&file, text).expect("written");
    file.to_str().expect("a path").to_owned()
}

/// An agent that asks the API, and is attached.
fn start(config: &str, words: &[&str]) -> AgentProcess {
    let api = ["--kube", "on", "--kubeconfig", config, "--node-name", NODE];
    attached([words, &api].concat())
}

fn parsed(line: &str) -> serde_json::Value {
    serde_json::from_str(line).expect("JSON")
}

#[test]
fn a_session_is_told_with_its_pod_as_soon_as_the_api_is_there() {
    let _guard = one_at_a_time();
    let folder = tempfile::tempdir().expect("a folder");
    let server = ApiServer::start();
    server.answer(
        false,
        CannedAnswer::Status(403, "User \"tag52\" cannot list resource \"pods\""),
    );
    let quota = (Duration::from_millis(50), Duration::from_millis(100));
    let groups = Cgroup::in_pod(UID, ID, quota.0, quota.1).expect("groups");
    let (bench, pid) = contained(200.0, 600, &[]);
    groups[0].add(pid).expect("moved");
    let config = kubeconfig(folder.path(), &server);
    let words = [
        "--pid",
        &pid.to_string(),
        "--json",
        "intervals",
        "--interval",
        "100ms",
    ];
    let agent = start(&config, &words);
    bench.venue.open_gate();
    // A second of it without a name, two with.
    std::thread::sleep(Duration::from_secs(1));
    server.put(pod(UID, "trading", "oms-0", NODE, &[("engine", ID)]));
    bench
        .conclude(Duration::from_secs(30))
        .expect("the stream ends");
    let outcome = agent.finish(END_LIMIT).expect("it ends");
    assert!(outcome.status.success(), "{:?}", outcome.stderr);
    for group in groups {
        drop(group);
    }

    let summary = outcome.summary.expect("a summary");
    let session = &summary["sessions"][0];
    let process = &session["process"];
    assert_eq!(process["pid"], pid, "{summary}");
    assert_eq!(process["container_pid"], 1);
    assert_eq!(process["comm"], "victims");
    assert_eq!(process["container_id"], ID);
    assert_eq!(process["pod_uid"], UID);
    assert_eq!(process["qos"], "burstable");
    for (key, expected) in [
        ("namespace", "trading"),
        ("pod", "oms-0"),
        ("container", "engine"),
    ] {
        assert_eq!(process[key], expected, "{process}");
    }
    // 250m, by the API; the limit is the cgroup's.
    assert_eq!(process["cpu_request_millis"], 250);
    let cpu = &session["verdict"]["cpu"];
    assert_eq!(cpu["request_cores"], 0.25, "{cpu}");
    assert_eq!(cpu["limit"]["quota_ns"], 50_000_000);
    let path = cpu["cgroup"].as_str().expect("a path");
    assert!(
        path.ends_with(&format!("/kubepods/burstable/pod{UID}/{ID}")),
        "{path}"
    );

    // At first there were ids only, and a line on standard error said why.
    let lines: Vec<_> = outcome.others.iter().map(|line| parsed(line)).collect();
    let first = lines.iter().find(|line| line["process"].is_object());
    let first = &first.expect("an interval")["process"];
    assert_eq!(first["pod_uid"], UID);
    assert!(first["pod"].is_null(), "{first}");
    let refused: Vec<_> = outcome
        .stderr
        .iter()
        .filter(|line| line.contains("grant its service account get, list and watch on pods"))
        .collect();
    assert_eq!(refused.len(), 1, "{:?}", outcome.stderr);
}

/// Mounts $1 where a pod has its service account, in a mount namespace of its own, and runs the
/// rest there.
const IN_A_POD: &str = "set -e
mount -t tmpfs none /run
mkdir -p /var/run/secrets/kubernetes.io/serviceaccount
mount --bind \"$1\" /var/run/secrets/kubernetes.io/serviceaccount
shift
exec env \"$@\"";

#[test]
fn a_pod_s_own_files_are_enough_and_a_new_token_is_taken_up() {
    let _guard = one_at_a_time();
    let authority = tls::Authority::new();
    let server = ApiServer::secure(authority.server("127.0.0.1"));
    server.set_tokens(&["first"]);
    server.put(pod(UID, "trading", "oms-0", NODE, &[("engine", ID)]));
    let account = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &str| {
        // At once, as a kubelet does it.
        let new = account.path().join("..new");
        fs::write(&new, text).expect("written");
        fs::rename(new, account.path().join(name)).expect("renamed");
    };
    put("ca.crt", authority.pem());
    put("namespace", "monitoring");
    put("token", "first\n");
    let quota = (Duration::from_millis(50), Duration::from_millis(100));
    let groups = Cgroup::in_pod(UID, ID, quota.0, quota.1).expect("groups");
    let (bench, pid) = contained(200.0, 400, &[]);
    groups[0].add(pid).expect("moved");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", IN_A_POD, "sh"])
        .arg(account.path())
        .arg("KUBERNETES_SERVICE_HOST=127.0.0.1")
        .arg(format!(
            "KUBERNETES_SERVICE_PORT={}",
            server.address().port()
        ))
        .arg(format!("NODE_NAME={NODE}"))
        .arg(agent_binary())
        .args(["run", "--json", "intervals", "--pid", &pid.to_string()]);
    let agent = AgentProcess::attach_with(command, Duration::from_secs(20));
    let agent = agent.expect("the agent attaches");
    bench.venue.open_gate();
    std::thread::sleep(Duration::from_millis(500));
    let watched = server.watches();
    put("token", "second\n");
    server.set_tokens(&["second"]);
    bench
        .conclude(Duration::from_secs(30))
        .expect("the stream ends");
    let outcome = agent.finish(Duration::from_secs(15)).expect("it ends");
    for group in groups {
        drop(group);
    }
    assert!(outcome.status.success(), "{:?}", outcome.stderr);
    let summary = outcome.summary.expect("a summary");
    let process = &summary["sessions"][0]["process"];
    assert_eq!(process["pod"], "oms-0", "{process}");
    let later = &server.requests()[1 + watched..];
    assert!(!later.is_empty(), "{:?}", outcome.stderr);
    for request in later {
        assert_eq!(request.authorization.as_deref(), Some("Bearer second"));
    }
}

#[test]
fn without_the_api_there_are_ids_and_what_was_asked_for() {
    let _guard = one_at_a_time();
    let quota = (Duration::from_millis(50), Duration::from_millis(100));
    let groups = Cgroup::in_pod(UID, ID, quota.0, quota.1).expect("groups");
    let (bench, pid) = contained(200.0, 100, &[]);
    groups[0].add(pid).expect("moved");
    let agent = live::watch(pid, &["--kube", "off"]);
    bench
        .finish(Duration::from_secs(30))
        .expect("the stream ends");
    let outcome = agent.finish(END_LIMIT).expect("it ends");
    for group in groups {
        drop(group);
    }
    let summary = outcome.summary.expect("a summary");
    let process = &summary["sessions"][0]["process"];
    assert_eq!(process["pod_uid"], UID, "{summary}");
    assert!(process["pod"].is_null());
    if process["cpu_request_millis"].is_null() {
        // v2: the weight stands for one of two requests, and above the limit there is none.
        let (least, most) = (
            &process["cpu_request_min_millis"],
            &process["cpu_request_max_millis"],
        );
        let (least, most) = (
            least.as_u64().expect("a bound"),
            most.as_u64().expect("a bound"),
        );
        assert!((least..=most).contains(&250) && most <= 500, "{process}");
    } else {
        assert_eq!(process["cpu_request_millis"], 250);
    }
}

/// The quota is the container's, the process in a group below it, as CRI-O makes them; on v2 that
/// one has no cpu controller.
#[test]
fn a_container_out_of_quota_is_named_by_its_cgroup() {
    let _guard = one_at_a_time();
    let quota = (Duration::from_millis(20), Duration::from_millis(100));
    let groups = Cgroup::in_pod(UID, ID, quota.0, quota.1).expect("groups");
    let inner = groups[0].child("container").expect("a child");
    let cpu = cpu::allowed()[0].to_string();
    let work = ["--work-us", "1000", "--cpu", &cpu];
    let (inside, pid) = contained(300.0, 600, &work);
    inner.add(pid).expect("moved");
    let (outside, _) = contained(200.0, 50, &[]);
    let words = ["--all", "--json", "messages", "--cgroup", "*/kubepods/*"];
    let agent = attached([&words[..], &["--kube", "off"]].concat());
    outside
        .finish(Duration::from_secs(30))
        .expect("the stream ends");
    inside
        .finish(Duration::from_mins(1))
        .expect("the stream ends");
    std::thread::sleep(Duration::from_millis(300));
    agent.interrupt();
    let outcome = agent.finish(END_LIMIT).expect("it ends");
    let stat = groups[0].stat().expect("cpu.stat");
    let container = groups[0].below();
    drop(inner);
    for group in groups {
        drop(group);
    }

    assert!(outcome.messages.iter().all(|m| m.session.pid == pid));
    let summary = outcome.summary.expect("a summary");
    let session = &summary["sessions"][0];
    assert_eq!(session["process"]["container_id"], ID, "{summary}");
    let of = |part| -> i64 { outcome.messages.iter().map(|m| m.part(part)).sum() };
    let (throttle, run_queue) = (of("throttle"), of("run_queue"));
    assert!(
        throttle > 2 * run_queue && throttle > 2 * of("on_cpu"),
        "throttled for {throttle} ns, in the run queue for {run_queue} ns"
    );
    let blame = Blame::of(&summary).expect("rows");
    assert_eq!(blame.inexact(), Vec::<String>::new());
    let its = blame.share("throttle", |row| {
        row.begins("the quota of /") && row.ends(&container)
    });
    assert!(its > 0.95, "{its} blamed on the quota: {summary}");
    let limit = &session["verdict"]["cpu"]["limit"];
    let path = limit["cgroup"].as_str().unwrap_or_default();
    assert!(path.ends_with(&container), "{limit}");
    assert_eq!(limit["quota_ns"], 20_000_000);
    let periods = limit["throttled_periods"].as_u64().unwrap_or(0);
    assert!(
        (1..=stat.throttled_periods).contains(&periods),
        "{limit} beside {stat:?}"
    );
}

#[test]
fn what_is_missing_is_said_at_once() {
    let refuse = |more: &[&str]| {
        let mut command = Command::new(agent_binary());
        command
            .args(["run", "--pid", &std::process::id().to_string()])
            .args(more);
        // Whatever is set up here is of no use to the test.
        for name in ["KUBECONFIG", "KUBERNETES_SERVICE_HOST", "NODE_NAME", "HOME"] {
            command.env_remove(name);
        }
        let output = command
            .env("HOME", "/nonexistent")
            .output()
            .expect("it runs");
        let text = String::from_utf8(output.stderr).expect("text");
        (output.status.code(), text)
    };
    let (code, text) = refuse(&["--kube", "on"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("--kubeconfig FILE"), "{text}");
    let (code, text) = refuse(&["--kubeconfig", "/nonexistent/config"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("/nonexistent/config"), "{text}");
    let folder = tempfile::tempdir().expect("a folder");
    let config = kubeconfig(folder.path(), &ApiServer::start());
    let (code, text) = refuse(&["--kubeconfig", &config]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("NODE_NAME"), "{text}");
    let (code, text) = refuse(&["--kubeconfig", &config, "--node-name", "a,b"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("is no node's name"), "{text}");
}

#[test]
fn only_what_a_namespace_holds_is_followed() {
    let _guard = one_at_a_time();
    let folder = tempfile::tempdir().expect("a folder");
    let server = ApiServer::start();
    server.put(pod(UID, "trading", "oms-0", NODE, &[("engine", ID)]));
    let quota = (Duration::from_millis(50), Duration::from_millis(100));
    let groups = Cgroup::in_pod(UID, ID, quota.0, quota.1).expect("groups");
    let (inside, pid) = contained(200.0, 200, &[]);
    groups[0].add(pid).expect("moved");
    let (outside, _) = contained(200.0, 50, &[]);
    let config = kubeconfig(folder.path(), &server);
    let words = ["--all", "--json", "messages", "--namespace", "trading"];
    let agent = start(&config, &words);
    outside
        .finish(Duration::from_secs(30))
        .expect("the stream ends");
    inside
        .finish(Duration::from_secs(30))
        .expect("the stream ends");
    std::thread::sleep(Duration::from_millis(300));
    agent.interrupt();
    let outcome = agent.finish(END_LIMIT).expect("it ends");
    for group in groups {
        drop(group);
    }
    let messages = outcome.messages.iter();
    let pids: std::collections::BTreeSet<i32> = messages.map(|m| m.session.pid).collect();
    assert_eq!(
        pids.into_iter().collect::<Vec<_>>(),
        [pid],
        "{:?}",
        outcome.stderr
    );
    let summary = outcome.summary.expect("a summary");
    assert_eq!(summary["sessions"][0]["process"]["pod"], "oms-0");
    let left = summary["health"]["discovery"]["not_selected"].as_u64();
    assert!(left >= Some(1), "{summary}");
}

#[test]
fn pods_are_not_selected_without_the_api() {
    let output = Command::new(agent_binary())
        .args(["run", "--all", "--namespace", "trading", "--kube", "off"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).expect("text");
    assert!(text.contains("give --kube on"), "{text}");
}
