//! The live view: what the model holds, drawn on a terminal.
//!
//! A [`View`] is a copy of what is to be seen, made from the model whatever that is fed by;
//! [`draw()`] puts it on a frame as a [`State`] says, which keys change. The [`Window`] does both
//! on a thread of its own, so that a slow terminal holds up nothing.

mod blame;
mod chart;
mod draw;
mod held;
mod keys;
mod pages;
mod paint;
mod playing;
mod state;
#[cfg(test)]
mod tests;
mod view;
mod widgets;
mod window;

pub use draw::draw;
pub use playing::{Command, Playing};
pub use state::{Page, State};
pub use view::{
    AgentView, CgroupView, LevelView, ProcessCgroups, Scope, SessionView, ThreadView, View,
};
pub use window::{FRAME, Setup, Window};
