//! What a core is connected to.

use super::{CodeCache, Op};
use crate::fault::Fault;

/// What a load or store came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access<T> {
    /// Done.
    Done(T),
    /// Done, and repeating it may give another value without anything in the tile having changed.
    Volatile(T),
    /// The core has to offer the same instruction again later.
    Retry,
}

/// Memory and registers as one core sees them.
///
/// L1 and the core's local RAM are plain bytes, so that nothing stands between the core's loop and them; all else
/// goes through [`Bus::load`] and [`Bus::store`].
pub trait Bus {
    /// Whether the core asks before each instruction ([`Bus::may_execute`]).
    const PACED: bool = false;

    /// Whether there is time for the instruction at `pc`, whose register operands have these values; if not, the turn ends
    /// in front of it. One that has not been decoded yet is asked for again.
    #[inline(always)]
    fn may_execute(&mut self, _pc: u32, _op: &Op, _operands: [u32; 2]) -> bool {
        true
    }

    /// L1: address 0 on.
    fn l1(&mut self) -> &mut [u8];

    /// The core's local RAM: [`tt_isa::map::LOCAL_RAM_BASE`] on.
    fn local(&mut self) -> &mut [u8];

    /// Number of the [`super::CodeCache`] page for the code at `pc`. Page n of L1 has number n.
    ///
    /// # Errors
    /// The core cannot execute code from there.
    fn code_page(&self, pc: u32) -> Result<usize, Fault>;

    /// The code word at `pc`, which is aligned.
    ///
    /// # Errors
    /// The core cannot execute code from there.
    fn fetch(&self, pc: u32) -> Result<u32, Fault>;

    /// Loads `size` bytes, aligned, from neither L1 nor local RAM; zero-extended.
    ///
    /// # Errors
    /// Nothing is there, or not for this core or size.
    fn load(&mut self, addr: u32, size: u32) -> Result<Access<u32>, Fault>;

    /// Stores the low `size` bytes of `value`, aligned, to neither L1 nor local RAM.
    ///
    /// # Errors
    /// Nothing is there, or not for this core or size.
    fn store(&mut self, addr: u32, size: u32, value: u32) -> Result<Access<()>, Fault>;

    /// Pushes an in-line Tensix instruction.
    ///
    /// # Errors
    /// The core has no Tensix thread, or the coprocessor faults.
    fn push(&mut self, word: u32) -> Result<Access<()>, Fault>;

    /// Forgets decoded code of what others have written to L1 since the last call.
    fn forget_changed(&mut self, _code: &mut CodeCache) {}

    /// The core has changed L1.
    fn changed(&mut self);

    /// Counts changes of everything that this core could load, its own stores to L1 among them. Local RAM and what
    /// [`Access::Volatile`] tells of do not count.
    fn changes(&self) -> u64;

    /// Whether the core is held in reset, by what it has just stored itself.
    fn held(&self) -> bool;
}

/// The `size` bytes that a load of part of a register at `addr` takes out of its word.
#[inline(always)]
pub fn lane(word: u32, addr: u32, size: u32) -> u32 {
    match size {
        4 => word,
        _ => word >> (8 * (addr & 3)) & ((1 << (8 * size)) - 1),
    }
}

/// Checks a store to a register: registers are written as words.
///
/// # Errors
/// It is of less than a word; `page` says so.
#[inline(always)]
pub fn check_register_store(addr: u32, size: u32, page: &'static str) -> Result<(), Fault> {
    match size {
        4 => Ok(()),
        _ => Err(Fault::program(format!("store of {size} bytes to the register {addr:#010x}")).page(page)),
    }
}

/// A core is to execute from where it cannot.
pub fn no_code(pc: u32, page: &'static str) -> Fault {
    Fault::program(format!("no code at {pc:#010x} that this core could execute")).page(page)
}
