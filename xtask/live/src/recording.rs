//! A recording, and what was written live meanwhile.

use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use lab::agent::LoggedAgent;
use lab::bench::Bench;

use crate::{END_LIMIT, agent_binary};

/// A finished `tag52 record` on one victim.
#[derive(Debug)]
pub struct Recording {
    /// How the agent ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub live: String,
    /// Its standard error.
    pub notes: String,
    agent: LoggedAgent,
}

impl Recording {
    /// Records the victim to its end; `arguments` say what is written meanwhile.
    pub fn of(bench: Bench, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(agent_binary());
        command
            .args(["record", "--pid", &bench.victim.pid().to_string()])
            .args(arguments)
            .arg("-o")
            .arg(folder.path().join("recording"));
        let mut agent = LoggedAgent::start(folder, &mut command).expect("the agent starts");
        agent
            .wait_attached(Duration::from_secs(20))
            .expect("the agent attaches");
        bench
            .finish(Duration::from_secs(40))
            .expect("the victim ends with the stream");
        let status = agent.process.wait(END_LIMIT).expect("the agent ends");
        Self {
            status,
            live: agent.stdout().expect("its output"),
            notes: agent.stderr().expect("its notes"),
            agent,
        }
    }

    /// What a replay writes.
    pub fn replay(&self, json: &str) -> String {
        let output = Command::new(agent_binary())
            .args(["replay", "--json", json])
            .arg(self.agent.path("recording"))
            .stdin(Stdio::null())
            .output()
            .expect("the agent runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The recording itself.
    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.agent.path("recording")).expect("a recording")
    }
}
