//! Narrowed bounds against made-up venues, paths and clocks.

mod clocks;
mod paces;
mod properties;
mod stalls;
mod world;
