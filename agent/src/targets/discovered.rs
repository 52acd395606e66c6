//! `--all`: from streams that were found to processes that are followed.

use std::{io, num::NonZeroU32};

use crate::{
    domain::Update,
    host::Host,
    kernel::{FunctionLocation, FunctionSearch, FunctionSpec, ProbeError},
    kube::{
        Kube,
        selector::{Answer, PodSelector},
    },
    targets::{
        discovery::{Decision, Discovery, Selector, Subject},
        target::Target,
    },
};

use crate::targets::exits::Ends;

/// The processes found to read FIX.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) discovery: Discovery,
    ends: Ends,
    /// Decided on since they were last taken.
    fresh: Vec<u32>,
    /// What was named with `--handoff`, and who looks for it.
    function: Option<(FunctionSpec, FunctionSearch)>,
}

/// What was decided on a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settled {
    pub(crate) pid: NonZeroU32,
    pub(crate) decision: Decision,
    /// Nothing was decided on it before.
    pub(crate) first: bool,
}

/// A process, as the machine knows it.
struct Seen<'a> {
    pid: u32,
    host: &'a Host,
    kube: Option<&'a Kube>,
}

impl Subject for Seen<'_> {
    fn comm(&self) -> String {
        let facts = self.host.process(self.pid);
        facts.map(|facts| facts.comm).unwrap_or_default()
    }

    fn command_line(&self) -> String {
        self.host.command_line(self.pid).unwrap_or_default()
    }

    fn cgroups(&self) -> Vec<String> {
        self.host.cgroup_paths(self.pid).unwrap_or_default()
    }

    fn pod(&self, wanted: &PodSelector) -> Answer {
        if wanted.is_any() {
            return Answer::Yes;
        }
        match self.host.process(self.pid) {
            Some(facts) => wanted.matches(&facts, self.kube),
            None => Answer::No,
        }
    }
}

impl Found {
    pub(crate) fn new(
        selector: Selector,
        ends: Ends,
        function: Option<FunctionSpec>,
    ) -> io::Result<Self> {
        let searched = |function: FunctionSpec| {
            let search = FunctionSearch::start(function.clone())?;
            Ok::<_, io::Error>((function, search))
        };
        Ok(Self {
            discovery: Discovery::new(selector),
            ends,
            fresh: Vec::new(),
            function: function.map(searched).transpose()?,
        })
    }

    /// Begins to look for the function in the process; `false`: none was named, or nobody looks.
    /// Until it is found the process hands off when it next reads or waits.
    pub(crate) fn look_for_function(&self, pid: NonZeroU32) -> bool {
        let Some((function, search)) = &self.function else {
            return false;
        };
        let looks = search.look_in(pid);
        if !looks {
            log::warn!(
                "pid {pid} hands off when it next reads or waits: nobody looks for {function} any more"
            );
        }
        looks
    }

    /// A process that was looked through since the last call: what to attach to, and where.
    pub(crate) fn function_found(
        &self,
    ) -> Option<(
        NonZeroU32,
        FunctionSpec,
        Result<FunctionLocation, ProbeError>,
    )> {
        let (function, search) = self.function.as_ref()?;
        let (pid, place) = search.next()?;
        Some((pid, function.clone(), place))
    }

    /// Whether what follows from the events is to be told: a process is decided on when it has read
    /// its first message.
    pub(crate) fn admits(&mut self, update: &Update, host: &Host, kube: Option<&Kube>) -> bool {
        let Some(session) = update.session() else {
            return true;
        };
        let pid = session.pid;
        let decision = self.discovery.decided(pid).unwrap_or_else(|| {
            self.fresh.push(pid);
            self.discovery.decide(pid, &Seen { pid, host, kube })
        });
        decision == Decision::Follow
    }

    /// Those decided on since the last call, and those of which more may be known now.
    pub(crate) fn settled(&mut self, host: &Host, kube: Option<&Kube>) -> Vec<Settled> {
        let fresh = std::mem::take(&mut self.fresh);
        let mut settled = Vec::new();
        for &pid in &fresh {
            let decision = self.discovery.decided(pid);
            settled.extend(decision.map(|decision| (pid, decision, true)));
        }
        let waiting: Vec<u32> = self.discovery.waiting().collect();
        for pid in waiting.into_iter().filter(|pid| !fresh.contains(pid)) {
            let decision = self.discovery.decide(pid, &Seen { pid, host, kube });
            if decision != Decision::Wait {
                settled.push((pid, decision, false));
            }
        }
        let told = |(pid, decision, first)| {
            Some(Settled {
                pid: NonZeroU32::new(pid)?,
                decision,
                first,
            })
        };
        settled.into_iter().filter_map(told).collect()
    }

    /// The end of the process is told from now on; `false` when it has ended already.
    pub(crate) fn follow(&self, pid: NonZeroU32) -> bool {
        let followed = Target::open(pid).map(|target| self.ends.follow(target));
        match followed {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                log::warn!("the end of pid {pid} will not be seen: {error}");
                true
            }
            Err(_) => false,
        }
    }
}
