//! CPython in the processes of this machine: where its runtime is, and which function a thread is
//! in.

mod background;
mod function;
mod layout;
mod mapped_files;
mod memory;
mod runtimes;

pub use self::layout::Refusal;
pub(super) use self::{
    function::{NoFunction, function},
    runtimes::Symbols,
};
