//! Counters of what could not be resolved.

use super::objects::ObjectFailures;

/// How often a name or a state could not be resolved, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResolveFailures {
    /// Objects of system calls.
    pub(super) objects: ObjectFailures,
    /// Mapped files that could not be read in the search for CPython.
    pub(super) unreadable_files: u64,
    /// Mapped files that were not searched for CPython because of their size.
    pub(super) large_files: u64,
    /// Samples of threads that had ended.
    pub(super) threads_ended: u64,
    /// Samples without a function because the memory changed while it was read.
    pub(super) functions_inconsistent: u64,
    /// Samples without a function because the CPython is not supported
    /// ([`Host::unsupported_runtimes`](super::Host::unsupported_runtimes)).
    pub(super) functions_unsupported: u64,
}

impl ResolveFailures {
    /// All counters, with the kinds of anomalies that outputs name.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let objects = self.objects;
        [
            ("object_closed", objects.closed),
            ("pipe_search_cut_short", objects.pipes_cut_short),
            ("pipe_search_deferred", objects.pipes_deferred),
            ("socket_search_cut_short", objects.sockets_cut_short),
            ("mapped_file_unreadable", self.unreadable_files),
            ("mapped_file_too_large", self.large_files),
            ("holder_gone", self.threads_ended),
            ("function_inconsistent", self.functions_inconsistent),
            ("function_refused", self.functions_unsupported),
        ]
        .into_iter()
    }
}
