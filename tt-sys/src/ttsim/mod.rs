//! The vendor's simulator, a shared library, served from a child process.
//!
//! The library is a singleton of its process and ends that process (`_Exit`) at the first error. So
//! it gets its own process: [`Server::start`] forks; the child loads the library and answers requests on a socket
//! until the socket closes. There may be any number of servers. If one dies, its next request returns an error.
//!
//! ```text
//! request   op: u32, len: u32, addr: u64, then `len` bytes if it is a write    (host byte order: the same machine)
//! answer    start: one word; config: 4 bytes; read: `len` bytes; clock: one word; write: none
//! trial     the requests of the trial, `len` bytes, are in shared memory; the answer is one word
//! ```
//! Writes are posted, as on the bus of a card: an error in one is reported by the next request that has an answer.
//!
//! # Why fork and not a helper program
//! The runtime is itself a library in another program; a helper executable would have to be installed and
//! found. After a fork in a program with threads, only async-signal-safe calls are certain to work. The child uses only
//! these, with one exception: `dlopen`. glibc makes its locks, and those of `malloc`, usable in the child.
//! Limits: if another thread is loading a library at the moment of the fork, the child's list of libraries may be inconsistent;
//! with another C library than glibc the child may block in `dlopen`. Both end in the time-out of the start.
//!
//! The child closes every descriptor that it inherits, so that servers do not keep each other's sockets open. When the
//! parent ends, the socket closes and the child ends. (A parent-death signal would be wrong: it is sent when
//! the *thread* that forked ends.)
//!
//! This project's own `libttsim.so` (package `tt-ttsim-abi`) continues after an error and reports it in a function that the
//! vendor's does not have. The child calls that function and ends too, so that callers see no difference.
//!
//! A [`Trial`] is a run without side effects: a child of the child runs it, and the child's own simulator does not change. So
//! thousands of short runs need one start, each begins with the same chip, and one that dies affects no other.
//!
//! The library's output goes to a memory file. (A pipe could fill up and block.) Its last line explains why the child died.

mod child;
mod server;
mod trial;

pub use server::{Server, TtSimError};
pub use trial::{Trial, TrialError};

/// Requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
enum Op {
    /// PCI configuration word at `addr`.
    Config = 1,
    /// `len` bytes at physical address `addr`.
    Read = 2,
    /// `len` bytes at physical address `addr`.
    Write = 3,
    /// `addr` clocks.
    Clock = 4,
    /// Carry out the `len` bytes of requests in shared memory, in a child, within `addr` seconds.
    Trial = 5,
    /// In trials only: `addr` rounds of clocks at most, until words are set; see [`trial`].
    Until = 6,
}

/// Head of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Request {
    op: u32,
    len: u32,
    addr: u64,
}

impl Request {
    const BYTES: usize = 16;

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&self.op.to_ne_bytes());
        bytes[4..8].copy_from_slice(&self.len.to_ne_bytes());
        bytes[8..].copy_from_slice(&self.addr.to_ne_bytes());
        bytes
    }

    fn from_bytes(b: [u8; Self::BYTES]) -> Self {
        Self {
            op: u32::from_ne_bytes([b[0], b[1], b[2], b[3]]),
            len: u32::from_ne_bytes([b[4], b[5], b[6], b[7]]),
            addr: u64::from_ne_bytes([b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]]),
        }
    }
}

/// Most bytes that one request moves.
const MOST: usize = 1 << 18;

/// The child's first words.
mod greeting {
    /// Loaded and powered on.
    pub const READY: u32 = 0x7474_0001;
    /// The library cannot be loaded; the reason has been printed.
    pub const NOT_LOADED: u32 = 0x7474_0002;
    /// A function is missing; its name has been printed.
    pub const NO_SYMBOL: u32 = 0x7474_0003;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_survive_the_socket() {
        let request = Request { op: Op::Write as u32, len: 0x1234_5678, addr: 0x0123_4567_89AB_CDEF };
        assert_eq!(Request::from_bytes(request.to_bytes()), request);
    }
}
