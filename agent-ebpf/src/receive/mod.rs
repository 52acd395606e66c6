//! Receive calls: which bytes which thread received, when, and which of them leave the kernel.

mod completion;
mod record;
mod slices;
mod walk_loop;

pub(crate) use completion::received;
pub(crate) use record::Pass;
