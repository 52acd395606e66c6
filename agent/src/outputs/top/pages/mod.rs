//! The pages.

mod blame_table;
mod cgroup;
mod diagnosis;
mod help;
mod labels;
mod session;
mod session_list;
mod sessions;
mod threads;
mod waiting;

pub(super) use cgroup::draw_cgroup;
pub(super) use help::draw_help;
pub(super) use session::draw_session;
pub(super) use sessions::draw_sessions;
pub(super) use threads::draw_threads;
