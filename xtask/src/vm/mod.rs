//! `cargo xtask vm`: the live tests in virtual machines with other kernels.
//!
//! QEMU and the kernels come from Debian's archive, over the machine's own mirror and through an
//! apt configuration of our own: nothing is installed, everything stays in `target/vm`. A guest
//! sees the host's root folder read-only, with a layer in its memory for what it writes, and runs
//! the binaries that were built here. There is no KVM in sight: a guest is 15 to 25 times slower
//! than the host, so by default only those tests run that compare sums and proportions.

mod binaries;
mod cpio;
mod emulator;
mod guest;
mod kernel;
mod modules;
mod report;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use self::binaries::TestBinaries;
use self::emulator::Emulator;
use self::kernel::{Kernel, KernelSeries};
use self::report::KernelReport;
use crate::toolchain;

/// The kernels without `--kernel`: before `sock_recv_length`, two long-term ones, the newest.
const DEFAULT_KERNELS: [&str; 4] = ["6.1", "6.12", "6.18", "7.3"];

/// The tests without a filter: one per cause of waiting, two ways to read, bad use, discovery, and
/// what depends on the version of cgroups.
const DEFAULT_TESTS: [&str; 14] = [
    "ends::bad_use_gets_one_line_and_exit_code_2",
    "reads::reads_with_recv",
    "reads::reads_with_epoll_and_recv",
    "waits::a_contended_mutex_is_lock_wait",
    "waits::a_full_pipe_is_blocked",
    "waits::a_quota_is_throttle_and_not_run_queue",
    "accuracy::a_quota",
    "cgroups::a_quota_on_the_parent_is_found_there_and_a_move_is_followed",
    "cgroups::the_level_that_ran_out_is_the_one_with_the_quota",
    "discovery::sessions_are_found_before_and_after_the_start_and_nothing_else",
    "discovery::the_function_of_a_process_found_later_is_its_hand_off",
    "discovery::what_a_selector_excludes_is_not_touched",
    "pods::a_container_out_of_quota_is_named_by_its_cgroup",
    "pods::without_the_api_there_are_ids_and_what_was_asked_for",
];

/// The options of `cargo xtask vm`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct VmOptions {
    /// Kernel series to run, such as 6.12; may be given more than once [default: 6.1 6.12 6.18 7.3]
    #[arg(long = "kernel", value_name = "SERIES")]
    kernels: Vec<KernelSeries>,
    /// How long one test may take in the guest, seconds
    #[arg(long, default_value_t = 240)]
    limit: u64,
    /// Use this agent instead of building one
    #[arg(long, value_name = "PATH")]
    agent: Option<PathBuf>,
    /// Names, or parts of names, of the live tests to run [default: one per cause of waiting,
    /// discovery, cgroups]
    #[arg(last = true, value_name = "FILTER")]
    filter: Vec<String>,
}

/// Runs the tests on every selected kernel and prints the results.
///
/// # Errors
/// A kernel did not boot, or a test failed.
pub(crate) fn run(options: &VmOptions) -> Result<()> {
    ensure!(
        cfg!(target_arch = "x86_64"),
        "`cargo xtask vm` emulates an x86-64 machine and shares this one's programs with it: run \
         it on x86-64"
    );
    ensure!(
        workspace::is_root(),
        "`cargo xtask vm` shares this machine's root folder with a guest: run it as root"
    );
    let kernels = if options.kernels.is_empty() {
        DEFAULT_KERNELS
            .iter()
            .map(|name| name.parse())
            .collect::<Result<_>>()?
    } else {
        options.kernels.clone()
    };
    let wanted = |name: &str| {
        if options.filter.is_empty() {
            DEFAULT_TESTS.contains(&name)
        } else {
            options.filter.iter().any(|part| name.contains(part))
        }
    };
    let agent = match &options.agent {
        Some(agent) => agent
            .canonicalize()
            .with_context(|| format!("{} is missing", agent.display()))?,
        None => toolchain::build_agent_for_tests()?,
    };
    let subject = TestBinaries::build(agent, wanted)?;
    let emulator = Emulator::provide(&folder())?;

    let mut failed = Vec::new();
    let mut tables = Vec::new();
    for series in kernels {
        match one(&emulator, &subject, series, options.limit) {
            Ok(outcome) => {
                if outcome.failed() {
                    failed.push(series.to_string());
                }
                tables.push(outcome.table());
            }
            Err(error) => {
                failed.push(series.to_string());
                tables.push(format!("{series}: {error:#}\n"));
            }
        }
        if let Some(table) = tables.last() {
            print!("{table}");
        }
    }
    if tables.len() > 1 {
        println!("\n{}", tables.concat().trim_end());
    }
    ensure!(failed.is_empty(), "failed on {}", failed.join(", "));
    Ok(())
}

fn one(
    emulator: &Emulator,
    subject: &TestBinaries,
    series: KernelSeries,
    limit: u64,
) -> Result<KernelReport> {
    let kernel = Kernel::provide(&folder(), series, emulator)
        .with_context(|| format!("no kernel {series}"))?;
    eprintln!(
        "booting {} (log: {})",
        kernel.release,
        kernel.log().display()
    );
    let start = Instant::now();
    let report = guest::run(emulator, &kernel, subject, limit)?;
    Ok(KernelReport::read(
        &kernel,
        subject,
        &report,
        start.elapsed(),
    ))
}

/// Returns the folder of the downloads; removing it costs about 100 MB.
fn folder() -> PathBuf {
    workspace::root().join("target/vm")
}
