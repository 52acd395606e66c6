//! Live: the metrics of a watch, served and exported.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use lab::agent::LoggedAgent;
use live::{Bench, agent_binary, one_at_a_time};

/// Takes whatever is posted to it.
fn receiver() -> (String, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let (sender, bodies) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || receive(&stream, &sender));
        }
    });
    (url, bodies)
}

/// The requests of one connection.
fn receive(mut stream: &TcpStream, sender: &mpsc::Sender<Vec<u8>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(bytes) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = bytes.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        sender.send(body).ok()?;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .ok()?;
    }
}

fn scrape(address: &str, accept: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n");
    let body = answer.split_off(end.expect("a head") + 4);
    (String::from_utf8(answer).expect("text"), body)
}

fn has(body: &[u8], name: &str) -> bool {
    body.windows(name.len()).any(|w| w == name.as_bytes())
}

#[test]
fn the_metrics_of_a_watch_are_served_and_exported() {
    let _guard = one_at_a_time();
    let victim = ["--inject", "mutex", "--hold-us", "3000", "--gap-us", "2000"];
    let bench = Bench::start(500.0, 3000, &victim);
    let (url, exported) = receiver();
    let mut command = Command::new(agent_binary());
    command
        .args(["run", "--pid", &bench.victim.pid().to_string()])
        .args(["--interval", "200ms", "--listen", "127.0.0.1:0"])
        .args(["--otlp", &url, "--otlp-interval", "500ms"])
        .env_remove("NODE_NAME");
    let folder = tempfile::tempdir().expect("a folder");
    let mut agent = LoggedAgent::start(folder, &mut command).expect("the agent starts");
    let limit = Duration::from_secs(20);
    let address = agent.wait_for("metrics on http://", limit);
    let address = address.expect("its address").replace("/metrics", "");
    agent.wait_attached(limit).expect("the agent attaches");
    let stream = std::thread::spawn(move || bench.finish());
    let open_metrics = "application/openmetrics-text;version=1.0.0";
    let deadline = Instant::now() + Duration::from_secs(20);
    let text = loop {
        let text = String::from_utf8(scrape(&address, open_metrics).1).expect("text");
        // With its name, its process and its verdict.
        if text.contains(",thread=\"") && text.contains("tag52_verdict{") {
            break text;
        }
        assert!(Instant::now() < deadline, "{text}");
        std::thread::sleep(Duration::from_millis(100));
    };
    for part in [
        "tag52_message_age_seconds_bucket{le=\"",
        "tag52_session_info{sender=\"",
        "tag52_what_if_age_seconds{sender=\"",
        "tag52_cpu_usage_seconds_total{pid=\"",
        "tag52_blame_seconds_total{sender=\"",
        "tag52_probe_runs_total{probe=\"",
        "tag52_capability{name=\"",
        "process_resident_memory_bytes ",
        " # {seq=\"",
    ] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let (head, older) = scrape(&address, "*/*");
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    assert!(has(&older, "# TYPE tag52_age_seconds_total counter"));
    let protobuf = "application/vnd.google.protobuf;\
                    proto=io.prometheus.client.MetricFamily;encoding=delimited";
    let (head, native) = scrape(&address, protobuf);
    assert!(head.contains("encoding=delimited"), "{head}");
    assert!(has(&native, "tag52_message_age_seconds"));
    stream.join().expect("the stream ends");
    let status = agent
        .process
        .wait(Duration::from_secs(15))
        .expect("it ends");
    let notes = agent.stderr().expect("its notes");
    assert!(status.success() && !notes.contains("fails"), "{notes}");
    let bodies: Vec<_> = exported.try_iter().collect();
    assert!(bodies.len() >= 2, "{} exports", bodies.len());
    for name in [
        "tag52_message_age_seconds",
        "tag52_series",
        "service.name",
        "host.name",
    ] {
        assert!(has(&bodies[bodies.len() - 1], name), "{name}");
    }
}
