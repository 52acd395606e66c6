//! Names that repeat: each is sent once with a number, and referred to by the number afterwards.

use std::collections::HashMap;

use super::proto::{DebugAnnotation, InternedData, InternedName, TrackEvent};

/// The largest number of event names with a number. Later names are written out each time, so that
/// memory stays bounded.
const MAX_NAMES: usize = 10_000;

/// Builds events and their arguments with numbered names.
#[derive(Debug, Default)]
pub(super) struct Interner {
    names: HashMap<String, u64>,
    arg_names: HashMap<&'static str, u64>,
    categories: HashMap<&'static str, u64>,
    /// Names that the next packet has to define.
    new: InternedData,
}

impl Interner {
    /// The names that were numbered since the last call; `None` when there are none.
    pub(super) fn take_new(&mut self) -> Option<InternedData> {
        let new = std::mem::take(&mut self.new);
        (new != InternedData::default()).then_some(new)
    }

    /// An event with a name that other events have too.
    pub(super) fn named_event(&mut self, category: &'static str, name: &str) -> TrackEvent {
        let name_iid = match self.names.get(name) {
            Some(&iid) => Some(iid),
            None if self.names.len() < MAX_NAMES => {
                let iid = self.names.len() as u64 + 1;
                self.names.insert(name.to_owned(), iid);
                self.new.event_names.push(interned(iid, name));
                Some(iid)
            }
            None => None,
        };
        TrackEvent {
            name: name_iid.is_none().then(|| name.to_owned()),
            name_iid,
            ..self.event(category)
        }
    }

    /// An event of a category, without a name.
    pub(super) fn event(&mut self, category: &'static str) -> TrackEvent {
        let next = self.categories.len() as u64 + 1;
        let iid = *self.categories.entry(category).or_insert_with(|| {
            self.new.event_categories.push(interned(next, category));
            next
        });
        TrackEvent {
            category_iids: vec![iid],
            ..TrackEvent::default()
        }
    }

    fn arg(&mut self, name: &'static str) -> DebugAnnotation {
        let next = self.arg_names.len() as u64 + 1;
        let iid = *self.arg_names.entry(name).or_insert_with(|| {
            self.new.debug_annotation_names.push(interned(next, name));
            next
        });
        DebugAnnotation {
            name_iid: Some(iid),
            ..DebugAnnotation::default()
        }
    }

    /// An argument with a signed number.
    pub(super) fn int(&mut self, name: &'static str, value: i64) -> DebugAnnotation {
        DebugAnnotation {
            int_value: Some(value),
            ..self.arg(name)
        }
    }

    /// An argument with an unsigned number.
    pub(super) fn uint(&mut self, name: &'static str, value: u64) -> DebugAnnotation {
        DebugAnnotation {
            uint_value: Some(value),
            ..self.arg(name)
        }
    }

    /// An argument that is true or false.
    pub(super) fn flag(&mut self, name: &'static str, value: bool) -> DebugAnnotation {
        DebugAnnotation {
            bool_value: Some(value),
            ..self.arg(name)
        }
    }

    /// An argument with a text.
    pub(super) fn text(&mut self, name: &'static str, value: impl Into<String>) -> DebugAnnotation {
        DebugAnnotation {
            string_value: Some(value.into()),
            ..self.arg(name)
        }
    }
}

fn interned(iid: u64, name: &str) -> InternedName {
    InternedName {
        iid: Some(iid),
        name: Some(name.to_owned()),
    }
}
