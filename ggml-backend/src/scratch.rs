//! Device memory that comes between the steps of graphs: what one node has given back the next one takes, and the next graph takes it all again.
//!
//! A backend has one pool. Its blocks stay where they are from graph to graph, so that the addresses in the steps of a program
//! ([`crate::backend`]) stay good, and all programs of a backend share them: it computes one graph at a time.

use std::sync::Arc;

use parking_lot::Mutex;
use tt_runtime::{Allocation, Device, DramAddr, Error};

/// The blocks of a backend.
#[derive(Clone, Default)]
pub struct Pool(Arc<Mutex<Blocks>>);

#[derive(Default)]
struct Blocks {
    /// Not in use.
    free: Vec<Allocation>,
    /// Bytes of all.
    bytes: u64,
    /// How often blocks have been given back to the device.
    cleared: u64,
}

/// Memory of a pool, which gets it back when this is dropped.
pub struct Block {
    memory: Option<Allocation>,
    pool: Pool,
}

impl Pool {
    /// A block of at least so many bytes: one that is there and not much larger, or a new one.
    ///
    /// # Errors
    /// The device has no memory left.
    pub fn take(&self, device: &Arc<Device>, bytes: u64) -> Result<Block, Error> {
        let mut blocks = self.0.lock();
        let fitting = |len: u64| (bytes..=bytes.saturating_mul(2)).contains(&len);
        let sizes = blocks.free.iter().map(Allocation::len).enumerate();
        let best = sizes.filter(|&(_, len)| fitting(len)).min_by_key(|&(_, len)| len);
        let memory = match best {
            Some((index, _)) => blocks.free.swap_remove(index),
            None => {
                let memory = device.alloc(bytes)?;
                blocks.bytes += memory.len();
                memory
            }
        };
        Ok(Block { memory: Some(memory), pool: self.clone() })
    }

    /// Gives the device back what is not in use; whether there was any.
    pub fn clear(&self) -> bool {
        let mut blocks = self.0.lock();
        let free = std::mem::take(&mut blocks.free);
        blocks.bytes -= free.iter().map(Allocation::len).sum::<u64>();
        blocks.cleared += u64::from(!free.is_empty());
        !free.is_empty()
    }

    /// How often blocks have been given back to the device: addresses from before mean nothing any more.
    pub fn cleared(&self) -> u64 {
        self.0.lock().cleared
    }

    /// Bytes of all blocks.
    pub fn bytes(&self) -> u64 {
        self.0.lock().bytes
    }
}

impl Block {
    /// First byte.
    pub fn addr(&self) -> DramAddr {
        self.memory.as_ref().map_or(DramAddr(0), Allocation::addr)
    }

    /// Bytes.
    pub fn len(&self) -> u64 {
        self.memory.as_ref().map_or(0, Allocation::len)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.pool.0.lock().free.extend(self.memory.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tt_runtime::DeviceSpec;

    #[test]
    fn blocks_are_used_again_and_given_back() {
        let device = Device::open(&DeviceSpec::null(None));
        let (pool, all) = (Pool::default(), device.memory().free);
        let take = |bytes| pool.take(&device, bytes).unwrap();
        let (a, b) = (take(1000), take(4000));
        let places = [a.addr(), b.addr()];
        drop((a, b));
        let held = pool.bytes();
        assert!(held >= 5000 && device.memory().free <= all - held);
        // The smallest that is large enough, and none that is much too large.
        let (c, d, e) = (take(900), take(3000), take(100));
        assert_eq!([c.addr(), d.addr()], places);
        assert!(!places.contains(&e.addr()));
        drop((c, d));
        assert_eq!(pool.cleared(), 0);
        assert!(pool.clear() && !pool.clear());
        assert_eq!((pool.cleared(), pool.bytes()), (1, e.len()));
        drop(e);
        assert!(pool.clear());
        assert_eq!((pool.bytes(), device.memory().free), (0, all));
    }
}
