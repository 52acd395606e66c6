//! The live view: what the model holds, drawn on a terminal.
//!
//! [`ScreenData`] is a copy of what is shown, made from the model of a live run or a replay. The
//! [`Screen`] draws it on a thread of its own, so that a slow terminal delays nothing: the
//! [state](state::ScreenState), which keys change, names the page, and [`draw`] draws it.

mod chart;
mod data;
mod draw;
mod keys;
mod page;
mod pages;
mod palette;
mod playback;
mod screen;
mod state;
mod stderr_buffer;
#[cfg(test)]
mod tests;
mod widgets;

pub(crate) use data::ScreenData;
pub(crate) use playback::{PlaybackCommand, PlaybackStatus};
pub(crate) use screen::{MIN_REDRAW_INTERVAL, Screen, ScreenConfig};
