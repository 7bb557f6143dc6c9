//! The parent's side: start a child, send it requests, explain its death.
//!
//! # Safety
//! `fork` is called with everything ready that the child needs, and the child goes straight to [`child::run`], which
//! never returns here. The other calls are system calls with plain numbers, on a child and descriptors that the
//! [`Server`] owns.
#![allow(unsafe_code)]

use std::ffi::{CString, c_int};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::trial::{Shared, Trial, TrialError};
use super::{MOST, Op, Request, child, greeting};

/// A child that has not loaded the library after this long never will.
const START_TIME_OUT: Duration = Duration::from_secs(30);
/// Bytes at the end of what the library printed in which its last line is looked for.
const TAIL: u64 = 4096;

/// Why the vendor's simulator cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TtSimError {
    /// The system refused something.
    #[error("cannot {what}: {error}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// Why not.
        error: io::Error,
    },
    /// The path cannot be given to the loader.
    #[error("the path contains a zero byte")]
    Path,
    /// The loader refused the library.
    #[error("the library cannot be loaded: {0}")]
    Load(String),
    /// It is a library, but another one.
    #[error("the library has no function {0}; is it the vendor's simulator?")]
    Symbol(String),
    /// The simulator ended.
    #[error("{status}; it said: {said}")]
    Died {
        /// How the process ended.
        status: String,
        /// Last line of its output.
        said: String,
    },
}

/// A running simulator. Dropping it ends the child.
pub struct Server {
    socket: UnixStream,
    output: File,
    /// 0 once the child has been waited for.
    pid: libc::pid_t,
    /// Orders and answers of trials.
    shared: Shared,
}

impl Server {
    /// Loads the library into a new process and powers its chip on.
    ///
    /// # Errors
    /// The system gives no process, or the library cannot be used.
    pub fn start(library: &Path) -> Result<Self, TtSimError> {
        Self::start_for_trials(library, 0)
    }

