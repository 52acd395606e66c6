//! tag52: where the age of a FIX message comes from.
//!
//! Data flows one way: `kernel` -> `events` -> `streams` -> `join` -> `attribution` ->
//! `pipeline` -> `model` -> `outputs`. `engine` drives a live run, `recording` writes what the model
//! is given to a file and plays it again. `targets` decides whom to follow; `host` and `kube` turn
//! numbers into names. `domain` holds the words that all of them share, `stats` figures that add
//! up; `verdict` and `what_if` draw conclusions from those. `ARCHITECTURE.md` follows one message
//! through them.

mod attribution;
mod clock;
pub mod domain;
pub mod engine;
#[cfg(test)]
mod error_texts;
mod events;
pub mod host;
mod join;
pub mod kernel;
pub mod kube;
mod model;
pub mod outputs;
mod pipeline;
mod readiness;
pub mod recording;
mod signals;
mod stats;
mod streams;
mod targets;
mod tls;
pub mod verdict;
mod what_if;
