//! The live view: what the model holds, drawn on a terminal.
//!
//! A [`ScreenData`] is a copy of what is to be seen, made from the model whatever that is fed by;
//! [`draw()`] puts it on a frame as a [`ScreenState`] says, which keys change. The [`Screen`] does both
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
pub use playing::{PlaybackCommand, PlaybackStatus};
pub use state::{Page, ScreenState};
pub use view::{
    AgentView, CgroupInterval, CgroupView, FigureScope, ProcessCgroups, ScreenData, SessionView,
    ThreadView,
};
pub use window::{MIN_REDRAW_INTERVAL, Screen, ScreenConfig};
