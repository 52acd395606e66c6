//! What `cargo xtask` and the live tests share.

pub mod bench;
pub mod containers;
pub mod dashboards;
pub mod demo;
pub mod deploy;
pub mod image;
pub mod lab;
mod npm;
pub mod perfetto;
pub mod screenshots;
pub mod toolchain;
pub mod verify;
pub mod vm;
pub mod workspace;
