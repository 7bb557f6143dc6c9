//! Launches: a descriptor to all workers, the go word, and the wait until every one of them has counted itself on the completion word
//! (`tt_kernel_abi::launch`).
//!
//! Where the chip pushes its counts to the host's memory, that is what is looked at, and nothing is read from the card. Otherwise the word in
//! the worker's L1 is polled.

use std::time::{Duration, Instant};

use tt_isa::map::SOFT_RESET_ALL;
use tt_kernel_abi::{OpDescriptor, l1};
use zerocopy::IntoBytes;

use super::Session;
use super::boot::SOFT_RESET;
use crate::error::Error;

/// In a launch that takes long a card is asked this often whether it is still there, and still ours.
const CHECK: Duration = Duration::from_millis(500);
/// How often workers are asked how far they are, in parts of the time after which a launch is given up.
const LOOKS: u32 = 60;
/// A host that waits for a card does nothing else for so long, then lets others run, then sleeps.
const BUSY: Duration = Duration::from_micros(200);
const YIELDING: Duration = Duration::from_millis(5);
const SLEEP: Duration = Duration::from_micros(50);

/// A wait: since when, and what was seen when the workers did last come further.
struct Wait {
    started: Instant,
    checked: Instant,
    looked: Instant,
    moved: Instant,
    progress: Vec<u32>,
    /// The last check has found the launch complete on the chip.
    complete: bool,
}

impl Wait {
    fn new() -> Self {
        let now = Instant::now();
        Self { started: now, checked: now, looked: now, moved: now, progress: Vec::new(), complete: false }
    }

    /// Lets time pass, the more the longer the wait has been.
    fn pause(&self) {
        match self.started.elapsed() {
            waited if waited < BUSY => std::hint::spin_loop(),
            waited if waited < YIELDING => std::thread::yield_now(),
            _ => std::thread::sleep(SLEEP),
        }
    }
}

impl Session {
    pub(super) fn execute(&mut self, descriptor: &OpDescriptor) -> Result<(), Error> {
        // 0 and the word that stops the cores never are a launch's number.
        self.seq = if self.seq >= l1::STOP - 1 { 1 } else { self.seq + 1 };
        let op = OpDescriptor { seq: self.seq, ..*descriptor };
        let rect = self.rect();
        self.link.multicast(rect, u64::from(l1::DESCRIPTOR), op.as_bytes())?;
        self.link.multicast(rect, u64::from(l1::GO), &self.seq.to_le_bytes())?;
        self.wait(&format!("{} (launch {})", op.name(), self.seq))?;
        self.launches += 1;
        self.check_errors()
    }

    /// Waits until every worker has counted itself on the completion word once more.
    pub(super) fn wait(&mut self, what: &str) -> Result<(), Error> {
        let wanted = self.completed.wrapping_add(self.workers.len() as u32);
        let mut wait = Wait::new();
        let clocks = self.link.simulated().map(|simulated| simulated.poll_clocks());
        loop {
            let asleep = match clocks {
                Some(clocks) => self.link.advance(clocks)?.asleep,
                None => false,
            };
            if self.count(l1::COMPLETION)? == wanted {
                self.completed = wanted;
                return Ok(());
            }
            if clocks.is_none() {
                wait.pause();
                self.check(&mut wait, wanted)?;
            }
            if wait.looked.elapsed() > self.patience / LOOKS {
                wait.looked = Instant::now();
                let now = self.progress()?;
                if now != wait.progress {
                    (wait.progress, wait.moved) = (now, wait.looked);
                }
            }
            if asleep || wait.moved.elapsed() > self.patience {
                return Err(self.hung(what)?);
            }
        }
    }

    /// One of the counts that workers add to.
    pub(super) fn count(&mut self, word: u32) -> Result<u32, Error> {
        match self.pushed {
            true => Ok(self.link.read_host(u64::from(word - l1::COUNTS))?),
            false => Ok(self.link.read32(self.workers[0], u64::from(word))?),
        }
    }

    /// Now and then: whether the card is there, whether its cores still run, and whether what it pushes arrives.
    fn check(&mut self, wait: &mut Wait, wanted: u32) -> Result<(), Error> {
        if wait.checked.elapsed() < CHECK {
            return Ok(());
        }
        wait.checked = Instant::now();
        self.link.check_chip()?;
        let tile = self.workers[0];
        if self.link.read32(tile, SOFT_RESET)? & SOFT_RESET_ALL == SOFT_RESET_ALL {
            return Err(Error::Stopped { tile });
        }
        let complete = self.link.read32(tile, u64::from(l1::COMPLETION))? == wanted;
        if complete && wait.complete && self.pushed {
            tracing::warn!(
                "what the card writes to this host's memory does not arrive: its own memory is polled instead, which is slower"
            );
            self.pushed = false;
        }
        wait.complete = complete;
        Ok(())
    }
}
