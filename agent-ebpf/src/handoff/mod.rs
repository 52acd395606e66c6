//! Hand-offs: when a thread is through with what a receive call returned.
//!
//! The thread's next sleep in a receive call on the same socket or in a wait that covers it, known
//! from its own registers as it leaves the CPU; or the next receive call on the socket, which the
//! agent takes for one. Of a thread that reads several sockets the entry into these calls is
//! observed (see `sys_enter.rs`): a wait that does not sleep, because another socket is ready, ends
//! here too. A wait that does not cover the socket, such as a handler's own poll on its database
//! connection, is none.

mod epoll;
mod function;
mod pending;
mod poll;
mod wait;

pub(crate) use function::function_called;
pub(crate) use pending::expect;
pub(crate) use wait::{returned_empty, waits};
