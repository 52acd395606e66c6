//! Live: the metrics of a watch, served and exported.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use live::{Bench, agent_binary, one_at_a_time};
use workspace::child::Guarded;

/// Takes whatever is posted to it.
fn receiver() -> (String, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tell = tell.clone();
            std::thread::spawn(move || receive(stream, &tell));
        }
    });
    (url, told)
}

/// The requests of one connection.
fn receive(stream: TcpStream, tell: &mpsc::Sender<Vec<u8>>) -> Option<()> {
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
        tell.send(body).ok()?;
        let mut stream = &stream;
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

/// The text after a word of a file, once it is there.
fn wait_for(path: &Path, word: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let text = fs::read_to_string(path).expect("a file");
        if let Some((_, rest)) = text.split_once(word) {
            return rest.lines().next().unwrap_or_default().to_owned();
        }
        assert!(Instant::now() < deadline, "no {word:?} in {text}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn has(body: &[u8], name: &str) -> bool {
    body.windows(name.len()).any(|w| w == name.as_bytes())
}

#[test]
fn the_metrics_of_a_watch_are_served_and_exported() {
    let _guard = one_at_a_time();
    let folder = tempfile::tempdir().expect("a folder");
    let notes = folder.path().join("notes");
    let victim = ["--inject", "mutex", "--hold-us", "3000", "--gap-us", "2000"];
    let bench = Bench::start(500.0, 3000, &victim);
    let (url, exported) = receiver();
    let mut command = Command::new(agent_binary());
    command
        .args(["run", "--pid", &bench.victim.pid().to_string()])
        .args(["--interval", "200ms", "--listen", "127.0.0.1:0"])
        .args(["--otlp", &url, "--otlp-interval", "500ms"])
        .env_remove("NODE_NAME")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&notes).expect("a file"));
    let mut agent = Guarded::spawn(&mut command, "the agent").expect("the agent starts");
    let address = wait_for(&notes, "metrics on http://").replace("/metrics", "");
    wait_for(&notes, "watching pid");
    let stream = std::thread::spawn(move || bench.finish());
    let open_metrics = "application/openmetrics-text;version=1.0.0";
    let deadline = Instant::now() + Duration::from_secs(20);
    let text = loop {
        let text = String::from_utf8(scrape(&address, open_metrics).1).expect("text");
        // Named, told of its process, and judged.
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
    let protobuf = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
    let (head, native) = scrape(&address, protobuf);
    assert!(head.contains("encoding=delimited"), "{head}");
    assert!(has(&native, "tag52_message_age_seconds"));
    stream.join().expect("the stream ends");
    let status = agent.wait(Duration::from_secs(15)).expect("it ends");
    let said = fs::read_to_string(&notes).expect("a file");
    assert!(status.success() && !said.contains("fails"), "{said}");
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
