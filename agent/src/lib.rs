//! tag52: where the age of a FIX message comes from.
//!
//! Data flows one way: [`probes`] in the kernel -> [`events`] -> [`sessions`] (with the [`fix`]
//! tap) -> [`join`] -> [`model`] -> [`outputs`]. [`run`] drives it, asks [`discovery`] which
//! processes to follow and [`host`] who is who on the machine. [`record`] keeps what the model was
//! told; [`replay`] tells it again, [`export`] makes a trace of it.

pub mod blame;
pub mod cli;
pub mod discovery;
pub mod events;
pub mod export;
pub mod fix;
pub mod host;
pub mod join;
pub mod kube;
pub mod model;
pub mod outputs;
pub mod probes;
pub mod record;
pub mod replay;
pub mod run;
pub mod sessions;
mod signals;
pub mod target;
mod tls;
mod units;
