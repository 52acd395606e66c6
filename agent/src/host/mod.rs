//! Who is who on this machine: read from /proc and the cgroup file systems, never per event.

mod cgroups;
mod names;
mod proc;
