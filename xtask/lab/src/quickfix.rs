//! A real FIX engine on our side of the session: QuickFIX for Python.
//!
//! [`package`] builds it once and caches it, [`app`] runs the client, whose log is the truth.

mod app;
mod package;

pub use self::app::{ClientSetup, DeliveredMessage, EngineClient, Processor};
pub use self::package::{Engine, engine};
