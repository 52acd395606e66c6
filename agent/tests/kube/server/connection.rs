//! One connection: a request and its answer, which may be a stream of events.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Read, Write},
    thread,
};

use serde_json::{Value, json};

use super::state::{ApiRequest, CannedAnswer, ServerState, SharedState};

/// A connection, with TLS or without.
pub(super) trait ByteStream: Read + Write {}

impl<T: Read + Write> ByteStream for T {}

/// Answers one request.
pub(super) fn serve(connection: &mut dyn ByteStream, shared: &SharedState) -> io::Result<()> {
    let request = read_request(connection)?;
    let (request, answer) = {
        let mut state = shared.0.lock().expect("state");
        state.requests.push(request.clone());
        let at = state
            .answers
            .iter()
            .position(|(watch, _)| *watch == request.watch);
        let is_accepted = match (&state.tokens, &request.authorization) {
            (None, _) => true,
            (Some(tokens), sent) => sent.as_ref().is_some_and(|sent| tokens.contains(sent)),
        };
        if !is_accepted {
            drop(state);
            return refuse(connection, 401, "Unauthorized");
        }
        (request, at.and_then(|at| state.answers.remove(at)))
    };
    match answer {
        Some((_, CannedAnswer::Status(code, why))) => return refuse(connection, code, why),
        Some((_, CannedAnswer::Garbage)) => return reply(connection, 200, "<html>sign in</html>"),
        Some((_, CannedAnswer::Silence(long))) => {
            thread::sleep(long);
            return Ok(());
        }
        None => {}
    }
    if request.watch {
        stream(connection, &request, shared)
    } else {
        let (code, body) = list(&request, &shared.0.lock().expect("state"));
        reply(connection, code, &body)
    }
}

fn read_request(connection: &mut dyn ByteStream) -> io::Result<ApiRequest> {
    let mut lines = BufReader::new(connection).lines();
    let first = lines.next().ok_or(io::ErrorKind::UnexpectedEof)??;
    let mut authorization = None;
    for line in lines {
        let line = line?;
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                authorization = Some(value.to_owned());
            }
            Some(_) => {}
            None => break,
        }
    }
    let target = first.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    assert_eq!(path, "/api/v1/pods");
    let query: BTreeMap<_, _> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), decoded(value)))
        .collect();
    let watch = query.get("watch").is_some_and(|watch| watch == "true");
    Ok(ApiRequest {
        watch,
        authorization,
        query,
    })
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = u8::from_str_radix(&part[..2], 16).expect("a code");
        decoded.push(code.into());
        decoded.push_str(&part[2..]);
    }
    decoded
}

/// Whether a pod matches the field selector, if there is one.
fn selected(request: &ApiRequest, pod: &Value) -> bool {
    let Some(selector) = request.query.get("fieldSelector") else {
        return true;
    };
    let node = selector.strip_prefix("spec.nodeName=").expect("of a node");
    pod["spec"]["nodeName"] == node
}

fn list(request: &ApiRequest, state: &ServerState) -> (u16, String) {
    let from: usize = request
        .query
        .get("continue")
        .map_or(0, |next| next.parse().expect("a position"));
    assert!(
        from == 0 || !request.query.contains_key("resourceVersion"),
        "a page is as old as the first"
    );
    let all: Vec<_> = state
        .pods
        .values()
        .filter(|pod| selected(request, pod))
        .collect();
    let page: Vec<_> = all.iter().skip(from).take(state.page).collect();
    let next = from + page.len();
    let mut metadata = json!({"resourceVersion": state.version.to_string()});
    if next < all.len() {
        metadata["continue"] = json!(next.to_string());
    }
    let body = json!({"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": page});
    (200, body.to_string())
}

fn stream(
    connection: &mut dyn ByteStream,
    request: &ApiRequest,
    shared: &SharedState,
) -> io::Result<()> {
    let from = request
        .query
        .get("resourceVersion")
        .and_then(|from| from.parse().ok());
    let mut from: u64 = from.expect("a version to watch from");
    write!(
        connection,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n"
    )?;
    let mut state = shared.0.lock().expect("state");
    state.streams += 1;
    let number = state.streams;
    if from < state.oldest {
        let status = status(410, "too old resource version");
        chunk(connection, &json!({"type": "ERROR", "object": status}))?;
        return write!(connection, "0\r\n\r\n");
    }
    loop {
        // Without the last chunk: the stream breaks off.
        if state.ended || state.broken >= number {
            return Ok(());
        }
        let since = from;
        for (version, event) in state.events.iter().filter(|(version, _)| *version > since) {
            let is_pod = event["object"]["spec"].is_object();
            if !is_pod || selected(request, &event["object"]) {
                chunk(connection, event)?;
            }
            from = *version;
        }
        state = shared.1.wait(state).expect("state");
    }
}

fn chunk(connection: &mut dyn ByteStream, event: &Value) -> io::Result<()> {
    let line = format!("{event}\n");
    write!(connection, "{:x}\r\n{line}\r\n", line.len())
}

fn status(code: u16, why: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": why,
        "reason": "Failed", "code": code,
    })
}

fn refuse(connection: &mut dyn ByteStream, code: u16, why: &str) -> io::Result<()> {
    reply(connection, code, &status(code, why).to_string())
}

fn reply(connection: &mut dyn ByteStream, code: u16, body: &str) -> io::Result<()> {
    write!(
        connection,
        "HTTP/1.1 {code} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}