    /// The same, with so many bytes of memory for the order and the answer of a [`trial`](Self::trial).
    ///
    /// # Errors
    /// The system gives no process or no memory, or the library cannot be used.
    pub fn start_for_trials(library: &Path, bytes: usize) -> Result<Self, TtSimError> {
        let path = CString::new(library.as_os_str().as_bytes()).map_err(|_| TtSimError::Path)?;
        let system = |what| move |error| TtSimError::System { what, error };
        let (socket, theirs) = UnixStream::pair().map_err(system("make a socket"))?;
        let (socket, theirs) = (above_standard(socket)?, above_standard(theirs)?);
        let output = memory_file().map_err(system("make a memory file"))?;
        let output = File::from(above_standard(output)?);
        let mut buffer = vec![0; MOST];
        let mut shared = Shared::new(bytes).map_err(system("map shared memory"))?;
        // SAFETY: the child only runs `child::run`, which keeps to what a forked child may do.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: just forked; the descriptors are open and above 2.
            unsafe { child::run(&path, theirs.as_raw_fd(), output.as_raw_fd(), &mut buffer, shared.bytes()) }
        }
        if pid < 0 {
            return Err(system("start a process")(io::Error::last_os_error()));
        }
        drop(theirs);
        let mut server = Self { socket: UnixStream::from(socket), output, pid, shared };
        server.socket.set_read_timeout(Some(START_TIME_OUT)).map_err(system("set a time-out"))?;
        let mut word = [0; 4];
        server.receive(&mut word)?;
        server.socket.set_read_timeout(None).map_err(system("set a time-out"))?;
        match u32::from_ne_bytes(word) {
            greeting::READY => Ok(server),
            greeting::NO_SYMBOL => Err(TtSimError::Symbol(server.last_line())),
            _ => Err(TtSimError::Load(server.last_line())),
        }
    }

    /// PCI configuration word of the chip.
    ///
    /// # Errors
    /// The simulator has died.
    pub fn config_read32(&mut self, offset: u32) -> Result<u32, TtSimError> {
        self.request(Op::Config, u64::from(offset), 0, &[])?;
        let mut word = [0; 4];
        self.receive(&mut word)?;
        Ok(u32::from_ne_bytes(word))
    }

    /// Reads physical memory, that is, a BAR.
    ///
    /// # Errors
    /// The simulator has died, perhaps of this very access.
    pub fn read(&mut self, addr: u64, out: &mut [u8]) -> Result<(), TtSimError> {
        for (addr, piece) in (addr..).step_by(MOST).zip(out.chunks_mut(MOST)) {
            self.request(Op::Read, addr, piece.len() as u32, &[])?;
            self.receive(piece)?;
        }
        Ok(())
    }

    /// Writes physical memory, that is, a BAR. The write is posted: its failure may be reported later.
    ///
    /// # Errors
    /// The simulator has died.
    pub fn write(&mut self, addr: u64, data: &[u8]) -> Result<(), TtSimError> {
        for (addr, piece) in (addr..).step_by(MOST).zip(data.chunks(MOST)) {
            self.request(Op::Write, addr, piece.len() as u32, piece)?;
        }
        Ok(())
    }

    /// Lets the chip run for so many clocks.
    ///
    /// # Errors
    /// The simulator has died.
    pub fn clock(&mut self, clocks: u32) -> Result<(), TtSimError> {
        self.request(Op::Clock, u64::from(clocks), 0, &[])?;
        self.receive(&mut [0; 4])
    }

    /// Carries out an order on a copy of the simulator, which is thrown away: the bytes that its reads returned.
    /// A copy that is still busy after `seconds` is killed.
    ///
    /// # Errors
    /// The copy has died, for instance of something that the library does not support; or the simulator itself.
    pub fn trial(&mut self, trial: &Trial, seconds: u32) -> Result<&[u8], TrialError> {
        let answer = self.shared.order(trial)?;
        self.request(Op::Trial, seconds.into(), trial.len(), &[])?;
        let mut word = [0; 4];
        self.receive(&mut word)?;
        match c_int::from_ne_bytes(word) {
            0 => Ok(&self.shared.bytes()[answer]),
            status => Err(TrialError::Died { status: describe(Some(status)), said: self.last_line() }),
        }
    }

    /// Process id of the child.
    pub fn pid(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    fn request(&mut self, op: Op, addr: u64, len: u32, data: &[u8]) -> Result<(), TtSimError> {
        let head = Request { op: op as u32, len, addr }.to_bytes();
        // The standard library writes to sockets without raising SIGPIPE.
        let sent = self.socket.write_all(&head).and_then(|()| self.socket.write_all(data));
        sent.map_err(|_| self.died())
    }

    fn receive(&mut self, out: &mut [u8]) -> Result<(), TtSimError> {
        self.socket.read_exact(out).map_err(|_| self.died())
    }

    /// Makes sure that the child is gone and says why.
    fn died(&mut self) -> TtSimError {
        let status = describe(self.end());
        TtSimError::Died { status, said: self.last_line() }
    }

    /// Ends the child if it has not ended by itself, and waits for it: how it ended, where that is known.
    fn end(&mut self) -> Option<c_int> {
        let pid = std::mem::take(&mut self.pid);
        if pid == 0 {
            return None;
        }
        // A child that is ending on its own sees nothing of the shutdown; one that serves ends; one that computes is killed.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
        for _ in 0..GRACE {
            if let Some(status) = wait(pid, libc::WNOHANG) {
                return status;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        // SAFETY: the child has not been waited for, so that the number is still its own.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        wait(pid, 0).flatten()
    }

    /// Last line that the library printed.
    fn last_line(&self) -> String {
        let len = self.output.metadata().map_or(0, |meta| meta.len());
        let from = len.saturating_sub(TAIL);
        let mut tail = vec![0; (len - from) as usize];
        let read = self.output.read_exact_at(&mut tail, from);
        let text = String::from_utf8_lossy(&tail);
        match text.lines().rev().find(|line| !line.trim().is_empty()) {
            Some(line) if read.is_ok() => line.trim().to_owned(),
            _ => "nothing".to_owned(),
        }
    }
}

/// How a process ended, in words.
fn describe(status: Option<c_int>) -> String {
    match status {
        Some(status) if libc::WIFEXITED(status) => {
            format!("the simulator ended with status {}", libc::WEXITSTATUS(status))
        }
        Some(status) if libc::WIFSIGNALED(status) => {
            format!("the simulator was killed by signal {}", libc::WTERMSIG(status))
        }
        _ => "the simulator is gone".to_owned(),
    }
}

/// Milliseconds that a child gets to end by itself.
const GRACE: u32 = 200;

/// `waitpid`: none if the child has not ended, else its status where the system still knows it.
fn wait(pid: libc::pid_t, flags: c_int) -> Option<Option<c_int>> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is a valid place.
        match unsafe { libc::waitpid(pid, &raw mut status, flags) } {
            0 => return None,
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            -1 => return Some(None),
            _ => return Some(Some(status)),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// A file in memory that closes on exec.
fn memory_file() -> io::Result<OwnedFd> {
    // SAFETY: a C string and a number.
    let fd = unsafe { libc::memfd_create(c"ttsim-output".as_ptr(), libc::MFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The same file with a descriptor above 2, out of the way of the child's standard ones (a program may have closed its own).
fn above_standard(fd: impl Into<OwnedFd>) -> Result<OwnedFd, TtSimError> {
    let fd = fd.into();
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    // SAFETY: an open descriptor and numbers.
    let moved = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) };
    if moved < 0 {
        return Err(TtSimError::System { what: "duplicate a descriptor", error: io::Error::last_os_error() });
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_library_is_an_error() {
        let error = Server::start(Path::new("/no/such/library.so")).err().expect("no such file");
        assert!(matches!(&error, TtSimError::Load(why) if why.contains("/no/such/library.so")), "{error}");
    }

    #[test]
    fn another_library_is_an_error() {
        let error = Server::start(Path::new("libc.so.6")).err().expect("no simulator");
        assert!(matches!(&error, TtSimError::Symbol(name) if name == "libttsim_init"), "{error}");
    }
}
