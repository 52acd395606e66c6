//! The endpoint over real connections.

use std::{io::Read as _, net::TcpStream, sync::Mutex};

use flate2::read::GzDecoder;
use tokio::sync::oneshot;

use super::*;
use crate::{
    model::Model,
    outputs::{OutputStatus, metrics::ExpositionFormat},
};

fn ask(address: SocketAddr, path: &str) -> String {
    String::from_utf8(ask_for(address, path, "")).expect("text")
}

fn ask_for(address: SocketAddr, path: &str, headers: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    answer
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(test);
}

#[test]
fn serves_both_and_ends_when_asked() {
    run(async {
        let endpoint = Endpoint::bind(([127, 0, 0, 1], 0).into())
            .await
            .expect("binds");
        let address = endpoint.address();
        let taken = Endpoint::bind(address).await;
        assert!(matches!(taken, Err(BindError::InUse(a)) if a == address));
        let mut silent = Heartbeat::new();
        silent.started = Instant::now()
            .checked_sub(MAX_SILENCE)
            .expect("up for ten seconds");
        let heartbeat = Arc::new(silent);
        let (end, ended) = oneshot::channel::<()>();
        let served = tokio::spawn(endpoint.serve(
            Exposition::new(
                Arc::new(Mutex::new(Model::at_zero())),
                OutputStatus::default(),
            ),
            Arc::clone(&heartbeat),
            async {
                let _ = ended.await;
            },
        ));
        let asked = tokio::task::spawn_blocking(move || {
            let silent = ask(address, "/healthz");
            heartbeat.beat();
            let alive = ask(address, "/healthz");
            // A request that never ends.
            let mut open = TcpStream::connect(address).expect("it listens");
            open.write_all(b"GET /metrics HTTP/1.1\r\nHost:")
                .expect("it reads");
            let open_metrics =
                "Accept: text/plain;q=0.5\r\nAccept: application/openmetrics-text\r\n";
            let metrics = ask_for(address, "/metrics", open_metrics);
            let metrics = String::from_utf8(metrics).expect("text");
            let packed = ask_for(address, "/metrics", "Accept-Encoding: gzip\r\n");
            (silent, alive, metrics, packed, ask(address, "/"), open)
        });
        let (silent, alive, metrics, packed, none, _open) = asked.await.expect("asks");
        assert!(silent.starts_with("HTTP/1.1 503"), "{silent}");
        assert!(
            alive.starts_with("HTTP/1.1 200") && alive.ends_with("\r\n\r\nok"),
            "{alive}"
        );
        let content_type = ExpositionFormat::OpenMetrics.content_type();
        assert!(metrics.contains(&format!("content-type: {content_type}\r\n")));
        let start = packed
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .expect("a head")
            + 4;
        let head = String::from_utf8_lossy(&packed[..start]);
        assert!(head.contains("content-encoding: gzip\r\n"), "{head}");
        let content_type = ExpositionFormat::Text.content_type();
        assert!(
            head.contains(&format!("content-type: {content_type}\r\n")),
            "{head}"
        );
        let mut text = String::new();
        let unpacked = GzDecoder::new(&packed[start..]).read_to_string(&mut text);
        unpacked.expect("gzip");
        assert!(
            text.contains("tag52_sessions 0\n") && !text.contains("# EOF"),
            "{text}"
        );
        assert!(metrics.contains("tag52_sessions 0\n") && metrics.ends_with("# EOF\n"));
        assert!(none.starts_with("HTTP/1.1 404"));
        end.send(()).expect("it still serves");
        let in_time = tokio::time::timeout(DRAIN_TIMEOUT * 3, served).await;
        in_time
            .expect("in time")
            .expect("no panic")
            .expect("no error");
    });
}

#[test]
fn an_address_of_another_machine_is_named_as_such() {
    run(async {
        let address = ([192, 0, 2, 1], 9452).into();
        let error = Endpoint::bind(address).await.expect_err("not ours");
        assert_eq!(
            error.to_string(),
            "cannot listen on 192.0.2.1:9452: it is not an address of this machine"
        );
    });
}
