//! Who is who on this machine: read from /proc and the cgroup file systems, never per event.

mod calls;
mod cgroups;
mod memory;
mod names;
mod objects;
mod pipes;
mod proc;
mod sockets;
