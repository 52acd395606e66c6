//! CPython in the processes of this machine: where its runtime is, and which function a thread is
//! in.

mod background;
mod error;
mod function;
mod layout;
mod mapped_files;
pub(super) mod memory;
mod process;
mod runtime;
mod runtimes;
mod text;

pub(super) use self::{error::FunctionError, function::function, runtimes::PythonRuntimes};
