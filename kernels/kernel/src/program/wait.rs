//! What a core says of itself in its status: what it waits for and at which line of its source, so that the host can tell where a program hangs
//! also where it cannot ask for a pc.

use core::mem::offset_of;
use core::panic::{Location, PanicInfo};
use core::sync::atomic::{AtomicU32, Ordering};

use tt_kernel_abi::program::{Block, State, Status, Wait};

use crate::mmio::{Register, order, unrolled_never};

/// Address of this core's status; set before anything else.
static STATUS: AtomicU32 = AtomicU32::new(0);

pub(super) fn set(block: &Block) {
    STATUS.store(block.status, Ordering::Relaxed);
}

fn word(offset: usize) -> Register {
    // SAFETY: a word of the core's status, which the host has set aside for it, and to which there are no references.
    unsafe { Register::at(STATUS.load(Ordering::Relaxed) + offset as u32) }
}

pub(super) fn state(state: State) {
    word(offset_of!(Status, state)).store(state as u32);
}

/// Looks after which a core says what it waits for.
const LOOKS: u32 = 64;

/// Waits until `is_done`; if that takes longer than some looks, the status says for what, and where.
///
/// Both loops are nothing but a load and branches: that is how a core sees what happened before a word was written, and how a simulator knows that
/// it waits.
#[inline(always)]
#[track_caller]
pub(crate) fn until(what: Wait, value: u32, is_done: impl Fn() -> bool) {
    let mut looks = unrolled_never(LOOKS);
    while !is_done() {
        looks -= 1;
        if looks == 0 {
            say(Location::caller(), what as u32, value);
            while !is_done() {}
            word(offset_of!(Status, line)).store(0);
            break;
        }
    }
    order();
}

#[cold]
#[inline(never)]
fn say(at: &Location, what: u32, value: u32) {
    word(offset_of!(Status, file)).store(at.file().as_ptr() as usize as u32);
    word(offset_of!(Status, file_bytes)).store(at.file().len() as u32);
    word(offset_of!(Status, what)).store(what);
    word(offset_of!(Status, value)).store(value);
    word(offset_of!(Status, line)).store(at.line());
}

pub(super) fn panicked(info: &PanicInfo) {
    // A message that has to be formatted stays away: the line says enough, and formatting takes more code than most kernels.
    let message = info.message().as_str().unwrap_or("");
    if let Some(at) = info.location() {
        say(at, message.as_ptr() as usize as u32, message.len() as u32);
    }
    order();
    state(State::Panicked);
}

/// Text written so far, and text that the host has taken out.
pub(super) fn text() -> (Register, Register) {
    (word(offset_of!(Status, printed)), word(offset_of!(Status, taken)))
}

/// Ends a core: it looks at a word that does not change until it is put into reset.
pub(super) fn park() -> ! {
    let register = word(offset_of!(Status, state));
    loop {
        register.wait_while_equal(register.load());
    }
}
