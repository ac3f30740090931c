//! Memory of a process, as the system counts it.

use std::fs;

/// The most that a process has held in RAM, in bytes; `process` is its number, or `self`. `None` where the system does not
/// say, or if the process is gone. `getrusage` would not do: it counts what the parent held when it forked.
pub fn rss_peak(process: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_to_is_held() {
        let before = rss_peak("self").unwrap();
        let large = vec![1_u8; 32 << 20];
        assert!(rss_peak("self").unwrap() >= before.max(32 << 20), "{}", large.len());
        assert_eq!(rss_peak("no such process"), None);
    }
}
