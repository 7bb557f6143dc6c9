//! Text for the host, through a ring in L1 that it takes text out of while the program runs.

use core::fmt;

use tt_kernel_abi::program::{Block, Wait};

use super::wait::{text, until};
use crate::l1::{L1, Shared};
use crate::mmio::order;

/// Takes text: what [`println!`](crate::println) and `core::fmt::Write` bring. Where the host has made no ring, it goes nowhere.
///
/// A full ring is waited for: the host takes text out while it waits for the program.
pub struct Printer {
    ring: L1<'static>,
}

impl Printer {
    pub(super) fn new(block: &Block) -> Self {
        // SAFETY: the bytes that the host has set aside, all accesses to which are to cells.
        Self { ring: unsafe { L1::new(block.print, block.print_bytes) } }
    }
}

impl fmt::Write for Printer {
    fn write_str(&mut self, text_: &str) -> fmt::Result {
        let cells: &[Shared<u8>] = self.ring.elements();
        if cells.is_empty() {
            return Ok(());
        }
        let (printed, taken) = text();
        let mut count = printed.load();
        for &byte in text_.as_bytes() {
            until(Wait::Host, count, || count.wrapping_sub(taken.load()) < cells.len() as u32);
            cells[count as usize % cells.len()].store(byte);
            count = count.wrapping_add(1);
            // In front of the count that says so.
            order();
            printed.store(count);
        }
        Ok(())
    }
}

/// Prints a line to the host: `println!(kernel, "tile {}", x)`. Formatting takes a few KiB of code, and the time of a small core.
#[macro_export]
macro_rules! println {
    ($kernel:expr, $($text:tt)*) => {{
        use core::fmt::Write as _;
        let mut printer = $kernel.printer();
        // Text always arrives.
        let _ = core::writeln!(printer, $($text)*);
    }};
}
