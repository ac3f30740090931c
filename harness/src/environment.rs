//! Environment of a run: the machine, its load, and what the program was built from.

use serde::{Deserialize, Serialize};
use std::{
    fs, thread,
    time::{SystemTime, UNIX_EPOCH},
};

/// Where and when a run was made. It names no host, user or folder, so that records can be published as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// The model of the CPU, as the system names it.
    pub cpu: String,
    /// How many cores the process may use.
    pub cores: usize,
    /// The system and its version.
    pub kernel: String,
    /// The compiler's version.
    pub compiler: String,
    /// The commit the program was built from; `and changes` if its sources differed from it.
    pub commit: String,
    /// `release`, or `debug` for a build that should not be measured.
    pub build: String,
    /// Processes that were running or waiting just before the run, averaged over a minute.
    pub load: Option<f64>,
    /// When the run began, in UTC.
    pub started: String,
}

impl Environment {
    /// The environment now.
    pub fn capture() -> Self {
        let seconds =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self {
            cpu: cpu().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: thread::available_parallelism().map_or(1, usize::from),
            kernel: kernel(),
            compiler: env!("CYCLOTRON_COMPILER").to_owned(),
            commit: env!("CYCLOTRON_COMMIT").to_owned(),
            build: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
            load: load(),
            started: utc(seconds),
        }
    }

    /// What makes figures from here less certain than they look, if anything.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.build != "release" {
            warnings.push(
                "this is a debug build: its times say nothing (build with `--release`)".to_owned(),
            );
        }
        #[expect(clippy::cast_precision_loss, reason = "a number of cores is small")]
        let busy = 0.5 * self.cores as f64;
        if let Some(load) = self.load.filter(|load| *load > busy) {
            let cores = self.cores;
            warnings.push(format!("the machine is busy (load {load:.1} on {cores} cores): pauses will look longer than they are"));
        }
        warnings
    }
}

/// Seconds since 1970 of a date such as `2026-11-22T17:00:00Z`, as `started` has it.
pub fn seconds_since_1970(date: &str) -> Option<u64> {
    let (day, time) = date.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, between| -> Option<[u64; 3]> {
        let numbers: Result<Vec<u64>, _> = text.split(between).map(str::parse).collect();
        numbers.ok()?.try_into().ok()
    };
    let ([year, month, day], [hour, minute, second]) = (numbers(day, '-')?, numbers(time, ':')?);
    // After H. Hinnant, `days_from_civil`, the inverse of what `utc` does.
    let year = year.checked_sub(u64::from(month <= 2))?;
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kernel() -> String {
    let version = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = if cfg!(target_os = "linux") { "Linux" } else { std::env::consts::OS };
    format!("{system} {}", version.trim()).trim().to_owned()
}

fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// `2026-11-22T17:00:00Z` of seconds since 1970.
fn utc(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // After H. Hinnant, `civil_from_days`: eras of 400 years that begin on the first of March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_795_366_860), "2026-11-22T17:01:00Z");
    }

    #[test]
    fn dates_become_seconds_again() {
        for seconds in [0, 951_782_399, 951_782_400, 1_795_366_860, 4_102_444_799] {
            assert_eq!(seconds_since_1970(&utc(seconds)), Some(seconds));
        }
        for wrong in ["", "yesterday", "2026-11-22", "2026-11-22T17:00Z", "0000-01-01T00:00:00Z"] {
            assert_eq!(seconds_since_1970(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_busy_machine_and_a_debug_build_are_warned_of() {
        let mut environment = Environment::capture();
        environment.build = "debug".to_owned();
        environment.cores = 2;
        environment.load = Some(1.9);
        let warnings = environment.warnings();
        assert!(warnings[0].starts_with("this is a debug build"), "{warnings:?}");
        assert_eq!(
            warnings[1],
            "the machine is busy (load 1.9 on 2 cores): pauses will look longer than they are"
        );
        environment.build = "release".to_owned();
        environment.load = Some(0.2);
        assert!(environment.warnings().is_empty());
    }
}
