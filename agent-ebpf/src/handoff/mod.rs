//! Hand-offs: when a thread is through with what a receive call returned.
//!
//! A hand-off is the thread's next sleep in a receive call on the same socket or in a wait that
//! covers it, read from its own registers as it leaves the CPU; or the next receive call on the
//! socket, which the agent takes for one. Where a thread reads several sockets, the entry into these
//! calls is observed (see `sys_enter.rs`), because a wait does not sleep when another socket is
//! ready. A wait that does not cover the socket, such as a handler's own poll on its database
//! connection, is no hand-off. [`function_called`] is about the function named with `--handoff`.

mod epoll;
mod function;
mod pending;
mod poll;
mod wait;

pub(crate) use function::function_called;
pub(crate) use pending::expect;
pub(crate) use wait::{returned_empty, waits};
