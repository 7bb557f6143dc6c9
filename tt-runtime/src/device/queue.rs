//! Launches: a descriptor to all workers, the go word, and the wait until every one of them has counted itself on the completion word
//! (`tt_kernel_abi::launch`).

use std::time::{Duration, Instant};

use tt_kernel_abi::{OpDescriptor, l1};
use zerocopy::IntoBytes;

use super::Session;
use crate::error::Error;

/// A launch in which no worker comes any further for so long is given up. (How long one may take as a whole depends on the tensors, and
/// on whether a simulator runs it.)
const TIME_OUT: Duration = Duration::from_secs(600);
/// How often workers are asked how far they are.
const LOOK: Duration = Duration::from_secs(10);
impl Session {
    pub(super) fn execute(&mut self, descriptor: &OpDescriptor) -> Result<(), Error> {
        // 0 never is a launch's number.
        self.seq = self.seq.wrapping_add(1).max(1);
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
        let (mut progress, mut since, mut looked) = (Vec::new(), Instant::now(), Instant::now());
        let clocks = self.link.simulated().map(|simulated| simulated.poll_clocks());
        loop {
            let asleep = match clocks {
                Some(clocks) => self.link.advance(clocks)?.asleep,
                None => false,
            };
            let count = self.link.read32(self.workers[0], u64::from(l1::COMPLETION))?;
            if count == wanted {
                self.completed = wanted;
                return Ok(());
            }
            if looked.elapsed() > LOOK {
                looked = Instant::now();
                let now = self.progress()?;
                if now != progress {
                    (progress, since) = (now, looked);
                }
            }
            if asleep || since.elapsed() > TIME_OUT {
                return Err(self.hung(what)?);
            }
        }
    }
}
