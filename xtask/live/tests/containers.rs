//! The image under podman, as a DaemonSet runs it: it watches a process in another container, which
//! has a cgroup, a PID namespace and a network of its own.
//!
//! Needs root, and the image: run it with `cargo xtask test`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lab::agent::{AgentProcess, MessageLine};
use lab::bench::Bench;
use lab::blame::Blame;
use lab::venue::{self, Venue};
use lab::{loaded_programs, tun, victims_program};
use live::one_at_a_time;
use tag52::host::Host;
use tools::containers::{Containers, finish};
use tools::rights::CAPABILITIES;

const POD: &str = "0c3ba5a1-5f0c-4d1e-9c36-0123456789ab";

/// What a container on a node gets: half a CPU at the most, a quarter in any case.
const QUOTA_US: u64 = 20_000;
const PERIOD_US: u64 = 100_000;
const SHARES: u64 = 256;

/// The storage with the image under test in it.
struct Node {
    containers: Containers,
    image: String,
}

impl Node {
    fn start() -> Self {
        let layout = std::env::var_os("TAG52_IMAGE")
            .map_or_else(|| workspace::target().join("image/layout"), PathBuf::from);
        assert!(
            layout.join("index.json").is_file(),
            "{} is missing: run `cargo xtask image --arch {}`",
            layout.display(),
            std::env::consts::ARCH
        );
        let containers = Containers::open().expect("podman");
        let image = containers.load(&layout).expect("the image");
        Self { containers, image }
    }

    /// A victim in a pod, and its pid on the host.
    fn pod(&self, options: venue::VenueOptions, victim: &[&str]) -> Pod {
        // The namespace is a thread's, and the venue's threads inherit it.
        let (venue, network) = std::thread::scope(|scope| {
            let enter = scope.spawn(|| {
                let network = tun::enter_alone().expect("a network namespace");
                (Venue::start(options).expect("a venue"), network)
            });
            enter.join().expect("no panic")
        });
        let root = self.containers.folder().join("rootfs");
        root_folder(&root).expect("a root folder");
        let port = venue.port().to_string();
        let victims = victims_program::path().expect("the victims");
        let bench = Bench::of(venue, |log| {
            let mut command = self.containers.run();
            let at = |path: &Path| format!("{0}:{0}:ro", path.display());
            let logs = log.parent().expect("a folder");
            fs::set_permissions(logs, fs::Permissions::from_mode(0o777)).expect("opened");
            let logs = logs.display();
            command
                .args(["--rm", "--name", "victim", "--user", "1000:1000"])
                .args(["--cgroup-parent", &format!("/kubepods/burstable/pod{POD}")])
                .args(["--cpu-quota", &QUOTA_US.to_string()])
                .args(["--cpu-period", &PERIOD_US.to_string()])
                .args(["--cpu-shares", &SHARES.to_string()])
                .arg("--network")
                .arg(format!(
                    "ns:/proc/{}/fd/{}",
                    std::process::id(),
                    network.as_raw_fd()
                ))
                .args(["--volume", &at(Path::new("/usr"))])
                .args(["--volume", &at(&victims)])
                .args(["--volume", &format!("{logs}:{logs}")])
                .arg("--rootfs")
                .arg(&root)
                .arg(&victims)
                .args(["victim", "--venue", &port, "--log"])
                .arg(log)
                .args(victim);
            command
        })
        .expect("a victim in a container");
        let pid = self.inspect("{{.State.Pid}}", "victim");
        Pod {
            bench,
            pid: pid.parse().expect("a pid"),
            network,
        }
    }

    /// The agent in a container with these rights.
    fn agent(&self, rights: &[&str], arguments: &[&str]) -> AgentProcess {
        let mut command = self.containers.run();
        command
            .args(["--rm", "--name", "agent", "--pid", "host", "--read-only"])
            .args(["--network", "none", "--cgroupns", "private"])
            .args(["--volume", "/sys/fs/cgroup:/host/sys/fs/cgroup:ro"])
            .args(rights)
            .arg(&self.image)
            .arg("run")
            .args(arguments);
        AgentProcess::attach_with(command, Duration::from_secs(20)).expect("the agent attaches")
    }

