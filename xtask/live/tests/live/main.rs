//! Live tests: the real probes in the running kernel, real processes, known causes of waiting.
//!
//! They need root and the agent's binary: run them with `cargo xtask test`. Times are never
//! compared with constants tighter than sanity, only with what the same run says about itself:
//! other load on the machine makes every one of them longer.

mod accuracy;
mod cgroups;
mod dashboards;
mod demo;
mod discovery;
mod ends;
mod pods;
mod reads;
mod top;
mod waiting;
mod waits;
mod what_if;
mod window;
