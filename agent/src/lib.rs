//! tag52: where the age of a FIX message comes from.
//!
//! Data flows one way: [`probes`] in the kernel -> [`events`] -> [`sessions`] (with the [`fix`] tap)
//! -> [`join`] -> [`model`] -> [`outputs`]. [`run`] drives it.

pub mod cli;
pub mod events;
pub mod fix;
pub mod join;
pub mod model;
pub mod outputs;
pub mod probes;
pub mod run;
pub mod sessions;
pub mod target;
mod units;