    /// A field of a container that runs.
    fn inspect(&self, field: &str, container: &str) -> String {
        self.podman(&["inspect", "--format", field, container])
            .trim()
            .to_owned()
    }

    fn podman(&self, arguments: &[&str]) -> String {
        finish(self.containers.podman().args(arguments)).expect("podman")
    }
}

struct Pod {
    bench: Bench,
    pid: i32,
    network: File,
}

/// A root folder with nothing in it but the way to /usr.
fn root_folder(root: &Path) -> std::io::Result<()> {
    fs::create_dir_all(root)?;
    for name in ["bin", "lib", "lib64"] {
        let link = root.join(name);
        if fs::symlink_metadata(&link).is_err() {
            std::os::unix::fs::symlink(format!("usr/{name}"), link)?;
        }
    }
    Ok(())
}

/// The agent finds a pod that is at its limit, by itself, and watches it from before the first
/// message to its end: another user's process in a cgroup, a PID namespace and a network of its
/// own.
fn observe(rights: &[&str]) {
    let _guard = one_at_a_time();
    let node = Node::start();
    // 300 ms of work a second where 200 ms are allowed.
    let options = venue::VenueOptions::of(300.0, 600);
    let pod = node.pod(options, &["--work-us", "1000"]);
    let agent = node.agent(rights, &["--all", "--json", "messages"]);
    let facts = Host::new()
        .expect("a host")
        .process(u32::try_from(pod.pid).expect("a pid"));
    let limits = node.inspect(
        "{{.HostConfig.CpuQuota}} {{.HostConfig.CpuPeriod}} {{.Id}}",
        "victim",
    );
    let truth = pod.bench.finish(Duration::from_secs(30));
    let truth = truth.expect("it ends with the stream");
    // It takes in what is left, and reports the end.
    std::thread::sleep(Duration::from_secs(2));
    node.podman(&["kill", "--signal", "TERM", "agent"]);
    let outcome = agent.finish(Duration::from_secs(15)).expect("it ends");

    let stderr = &outcome.stderr;
    assert!(outcome.status.success(), "{}: {stderr:?}", outcome.status);
    assert_eq!(outcome.errors, Vec::<String>::new());
    // Other processes on this machine may read FIX too. What was read before its first observed
    // receive call is not reported.
    let ours = |m: &&MessageLine| m.msg_type == "8" && m.session.pid == pod.pid;
    let messages: Vec<&MessageLine> = outcome.messages.iter().filter(ours).collect();
    let first = messages.first().expect("a session was found").seq;
    let sent = || truth.sent.iter().filter(|sent| sent.seq >= first);
    assert!(
        sent().count() * 10 > truth.sent.len() * 9,
        "from {first} on"
    );
    assert_eq!(messages.len(), sent().count());
    for (message, sent) in messages.iter().zip(sent()) {
        assert_eq!(message.inexact(), None);
        assert_eq!(message.seq, sent.seq);
    }
    // It has another number inside.
    assert_eq!(facts.map(|facts| facts.inner_pid), Some(1));

    let summary = outcome.summary.expect("a summary");
    let mut sessions = summary["sessions"].as_array().expect("sessions").clone();
    sessions.retain(|session| session["session"]["pid"] == pod.pid);
    let limit = &sessions[0]["verdict"]["cpu"]["limit"];
    let words: Vec<&str> = limits.split(' ').collect();
    let [quota, period, id] = words[..] else {
        panic!("{limits}");
    };
    let process = &sessions[0]["process"];
    assert_eq!(process["pid"], pod.pid, "{process}");
    assert_eq!(process["container_pid"], 1, "{process}");
    assert_eq!(process["container_id"], id, "{process}");
    assert_eq!(process["pod_uid"], POD, "{process}");
    assert_eq!(process["qos"], "burstable", "{process}");
    let micros = |text: &str| text.parse::<u64>().expect("a number") * 1000;
    let cgroup = format!("/kubepods/burstable/pod{POD}/libpod-{id}");
    assert!(
        limit["cgroup"]
            .as_str()
            .is_some_and(|path| path.ends_with(&cgroup)),
        "{limit}"
    );
    assert_eq!(limit["quota_ns"], micros(quota));
    assert_eq!(limit["period_ns"], micros(period));

    let part = |part: &str| messages.iter().map(|m| m.part(part)).sum::<i64>();
    let age: i64 = messages.iter().map(|message| message.age_ns).sum();
    let throttled = part("throttle");
    assert!(throttled > age / 4, "{throttled} of {age}");
    let blame = Blame::of(&serde_json::json!({"sessions": sessions})).expect("blame");
    let quota = blame.share("throttle", |row| row.ends(&cgroup));
    // Waits before its cgroup was resolved are not.
    assert!(quota > 0.8, "{quota} is blamed on the pod's quota");

    // Nothing was out of reach.
    let anomalies = &summary["health"]["anomalies"];
    for kind in ["mapped_file_unreadable", "object_closed"] {
        assert_eq!(anomalies[kind], 0, "{kind}: {stderr:?}");
    }
    drop(pod.network);
}

