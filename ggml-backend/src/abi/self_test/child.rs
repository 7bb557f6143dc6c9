//! A test in a child process, so that a crash is only the child's.
//!
//! # Safety
//! After `fork` the child has one thread, and memory of its own. It runs the test, writes the verdict into a pipe, and ends without running
//! anything of the program that it was copied from. glibc keeps its allocator usable in it.

use std::ffi::c_int;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::Failure;

/// The test takes milliseconds.
const LIMIT: Duration = Duration::from_secs(10);
/// The verdict's first byte.
const PASSED: u8 = b'+';
const FAILED: u8 = b'-';

/// Runs a test in a child process.
pub fn run(test: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
    let cannot =
        |what: &str| format!("the self-test cannot run ({what}: {})", std::io::Error::last_os_error());
    let (read, write) = pipe().ok_or_else(|| cannot("pipe"))?;
    // SAFETY: the child has one thread and memory of its own; it runs the test, writes the verdict, and ends without running anything of
    // the program that it was copied from. glibc keeps its allocator usable in it.
    match unsafe { libc::fork() } {
        -1 => Err(cannot("fork")),
        0 => in_child(write.as_raw_fd(), test),
        child => {
            drop(write);
            let verdict = read_all(read);
            if verdict.is_none() {
                // SAFETY: it is our child, and was not waited for.
                unsafe { libc::kill(child, libc::SIGKILL) };
            }
            let status = reap(child);
            match verdict.as_deref() {
                None => Err("the self-test did not end".to_owned()),
                Some([PASSED]) => Ok(()),
                Some([FAILED, text @ ..]) => Err(String::from_utf8_lossy(text).into_owned()),
                Some(_) => Err(how_it_ended(status)),
            }
        }
    }
}

fn pipe() -> Option<(OwnedFd, OwnedFd)> {
    let mut ends: [RawFd; 2] = [-1; 2];
    // SAFETY: two places to write to.
    let made = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } == 0;
    // SAFETY: they were just opened, and nobody else has them.
    made.then(|| unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

fn in_child(verdict: RawFd, test: impl FnOnce() -> Result<(), Failure>) -> ! {
    // SAFETY: this is the child, which has one thread and ends here: its signals, limits, environment and descriptors are its own. ggml
    // prints and starts a debugger when it aborts: nobody is to see that.
    unsafe {
        for signal in [libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE] {
            libc::signal(signal, libc::SIG_DFL);
        }
        libc::setrlimit(libc::RLIMIT_CORE, &libc::rlimit { rlim_cur: 0, rlim_max: 0 });
        libc::setenv(c"GGML_NO_BACKTRACE".as_ptr(), c"1".as_ptr(), 1);
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if null >= 0 {
            libc::dup2(null, libc::STDOUT_FILENO);
            libc::dup2(null, libc::STDERR_FILENO);
        }
    }
    let text = match catch_unwind(AssertUnwindSafe(test)) {
        Ok(Ok(())) => vec![PASSED],
        Ok(Err(failure)) => [&[FAILED], failure.as_bytes()].concat(),
        Err(_) => [&[FAILED][..], b"the self-test failed"].concat(),
    };
    // SAFETY: the pipe is open; a verdict fits into it.
    unsafe {
        libc::write(verdict, text.as_ptr().cast(), text.len());
        libc::_exit(0)
    }
}

/// All that comes until the other end is closed; `None` if that takes too long.
fn read_all(from: OwnedFd) -> Option<Vec<u8>> {
    let deadline = Instant::now() + LIMIT;
    let mut from = std::fs::File::from(from);
    let (mut all, mut chunk) = (Vec::new(), [0; 512]);
    loop {
        let left = deadline.checked_duration_since(Instant::now())?;
        let mut wait = libc::pollfd { fd: from.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one place to look at.
        if unsafe { libc::poll(&raw mut wait, 1, left.as_millis() as c_int) } <= 0 {
            continue;
        }
        match from.read(&mut chunk) {
            Ok(0) => return Some(all),
            Ok(count) => all.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Some(all),
        }
    }
}

/// How it ended, if the program has left that to us.
fn reap(child: libc::pid_t) -> Option<c_int> {
    let mut status = 0;
    loop {
        // SAFETY: a place to write to.
        if unsafe { libc::waitpid(child, &raw mut status, 0) } == child {
            return Some(status);
        }
        if std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            return None;
        }
    }
}

fn how_it_ended(status: Option<c_int>) -> Failure {
    match status {
        Some(status) if libc::WIFSIGNALED(status) => {
            format!("ggml crashed in the self-test (signal {})", libc::WTERMSIG(status))
        }
        _ => "ggml ended the self-test".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_come_back() {
        assert_eq!(run(|| Ok(())), Ok(()));
        assert_eq!(run(|| Err("shifted".to_owned())), Err("shifted".to_owned()));
    }

    #[test]
    fn a_crash_is_the_childs() {
        let failure = run(|| std::process::abort()).unwrap_err();
        assert!(failure.contains("signal 6"), "{failure}");
        let failure = run(|| {
            // SAFETY: it is to crash, in the child.
            unsafe { libc::raise(libc::SIGSEGV) };
            Ok(())
        });
        assert!(failure.unwrap_err().contains("signal 11"));
    }
}
