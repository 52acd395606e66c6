//! The pods that are known.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use super::api_pod::{PodFacts, RawPod};

/// How long a pod that is gone is remembered: what its processes did last is told after their end.
const GRACE: Duration = Duration::from_secs(120);

/// Pods of one node, those just gone included; a kubelet runs 110 unless told otherwise.
const MOST: usize = 2048;

#[derive(Debug)]
struct Known {
    facts: Arc<PodFacts>,
    /// What the API calls it, by which its end is told.
    uid: String,
    /// When it ended.
    gone: Option<Instant>,
}

/// By the UID of their cgroups.
#[derive(Debug, Default)]
pub(super) struct Pods {
    known: HashMap<String, Known>,
    generation: u64,
}

impl Pods {
    /// Changes with what is known.
    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Pods that have not ended.
    pub(super) fn len(&self) -> usize {
        self.known.values().filter(|k| k.gone.is_none()).count()
    }

    pub(super) fn get(&self, uid: &str) -> Option<Arc<PodFacts>> {
        self.known.get(uid).map(|known| Arc::clone(&known.facts))
    }

    /// Takes in a pod as it is now. `false`: there is no room for it.
    pub(super) fn apply(&mut self, pod: RawPod, now: Instant) -> bool {
        self.forget_gone(now);
        if pod.is_over() {
            self.gone(pod.uid(), now);
            return true;
        }
        let (key, uid) = (pod.cgroup_uid().to_owned(), pod.uid().to_owned());
        let facts = pod.facts();
        if let Some(known) = self.known.get_mut(&key) {
            (known.gone, known.uid) = (None, uid);
            if *known.facts != facts {
                known.facts = Arc::new(facts);
                self.generation += 1;
            }
            return true;
        }
        if self.known.len() >= MOST && !self.forget_oldest() {
            return false;
        }
        let known = Known {
            facts: Arc::new(facts),
            uid,
            gone: None,
        };
        self.known.insert(key, known);
        self.generation += 1;
        true
    }

    /// The pod has ended; by the API's UID.
    pub(super) fn gone(&mut self, uid: &str, now: Instant) {
        for known in self.known.values_mut().filter(|known| known.uid == uid) {
            known.gone.get_or_insert(now);
        }
    }

    /// Nobody but these, by the API's UIDs, is there.
    pub(super) fn only(&mut self, uids: &HashSet<String>, now: Instant) {
        for known in self.known.values_mut() {
            if !uids.contains(&known.uid) {
                known.gone.get_or_insert(now);
            }
        }
    }

    /// Forgets those that ended long ago.
    pub(super) fn forget_gone(&mut self, now: Instant) {
        self.known.retain(|_, known| {
            let gone = known.gone;
            gone.is_none_or(|gone| now.saturating_duration_since(gone) < GRACE)
        });
    }

    fn forget_oldest(&mut self) -> bool {
        let gone = self
            .known
            .iter()
            .filter_map(|(key, k)| Some((k.gone?, key)));
        let Some(oldest) = gone.min().map(|(_, key)| key.clone()) else {
            return false;
        };
        self.known.remove(&oldest).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str, name: &str) -> RawPod {
        let json = serde_json::json!({"metadata": {"uid": uid, "name": name, "namespace": "n"}});
        serde_json::from_value(json).expect("a pod")
    }

    fn over(uid: &str) -> RawPod {
        let json = serde_json::json!({
            "metadata": {"uid": uid, "name": "x", "namespace": "n"}, "status": {"phase": "Failed"},
        });
        serde_json::from_value(json).expect("a pod")
    }

    #[test]
    fn a_pod_keeps_its_name_for_a_while_after_its_end() {
        let (mut pods, start) = (Pods::default(), Instant::now());
        assert!(pods.apply(pod("1", "a"), start));
        pods.gone("1", start);
        assert_eq!(pods.len(), 0);
        pods.forget_gone(start + GRACE - Duration::from_secs(1));
        assert_eq!(pods.get("1").expect("kept").name, "a");
        pods.forget_gone(start + GRACE);
        assert_eq!(pods.get("1"), None);
    }

    #[test]
    fn the_generation_tells_of_changes_only() {
        let (mut pods, now) = (Pods::default(), Instant::now());
        pods.apply(pod("1", "a"), now);
        let before = pods.generation();
        pods.apply(pod("1", "a"), now);
        assert_eq!(pods.generation(), before);
        pods.apply(pod("1", "b"), now);
        assert_ne!(pods.generation(), before);
    }

    #[test]
    fn who_is_not_listed_any_more_is_gone() {
        let (mut pods, now) = (Pods::default(), Instant::now());
        pods.apply(pod("1", "a"), now);
        pods.apply(pod("2", "b"), now);
        pods.only(&HashSet::from(["2".to_owned()]), now);
        assert_eq!(pods.len(), 1);
        // Back again: a list may be older than what was known.
        pods.apply(pod("1", "a"), now);
        assert_eq!(pods.len(), 2);
    }

    #[test]
    fn a_job_that_is_done_takes_no_room() {
        let (mut pods, now) = (Pods::default(), Instant::now());
        pods.apply(over("1"), now);
        assert!(pods.known.is_empty());
        pods.apply(pod("2", "b"), now);
        pods.apply(over("2"), now);
        assert_eq!((pods.len(), pods.known.len()), (0, 1));
    }

    #[test]
    fn memory_is_bounded() {
        let (mut pods, now) = (Pods::default(), Instant::now());
        // Weeks of churn in a minute: none is old enough to be forgotten.
        for n in 0..3 * MOST {
            let uid = n.to_string();
            assert!(pods.apply(pod(&uid, "a"), now + Duration::from_millis(n as u64)));
            pods.gone(&uid, now + Duration::from_millis(n as u64));
        }
        assert_eq!(pods.known.len(), MOST);
        assert!(pods.get(&(3 * MOST - 1).to_string()).is_some());
        let mut full = Pods::default();
        for n in 0..MOST {
            assert!(full.apply(pod(&n.to_string(), "a"), now));
        }
        assert!(!full.apply(pod("one more", "a"), now));
        assert!(full.apply(pod("0", "b"), now));
    }
}
