//! The live view: what the model holds, drawn on a terminal.
//!
//! A [`ScreenData`] is a copy of what is to be seen, made from the model whatever that is fed by;
//! [`draw()`] puts it on a frame as a [`ScreenState`] says, which keys change. The [`Screen`] does both
//! on a thread of its own, so that a slow terminal holds up nothing.

mod chart;
mod data;
mod draw;
mod keys;
mod pages;
mod palette;
mod playback;
mod screen;
mod state;
mod stderr_buffer;
#[cfg(test)]
mod tests;
mod widgets;

pub use data::{
    AgentView, CgroupInterval, CgroupView, FigureScope, ProcessCgroups, ScreenData, SessionView,
    ThreadView,
};
pub use draw::draw;
pub use playback::{PlaybackCommand, PlaybackStatus};
pub use screen::{MIN_REDRAW_INTERVAL, Screen, ScreenConfig};
pub use state::{Page, ScreenState};
