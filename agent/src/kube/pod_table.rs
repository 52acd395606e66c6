//! The pods that the API has reported.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{api_pod::ApiPod, pod::PodFacts};

/// How long a pod is retained after its end: the last messages of its processes are published
/// later.
const RETENTION: Duration = Duration::from_mins(2);

/// Pods of one node at most, with those that ended lately; a kubelet runs 110 by default.
const MAX_PODS: usize = 2048;

#[derive(Debug)]
struct PodEntry {
    facts: Arc<PodFacts>,
    /// The UID of the API, which reports the end of the pod by it.
    uid: String,
    ended: Option<Instant>,
}

/// Pods by the UID that their cgroups are named after.
#[derive(Debug, Default)]
pub(super) struct PodTable {
    entries: HashMap<String, PodEntry>,
    generation: u64,
}

impl PodTable {
    /// Changes whenever the facts of a pod change.
    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// The number of pods that have not ended.
    pub(super) fn running(&self) -> usize {
        self.entries
            .values()
            .filter(|entry| entry.ended.is_none())
            .count()
    }

    pub(super) fn get(&self, uid: &str) -> Option<Arc<PodFacts>> {
        self.entries.get(uid).map(|entry| Arc::clone(&entry.facts))
    }

    /// Registers a pod, or its present state. `false` when the table is full of running pods.
    pub(super) fn apply(&mut self, pod: ApiPod, now: Instant) -> bool {
        self.forget_ended(now);
        if pod.has_ended() {
            self.end(pod.uid(), now);
            return true;
        }
        let (key, uid) = (pod.cgroup_uid().to_owned(), pod.uid().to_owned());
        let facts = pod.facts();
        if let Some(entry) = self.entries.get_mut(&key) {
            (entry.ended, entry.uid) = (None, uid);
            if *entry.facts != facts {
                entry.facts = Arc::new(facts);
                self.generation += 1;
            }
            return true;
        }
        if self.entries.len() >= MAX_PODS && !self.forget_oldest() {
            return false;
        }
        let entry = PodEntry {
            facts: Arc::new(facts),
            uid,
            ended: None,
        };
        self.entries.insert(key, entry);
        self.generation += 1;
        true
    }

    /// Marks the pod with this UID of the API as ended.
    pub(super) fn end(&mut self, uid: &str, now: Instant) {
        for entry in self.entries.values_mut().filter(|entry| entry.uid == uid) {
            entry.ended.get_or_insert(now);
        }
    }

    /// Marks all pods as ended whose UID of the API is not listed.
    pub(super) fn retain_listed(&mut self, uids: &HashSet<String>, now: Instant) {
        for entry in self.entries.values_mut() {
            if !uids.contains(&entry.uid) {
                entry.ended.get_or_insert(now);
            }
        }
    }

    /// Forgets pods that ended more than two minutes ago.
    pub(super) fn forget_ended(&mut self, now: Instant) {
        self.entries.retain(|_, entry| {
            let ended = entry.ended;
            ended.is_none_or(|ended| now.saturating_duration_since(ended) < RETENTION)
        });
    }

    /// Forgets the pod that ended first; `false` when all are running.
    fn forget_oldest(&mut self) -> bool {
        let ended = self
            .entries
            .iter()
            .filter_map(|(key, entry)| Some((entry.ended?, key)));
        let Some(oldest) = ended.min().map(|(_, key)| key.clone()) else {
            return false;
        };
        self.entries.remove(&oldest).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str, name: &str) -> ApiPod {
        let json = serde_json::json!({"metadata": {"uid": uid, "name": name, "namespace": "n"}});
        serde_json::from_value(json).expect("a pod")
    }

    fn ended(uid: &str) -> ApiPod {
        let json = serde_json::json!({
            "metadata": {"uid": uid, "name": "x", "namespace": "n"}, "status": {"phase": "Failed"},
        });
        serde_json::from_value(json).expect("a pod")
    }

    #[test]
    fn a_pod_is_retained_for_two_minutes_after_its_end() {
        let (mut pods, start) = (PodTable::default(), Instant::now());
        assert!(pods.apply(pod("1", "a"), start));
        pods.end("1", start);
        assert_eq!(pods.running(), 0);
        let earlier = RETENTION.saturating_sub(Duration::from_secs(1));
        pods.forget_ended(start + earlier);
        assert_eq!(pods.get("1").expect("retained").name, "a");
        pods.forget_ended(start + RETENTION);
        assert_eq!(pods.get("1"), None);
    }

    #[test]
    fn the_generation_changes_with_the_facts_only() {
        let (mut pods, now) = (PodTable::default(), Instant::now());
        pods.apply(pod("1", "a"), now);
        let before = pods.generation();
        pods.apply(pod("1", "a"), now);
        assert_eq!(pods.generation(), before);
        pods.apply(pod("1", "b"), now);
        assert_ne!(pods.generation(), before);
    }

    #[test]
    fn a_pod_that_is_no_longer_listed_has_ended() {
        let (mut pods, now) = (PodTable::default(), Instant::now());
        pods.apply(pod("1", "a"), now);
        pods.apply(pod("2", "b"), now);
        pods.retain_listed(&HashSet::from(["2".to_owned()]), now);
        assert_eq!(pods.running(), 1);
        // Back again: a list may be older than the last event.
        pods.apply(pod("1", "a"), now);
        assert_eq!(pods.running(), 2);
    }

    #[test]
    fn a_finished_job_takes_no_room() {
        let (mut pods, now) = (PodTable::default(), Instant::now());
        pods.apply(ended("1"), now);
        assert!(pods.entries.is_empty());
        pods.apply(pod("2", "b"), now);
        pods.apply(ended("2"), now);
        assert_eq!((pods.running(), pods.entries.len()), (0, 1));
    }

    #[test]
    fn memory_is_bounded() {
        let (mut pods, now) = (PodTable::default(), Instant::now());
        // Weeks of churn in a minute: no pod ended long enough ago to be forgotten.
        for n in 0..3 * MAX_PODS {
            let uid = n.to_string();
            assert!(pods.apply(pod(&uid, "a"), now + Duration::from_millis(n as u64)));
            pods.end(&uid, now + Duration::from_millis(n as u64));
        }
        assert_eq!(pods.entries.len(), MAX_PODS);
        assert!(pods.get(&(3 * MAX_PODS - 1).to_string()).is_some());
        let mut full = PodTable::default();
        for n in 0..MAX_PODS {
            assert!(full.apply(pod(&n.to_string(), "a"), now));
        }
        assert!(!full.apply(pod("one more", "a"), now));
        assert!(full.apply(pod("0", "b"), now));
    }
}
