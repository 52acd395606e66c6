//! The machine the figures were taken on.

use std::fs;

/// CPUs, processor, kernel and memory, in one line.
pub(super) fn describe() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        text.lines()
            .find(|line| line.starts_with(name))
            .and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
    };
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let (cpuinfo, meminfo) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let model = field(&cpuinfo, "model name").unwrap_or_else(|| std::env::consts::ARCH.into());
    let virtual_machine =
        field(&cpuinfo, "flags").is_some_and(|flags| flags.contains("hypervisor"));
    let memory = field(&meminfo, "MemTotal")
        .and_then(|value| value.trim_end_matches(" kB").parse::<u64>().ok())
        .map_or_else(String::new, |kib| {
            format!(", {} GiB", kib.div_ceil(1 << 20))
        });
    let release = read("/proc/sys/kernel/osrelease");
    let numbers: String = release
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    let kind = if virtual_machine { " (virtual)" } else { "" };
    format!("{cpus} x {model}{kind}{memory}, Linux {numbers}")
}
