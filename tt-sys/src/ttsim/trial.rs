//! Trials: runs on a temporary copy of the simulator.
//!
//! The *order* is a sequence of [`Request`]s in memory that both processes share, each followed by its data and
//! padding to eight bytes. The results of its reads follow, from the next page on.
//!
//! ```text
//! Write   `len` bytes of data go to physical address `addr`
//! Read    `len` bytes at physical address `addr` are appended to the answer
//! Clock   `addr` clocks
//! Until   data: clocks of a round (u32), number of addresses (u32), addresses (u64). Rounds are run, at most `addr`,
//!         until the word at each address is not zero.
//! ```
//!
//! # Safety
//! [`Shared`] owns the mapping. The parent writes the order before it sends the request and reads the answer after
//! the child's word; the child reads and writes in between. [`carry_out`] runs in the child of the child; its bounds are
//! checked, since an order that does not fit must not become a wild write.
#![allow(unsafe_code)]

use std::io;
use std::ops::Range;

use super::child::Library;
use super::{Op, Request};

const PAGE: usize = 4096;

/// Why there is no answer to a trial.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The order and its answer do not fit into the memory that both processes share.
    #[error("a trial of {needed} bytes does not fit into {shared} bytes of shared memory")]
    TooLong {
        /// Bytes of the order and its answer.
        needed: usize,
        /// What there is ([`Server::start_for_trials`](super::Server::start_for_trials)).
        shared: usize,
    },
    /// The copy of the simulator ended; the simulator itself is as it was.
    #[error("{status}; it said: {said}")]
    Died {
        /// How the process ended.
        status: String,
        /// Last line of its output.
        said: String,
    },
    /// The simulator itself is gone.
    #[error(transparent)]
    Server(#[from] super::TtSimError),
}

/// What to do in a trial.
#[derive(Clone, Default)]
pub struct Trial {
    order: Vec<u8>,
    answer: usize,
}

impl Trial {
    /// Writes physical memory, that is, a BAR.
    pub fn write(&mut self, addr: u64, data: &[u8]) {
        self.push(Op::Write, addr, data);
    }

    /// Reads physical memory; where in the answer it will be.
    pub fn read(&mut self, addr: u64, len: usize) -> Range<usize> {
        self.order.extend(Request { op: Op::Read as u32, len: len as u32, addr }.to_bytes());
        let start = self.answer;
        self.answer += len;
        start..self.answer
    }

    /// Lets the chip run for so many clocks.
    pub fn clock(&mut self, clocks: u32) {
        self.push(Op::Clock, u64::from(clocks), &[]);
    }

    /// Lets the chip run, `step` clocks at a time and at most `rounds` times, until the words at all of `addrs` are not zero.
    pub fn until(&mut self, step: u32, rounds: u32, addrs: &[u64]) {
        let head = [step, addrs.len() as u32].into_iter().flat_map(u32::to_ne_bytes);
        let data: Vec<u8> = head.chain(addrs.iter().flat_map(|addr| addr.to_ne_bytes())).collect();
        self.push(Op::Until, u64::from(rounds), &data);
    }

    fn push(&mut self, op: Op, addr: u64, data: &[u8]) {
        self.order.extend(Request { op: op as u32, len: data.len() as u32, addr }.to_bytes());
        self.order.extend(data);
        self.order.resize(self.order.len().next_multiple_of(8), 0);
    }
}

/// Memory that the parent and its children share.
pub(super) struct Shared {
    start: *mut u8,
    len: usize,
}

// SAFETY: plain memory that only the owner touches (the children are other processes).
unsafe impl Send for Shared {}

impl Shared {
    /// Zeroed memory of at least `len` bytes.
    pub(super) fn new(len: usize) -> io::Result<Self> {
        let len = len.next_multiple_of(PAGE);
        if len == 0 {
            return Ok(Self { start: std::ptr::NonNull::dangling().as_ptr(), len });
        }
        // SAFETY: a new anonymous mapping at an address of the system's choice.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            Err(io::Error::last_os_error())
        } else {
            Ok(Self { start: start.cast(), len })
        }
    }

    /// All of it.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the mapping, which lives as long as `self`; no child uses it now (see the module).
        unsafe { std::slice::from_raw_parts_mut(self.start, self.len) }
    }

    /// Puts the order in its place; where the answer will be.
    pub(super) fn order(&mut self, trial: &Trial) -> Result<Range<usize>, TrialError> {
        let start = trial.order.len().next_multiple_of(PAGE);
        let answer = start..start + trial.answer;
        if answer.end > self.len {
            return Err(TrialError::TooLong { needed: answer.end, shared: self.len });
        }
        self.bytes()[..trial.order.len()].copy_from_slice(&trial.order);
        Ok(answer)
    }
}

impl Trial {
    /// Bytes of the order.
    pub(super) fn len(&self) -> u32 {
        self.order.len() as u32
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: the mapping that `new` made; nothing borrows from it any more.
            unsafe { libc::munmap(self.start.cast(), self.len) };
        }
    }
}

/// Carries out the order in the first `len` bytes of `shared`; false if it is malformed, or the library has failed.
pub(super) fn carry_out(library: &Library, shared: &mut [u8], len: usize) -> bool {
    let start = len.next_multiple_of(PAGE);
    if start > shared.len() {
        return false;
    }
    let (order, mut answer) = shared.split_at_mut(start);
    let mut order = &order[..len];
    while !order.is_empty() {
        if library.failed() {
            return false;
        }
        let Some((head, rest)) = order.split_first_chunk::<{ Request::BYTES }>() else { return false };
        let Request { op, len, addr } = Request::from_bytes(*head);
        let len = len as usize;
        order = rest;
        if op == Op::Read as u32 {
            if len > answer.len() {
                return false;
            }
            let (now, later) = std::mem::take(&mut answer).split_at_mut(len);
            library.read(addr, now);
            answer = later;
            continue;
        }
        let Some((data, rest)) = order.split_at_checked(len.next_multiple_of(8)) else { return false };
        order = rest;
        if op == Op::Write as u32 {
            library.write(addr, &data[..len]);
        } else if op == Op::Clock as u32 {
            library.clock(addr as u32);
        } else if op != Op::Until as u32 || !run_until(library, addr, data) {
            return false;
        }
    }
    !library.failed()
}

fn run_until(library: &Library, rounds: u64, data: &[u8]) -> bool {
    let Some((head, addrs)) = data.split_first_chunk::<8>() else { return false };
    let step = u32::from_ne_bytes([head[0], head[1], head[2], head[3]]);
    let (addrs, _) = addrs.as_chunks::<8>();
    let mut left = addrs;
    for _ in 0..rounds {
        while let Some((first, others)) = left.split_first() {
            let mut word = [0; 4];
            library.read(u64::from_ne_bytes(*first), &mut word);
            if word == [0; 4] {
                break;
            }
            left = others;
        }
        if left.is_empty() {
            break;
        }
        library.clock(step);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_that_does_not_fit_is_refused() {
        let mut shared = Shared::new(2 * PAGE).unwrap();
        let mut trial = Trial::default();
        trial.write(0, &[1; 13]);
        assert_eq!(trial.len(), 32);
        assert_eq!(trial.read(0, PAGE), 0..PAGE);
        assert_eq!(shared.order(&trial).unwrap(), PAGE..2 * PAGE);
        assert_eq!(shared.bytes()[16..29], [1; 13]);
        trial.read(0, 1);
        let error = shared.order(&trial).unwrap_err();
        assert!(matches!(error, TrialError::TooLong { needed, .. } if needed == 2 * PAGE + 1), "{error}");
    }
}
