//! Figures of this process for metrics, as far as the system gives them.

use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::{SysconfVar, sysconf};
use std::fs;

/// Figures of this process, under the usual names of Prometheus clients.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Process {
    /// Seconds since 1970 at its start.
    pub(super) start_time: Option<f64>,
    /// Seconds of CPU time, user and system.
    pub(super) cpu: Option<f64>,
    /// Bytes in memory.
    pub(super) resident: Option<u64>,
    /// Open descriptors.
    pub(super) open_fds: Option<usize>,
}

impl Process {
    /// Reads the figures from the system.
    pub(super) fn read() -> Self {
        Self {
            start_time: start_time(),
            cpu: cpu(),
            resident: resident(),
            // less the one by which they are listed
            open_fds: fs::read_dir("/proc/self/fd").ok().map(|d| d.count().saturating_sub(1)),
        }
    }
}

fn start_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // the name in brackets may have blanks; 22nd of the fields, the 20th after it
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: f64 = fields.split_ascii_whitespace().nth(19)?.parse().ok()?;
    let boot = fs::read_to_string("/proc/stat").ok()?;
    let boot: f64 = boot.lines().find_map(|l| l.strip_prefix("btime "))?.trim().parse().ok()?;
    let per_second = u32::try_from(sysconf(SysconfVar::CLK_TCK).ok()??).ok()?;
    Some(boot + ticks / f64::from(per_second))
}

fn cpu() -> Option<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    let times = [usage.user_time(), usage.system_time()];
    Some(times.map(|t| t.tv_sec() as f64 + t.tv_usec() as f64 / 1e6).iter().sum())
}

fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn figures_are_those_of_this_process() {
        let process = Process::read();
        let now = super::super::format::epoch(SystemTime::now());
        assert!(process.start_time.is_some_and(|s| s <= now + 1.0 && s > now - 86_400.0));
        assert!(process.cpu.is_some_and(|s| s > 0.0));
        assert!(process.resident.is_some_and(|b| b > 1024 * 1024));
        assert!(process.open_fds.is_some_and(|n| n >= 3));
    }
}
