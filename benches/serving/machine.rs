//! What the figures were measured on.

use std::fs;

/// Prints processor, cores, memory and how busy they are.
pub fn print() {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = field(&processors, "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let gib = field(&memory, "MemTotal").map_or(0.0, |text| kib(&text) / f64::from(1 << 20));
    println!("{model}, {cores} cores, {gib:.0} GiB; {}", load());
}

/// The processes that wanted a core in the last minute, this bench's own included.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("load {}", text.split(' ').next().filter(|word| !word.is_empty()).unwrap_or("unknown"))
}

/// Resident memory of a process in MiB; 0 where the system does not tell.
pub fn resident_mib(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    field(&status, "VmRSS").map_or(0.0, |text| kib(&text) / 1024.0)
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kib(text: &str) -> f64 {
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0.0)
}
