//! Process of one run: started, told its job, watched, and ended if it takes too long.
//!
//! The job goes to the child as a line of JSON on its standard input, and the answer comes back as one on its standard
//! output. Its standard input stays open for as long as the parent lives, so that a child whose parent has died can end itself.

pub mod memory;

use crate::{
    job::{Answer, Job},
    record::Status,
    units,
};
use std::{
    io::{BufRead, Read, Write},
    mem::MaybeUninit,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

/// The hidden verb by which the program runs one job.
pub const VERB: &str = "run-one-job";

/// How often a waiting parent looks at the clock, at Ctrl-C and at what the child holds. It sleeps in between, and a look
/// takes some 30 us, so that it takes less than 0.1 % of a core from the run. Memory cannot grow by much in this time.
const TICK: Duration = Duration::from_millis(50);

/// Characters of a child's last words that are kept: enough for the histories of an object that the audit tells.
const LAST_WORDS: usize = 4_000;

/// How the audit's verdict begins, when it ends a run with a panic and when it is told at the end.
pub const AUDIT: &str = "audit: ";

/// How a run's process ended.
#[derive(Debug)]
pub enum Ending {
    /// It answered.
    Answered(Box<Answer>),
    /// It did not, for one of the reasons that a record knows.
    Failed {
        /// `TimedOut`, `OutOfMemory`, `Crashed` or `Unsound`.
        status: Status,
        /// What happened.
        message: String,
        /// How long it lived, in nanoseconds.
        wall_ns: u64,
        /// CPU time that it used, in nanoseconds.
        cpu_ns: u64,
    },
    /// The user wants no more.
    Interrupted,
}

/// Why there is no process at all.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} the process of a run")]
pub struct ProcessError {
    action: &'static str,
    #[source]
    source: std::io::Error,
}

/// Runs a job in a process of its own.
///
/// # Errors
///
/// If the process cannot be started or waited for. Whatever happens to it afterwards is an [`Ending`].
pub fn run(
    program: &Path,
    job: &Job,
    is_interrupted: impl Fn() -> bool,
) -> Result<Ending, ProcessError> {
    let begun = Instant::now();
    // A process group of its own, so that Ctrl-C reaches the parent alone, which then ends the child.
    let mut command = Command::new(program);
    command
        .arg(VERB)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = command.spawn().map_err(|source| ProcessError { action: "start", source })?;
    let mut stdin = child.stdin.take();
    if let Some(stdin) = &mut stdin {
        let line = serde_json::to_string(job).unwrap_or_default();
        // A child that died before it read its job is seen below.
        let _ = writeln!(stdin, "{line}");
    }
    let (sender, answers) = mpsc::channel();
    let stdout = child.stdout.take();
    let answer = thread::spawn(move || {
        let text = read_all(stdout);
        // The parent waits for this at the other end and has gone only if it panicked.
        let _ = sender.send(());
        text
    });
    let stderr = child.stderr.take();
    let last_words = thread::spawn(move || read_all(stderr));

    let ended = loop {
        match answers.recv_timeout(TICK) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break None,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if is_interrupted() {
            break Some(Ended::Interrupted);
        }
        if let Some(excess) = excess(job, child.id(), begun) {
            break Some(excess);
        }
    };
    if ended.is_some() {
        // It may have ended by itself this moment; then there is nothing to kill.
        let _ = child.kill();
    }
    let (status, cpu_ns) =
        wait(&child).map_err(|source| ProcessError { action: "wait for", source })?;
    drop(stdin);
    let wall_ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let failed = |status, message| Ok(Ending::Failed { status, message, wall_ns, cpu_ns });
    match ended {
        Some(Ended::Interrupted) => return Ok(Ending::Interrupted),
        Some(Ended::Beyond { status, message }) => return failed(status, message),
        None => {}
    }
    let answer = answer.join().unwrap_or_default();
    let last_words = last_words.join().unwrap_or_default();
    match serde_json::from_str(&answer) {
        Ok(answer) if status.success() => Ok(Ending::Answered(Box::new(answer))),
        _ => {
            let (status, message) = describe(status, &last_words);
            failed(status, message)
        }
    }
}

/// Why a parent ends a child.
enum Ended {
    Interrupted,
    /// It used more than it may.
    Beyond {
        status: Status,
        message: String,
    },
}

/// What a child uses too much of, if anything.
fn excess(job: &Job, child: u32, begun: Instant) -> Option<Ended> {
    let limits = job.limits;
    if begun.elapsed() >= Duration::from_secs(limits.seconds) {
        let message = format!("ended after {} s, the limit of this experiment", limits.seconds);
        return Some(Ended::Beyond { status: Status::TimedOut, message });
    }
    let held = memory::rss_peak(&child.to_string()).filter(|held| *held > limits.process_bytes)?;
    let message = format!(
        "ended when its process held {}, more than the {} MiB of `process-mib`",
        units::bytes(held),
        limits.process_bytes >> 20
    );
    Some(Ended::Beyond { status: Status::OutOfMemory, message })
}

/// The child's side: reads its job, and sees to it that the process ends when its parent does.
///
/// # Errors
///
/// If standard input does not hold a job.
pub fn receive() -> Result<Job, serde_json::Error> {
    let mut line = String::new();
    // What cannot be read is no job, and is reported as that.
    let _ = std::io::stdin().lock().read_line(&mut line);
    let job = serde_json::from_str(&line)?;
    thread::spawn(|| {
        let mut rest = Vec::new();
        let _ = std::io::stdin().lock().read_to_end(&mut rest);
        std::process::exit(1);
    });
    Ok(job)
}

/// Waits for the child, and says how it ended and what CPU time it used. Nothing else waits for it.
fn wait(child: &Child) -> std::io::Result<(ExitStatus, u64)> {
    let pid = libc::pid_t::try_from(child.id()).map_err(std::io::Error::other)?;
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are to exclusively borrowed locals, which `wait4` only writes to; the pid is that of
        // our child, which has not been waited for yet because only this function does.
        let waited = unsafe { libc::wait4(pid, &raw mut status, 0, usage.as_mut_ptr()) };
        if waited == pid {
            break;
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // SAFETY: `rusage` is made of integers, for which the zeroes that it was made of are valid, whatever was written over them.
    let usage = unsafe { usage.assume_init() };
    let nanoseconds = |time: libc::timeval| {
        time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_usec.unsigned_abs() * 1_000
    };
    Ok((ExitStatus::from_raw(status), nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime)))
}

fn read_all(from: Option<impl Read>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        // What was read before an error is kept; an answer that is cut short is seen to be.
        let _ = from.read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// How a child ended, in words, with the first of its own. If it was the audit that ended it, only the audit's count.
fn describe(status: ExitStatus, last_words: &str) -> (Status, String) {
    let ended = match (status.signal(), status.code()) {
        (Some(signal), _) => format!("ended by signal {signal}{}", signal_name(signal)),
        (None, Some(0)) => "ended without an answer".to_owned(),
        (None, Some(code)) => format!("ended with status {code}"),
        (None, None) => "ended".to_owned(),
    };
    let words: Vec<&str> = last_words
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("note: "))
        .collect();
    let verdict = words.iter().position(|line| line.starts_with(AUDIT));
    let mut told = words[verdict.unwrap_or_default()..].join("; ");
    if let Some((cut, _)) = told.char_indices().nth(LAST_WORDS) {
        told.truncate(cut);
    }
    match verdict {
        Some(_) => (Status::Unsound, told),
        None if told.is_empty() => (Status::Crashed, ended),
        None => (Status::Crashed, format!("{ended}: {told}")),
    }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGABRT => " (SIGABRT)",
        libc::SIGBUS => " (SIGBUS)",
        libc::SIGFPE => " (SIGFPE)",
        libc::SIGILL => " (SIGILL)",
        libc::SIGKILL => " (SIGKILL: by the system, perhaps for want of memory)",
        libc::SIGSEGV => " (SIGSEGV)",
        libc::SIGTERM => " (SIGTERM)",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
