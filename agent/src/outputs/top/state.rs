//! What the keys have chosen.

use super::{
    keys::Action,
    view::{Scope, SessionView, View},
};
use crate::model::SessionName;

/// A page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    /// All sessions.
    #[default]
    Sessions,
    /// One of them.
    Session,
    /// The threads of its process.
    Threads,
    /// The cgroups of its process, and the agent itself.
    Cgroup,
}

impl Page {
    /// Every page, in the order of their numbers, from 1 on.
    pub const ALL: [Self; 4] = [Self::Sessions, Self::Session, Self::Threads, Self::Cgroup];

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Session => "session",
            Self::Threads => "threads",
            Self::Cgroup => "cgroup",
        }
    }

    const fn turned(self, by: usize) -> Self {
        Self::ALL[(self as usize + by) % Self::ALL.len()]
    }
}

/// What is shown of a view, and how.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The page.
    pub page: Page,
    /// The view stands still.
    pub paused: bool,
    /// What the keys mean is shown instead of the page.
    pub help: bool,
    /// From when on figures count.
    pub scope: Scope,
    /// Whether to use colours; without, parts are told apart by letters.
    pub colour: bool,
    selected: Option<SessionName>,
}

impl State {
    /// The first page.
    #[must_use]
    pub fn new(colour: bool) -> Self {
        Self {
            colour,
            ..Self::default()
        }
    }

    /// Where the selected session is: the first when that one is gone, or none was chosen.
    #[must_use]
    pub fn index(&self, view: &View) -> usize {
        let chosen = self.selected.as_ref();
        chosen
            .and_then(|name| view.sessions.iter().position(|s| s.name == *name))
            .unwrap_or(0)
    }

    /// The selected session; `None` without any.
    #[must_use]
    pub fn session<'a>(&self, view: &'a View) -> Option<&'a SessionView> {
        view.sessions.get(self.index(view))
    }

    /// Follows a key; [`Action::Quit`] and [`Action::Play`] are the caller's.
    pub(super) fn follow(&mut self, action: Action, view: &View) {
        let helped = std::mem::replace(&mut self.help, false);
        match action {
            Action::Help => self.help = !helped,
            // The first key only puts the help away.
            Action::Back if helped => {}
            Action::Scope => {
                self.scope = match self.scope {
                    Scope::Latest => Scope::Start,
                    Scope::Start => Scope::Latest,
                }
            }
            Action::Up => self.select(view, self.index(view).saturating_sub(1)),
            Action::Down => self.select(view, self.index(view) + 1),
            Action::Open => {
                // It stays the selected one when others come before it.
                self.select(view, self.index(view));
                self.page = Page::Session;
            }
            Action::Back => self.page = Page::Sessions,
            Action::Next => self.page = self.page.turned(1),
            Action::Previous => self.page = self.page.turned(Page::ALL.len() - 1),
            Action::Show(page) => self.page = page,
            Action::Pause => self.paused = !self.paused,
            Action::Play(_) | Action::Quit => {}
        }
    }

    fn select(&mut self, view: &View, index: usize) {
        let last = view.sessions.len().saturating_sub(1);
        self.selected = view.sessions.get(index.min(last)).map(|s| s.name.clone());
    }
}
