//! The agent, with JSON lines or with its live view.

use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::Result;
use lab::agent::{AgentLaunch, AgentOutput, AgentProcess};

use super::DemoOptions;
use super::view::{ATTACH_LIMIT, LiveView};

/// The agent in one of its two modes.
pub(super) enum Observer {
    Lines(AgentProcess),
    View(LiveView),
}

impl Observer {
    /// Whether it uses the terminal.
    pub(super) fn is_view(&self) -> bool {
        matches!(self, Self::View(_))
    }

    /// Interrupts it and waits at most `limit` for its end.
    pub(super) fn interrupt_and_wait(&mut self, limit: Duration) {
        self.interrupt();
        let deadline = Instant::now() + limit;
        while self.ended().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(super) fn attach(
        options: &DemoOptions,
        binary: &Path,
        pid: i32,
        folder: &Path,
        sudo: bool,
    ) -> Result<Self> {
        if options.view.opens(options) {
            LiveView::start(binary, pid, folder, sudo).map(Self::View)
        } else {
            attach(binary, pid, sudo).map(Self::Lines)
        }
    }

    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        match self {
            Self::Lines(agent) => agent.ended(),
            Self::View(view) => view.ended(),
        }
    }

    pub(super) fn interrupt(&self) {
        match self {
            Self::Lines(agent) => agent.interrupt(),
            Self::View(view) => view.interrupt(),
        }
    }

    pub(super) fn finish(self, limit: Duration) -> Result<AgentOutput> {
        match self {
            Self::Lines(agent) => agent.finish(limit),
            Self::View(mut view) => view.finish(limit),
        }
    }
}

/// Starts the agent on `pid` and waits until its probes are attached.
fn attach(binary: &Path, pid: i32, sudo: bool) -> Result<AgentProcess> {
    let arguments = vec![
        "--pid".into(),
        pid.to_string(),
        "--json".into(),
        "messages".into(),
    ];
    let launch = AgentLaunch {
        binary,
        arguments,
        sudo,
        echo: true,
    };
    AgentProcess::attach(&launch, ATTACH_LIMIT)
}