#[test]
fn a_privileged_agent_finds_the_process_of_another_pod() {
    observe(&["--privileged"]);
}

/// The rights of `deploy/overlays/unprivileged`.
#[test]
fn four_capabilities_are_enough() {
    let names = CAPABILITIES.map(|(name, _)| name).join(",");
    observe(&[
        "--cap-drop=all",
        &format!("--cap-add={names}"),
        "--security-opt=no-new-privileges",
        "--security-opt=seccomp=unconfined",
    ]);
}

/// Ends an agent with this signal; how long that took and with which exit code. Its probes go with
/// it.
fn end(signal: &str) -> (Duration, Option<i32>) {
    let _guard = one_at_a_time();
    let node = Node::start();
    let pod = node.pod(venue::VenueOptions::of(100.0, 10_000), &[]);
    pod.bench.venue.open_gate();
    let arguments = ["--all", "--quiet", "--listen", "0.0.0.0:9752"];
    let agent = node.agent(&["--privileged"], &arguments);
    let programs = programs_of(&node.inspect("{{.State.Pid}}", "agent"));
    assert!(programs.len() > 5, "{programs:?}");
    let loaded = loaded_programs::list().expect("listed");
    assert!(programs.iter().all(|id| loaded.contains_key(id)));
    let asked = Instant::now();
    node.podman(&["kill", "--signal", signal, "agent"]);
    let outcome = agent.finish(Duration::from_secs(20)).expect("it ends");
    let took = asked.elapsed();
    // The kernel takes them apart in its own time.
    let left = || {
        let loaded = loaded_programs::list().expect("listed");
        programs.iter().filter(|id| loaded.contains_key(id)).count()
    };
    let deadline = Instant::now() + Duration::from_secs(5);
    while left() > 0 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(left(), 0, "probes are left behind");
    drop(pod.network);
    (took, outcome.status.code())
}

#[test]
fn sigterm_ends_it_at_once_and_no_probe_stays() {
    let (took, code) = end("TERM");
    eprintln!(
        "ended {} ms after SIGTERM, podman included",
        took.as_millis()
    );
    assert_eq!(code, Some(0));
    // What the manifests grant before SIGKILL.
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn no_probe_outlives_a_killed_agent() {
    let (_, code) = end("KILL");
    assert_eq!(code, Some(137));
}

/// The ids of the eBPF programs a process holds.
fn programs_of(pid: &str) -> BTreeSet<u32> {
    let folder = fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("listed");
    let texts = folder.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
    let ids = texts.flat_map(|text| {
        let ids = text
            .lines()
            .filter_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok());
        ids.collect::<Vec<u32>>()
    });
    ids.collect()
}
