//! Programs of others that tasks and tests use. They are fetched from Debian, npm and PyPI to
//! `target/`, and none of them is installed, except for small packages of Debian as root.

#![expect(
    clippy::missing_errors_doc,
    reason = "every function fetches or runs a program and reports what failed"
)]

pub mod apt;
pub mod containers;
pub mod npm;
pub mod packages;
pub mod perfetto;
pub mod prometheus;
pub mod pypi;
pub mod rights;
